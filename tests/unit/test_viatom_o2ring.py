"""viatom_o2ring against the request bytes of a real ring and answers made by the rules."""

from decimal import Decimal

import pytest

from drivers.contract import DeviceTime, Identity, Mark, Numeric, Output, Phase, Send, Status, Subscribe, Wave, Why
from drivers.devices.viatom_o2ring import (
    ASK_VALUES,
    ASK_WHO,
    BATTERY,
    NOTIFY,
    PATIENCE_NS,
    SECOND_NS,
    WRITE,
    ViatomO2ring,
    checksum,
    request,
)

WHO = b'{"CurTIME":"2026-08-08,12:00:00","SoftwareVer": "2.1","Model": "O2Ring","SN":"1234","FileList":"a.vld,b.vld"}\0'


def answer(data: bytes, state: int = 0) -> bytes:
    head = bytes((0x55, state, state ^ 0xFF, 0, 0)) + len(data).to_bytes(2, "little") + data
    return head + bytes((checksum(head),))


def values(spo2: int = 97, rate: int = 72, worn: int = 1, pi: int = 6, charge: int = 0, pleth: bytes = b"") -> bytes:
    head = bytes((spo2, rate & 0xFF, rate >> 8, 85, charge, pi, worn, 0, 0, 0))
    return answer(head + len(pleth).to_bytes(2, "little") + pleth)


def heard(driver: ViatomO2ring, *chunks: bytes, now: int = 0) -> list[Output]:
    return [output for data in chunks for output in driver.on_bytes(data, now, NOTIFY)]


def numerics(said: list[Output]) -> dict[str, Numeric]:
    return {output.channel: output for output in said if isinstance(output, Numeric)}


def test_the_checksum_is_that_of_a_real_request() -> None:
    assert request(0x17).hex() == "aa17e8000000001b"
    assert {ASK_WHO[1], ASK_VALUES[1]} == {0x14, 0x1B}
    assert ViatomO2ring.info.sends == {ASK_WHO, ASK_VALUES}


def test_values() -> None:
    told = numerics(heard(ViatomO2ring(), values(rate=300)))
    assert told["spo2"] == Numeric("spo2", 97, "%")
    assert told["spo2.pr"] == Numeric("spo2.pr", 300, "/min")
    assert told["spo2.perf_index"] == Numeric("spo2.perf_index", Decimal("0.6"), "%")
    assert told[BATTERY] == Numeric(BATTERY, 85, "%")


@pytest.mark.parametrize(
    ("frame", "spo2", "rate"),
    [
        (values(255, 65535, worn=0), Why.SENSOR_OFF, Why.SENSOR_OFF),
        (values(97, 72, worn=0), Why.SENSOR_OFF, Why.SENSOR_OFF),
        (values(97, 72, worn=2), Why.SENSOR_OFF, Why.SENSOR_OFF),
        (values(0, 0), Why.SEARCHING, Why.SEARCHING),
        (values(255, 72), Why.INVALID, None),
        (values(97, 65535), None, Why.INVALID),
        (values(0, 72), Why.INVALID, None),
    ],
)
def test_absent_is_never_zero(frame: bytes, spo2: Why | None, rate: Why | None) -> None:
    told = numerics(heard(ViatomO2ring(), frame))
    assert (told["spo2"].why, told["spo2.pr"].why) == (spo2, rate)
    assert (told["spo2"].value is None, told["spo2.pr"].value is None) == (spo2 is not None, rate is not None)


def test_pleth_is_one_wave_a_chunk_and_missing_samples_are_marked() -> None:
    said = heard(ViatomO2ring(), values(pleth=b"\x0a\x9c\x1e") + values(pleth=b"\x28"))
    (wave,) = [output for output in said if isinstance(output, Wave)]
    assert wave.samples == (10, 156, 30, 40)
    assert wave.marks == (Mark(1, "invalid"),)


def test_identity_clock_and_states() -> None:
    driver = ViatomO2ring()
    said = heard(driver, answer(WHO))
    assert said[:2] == [Identity("Viatom", "O2Ring", "1234", "2.1"), DeviceTime("2026-08-08T12:00:00")]
    assert Status("battery", Phase.ON, "charging") in heard(driver, values(charge=1))
    assert Status("battery", Phase.OFF) in heard(driver, values())
    assert Status("not-worn", Phase.ON, "0") in heard(driver, values(worn=0))
    assert heard(driver, answer(b"", state=9)) == [Status("refused", Phase.ON, "09")]


def test_questions() -> None:
    driver = ViatomO2ring()
    assert list(driver.on_open(0)) == [Subscribe(NOTIFY), Send(ASK_WHO, WRITE)]
    assert heard(driver, answer(WHO), now=5)[-1] == Send(ASK_VALUES, WRITE)
    assert driver.wake_at == 5 + PATIENCE_NS
    heard(driver, values(), now=9)
    assert driver.wake_at == 9 + SECOND_NS
    assert list(driver.on_time(10 + SECOND_NS)) == [Send(ASK_VALUES, WRITE)]
    assert list(driver.on_time(11 + 4 * SECOND_NS)) == [Send(ASK_WHO, WRITE)]


@pytest.mark.parametrize(
    ("damaged", "reasons"),
    [
        (values()[:-1] + b"\0", {"checksum": 1}),
        (values().replace(b"\x61\x48", b"\x62\x48"), {"checksum": 1}),
        (bytes.fromhex("5500FF0000FFFF"), {"too long": 1}),
        (b"\x55\x00\x00", {}),
        (ASK_VALUES, {}),
    ],
)
def test_damage_is_refused(damaged: bytes, reasons: dict[str, int]) -> None:
    driver = ViatomO2ring()
    assert len(numerics(heard(driver, damaged, values()))) == 4
    assert driver.counts.reasons == reasons


def test_data_which_its_length_does_not_fit_is_no_reading() -> None:
    said = heard(ViatomO2ring(), answer(bytes((97, 72, 0, 85, 0, 6, 1, 0, 0, 0, 9, 0, 1))))
    assert not numerics(said)
