"""viatom_bp2w against a real answer's data and pushes made by the rules of the document."""

import pytest

from drivers.contract import DeviceTime, Identity, Numeric, Output, Phase, Send, Status, Subscribe, Why
from drivers.devices.viatom_bp2w import ASK_WHO, BATTERY, PRESSURE, ViatomBp2w, request
from drivers.devices.viatom_o2ring import NOTIFY, WRITE, checksum

WHO = bytes.fromhex("420001010100000100333231323030313105000022860301ea0703071706370201000000000a30303030303030303030")


def frame(command: int, data: bytes, direction: int = 1) -> bytes:
    head = bytes((0xA5, command, command ^ 0xFF, direction, 7)) + len(data).to_bytes(2, "little") + data
    return head + bytes((checksum(head),))


def push(kind: int, *values: int, battery: int = 80) -> bytes:
    return frame(0x08, bytes((kind, 0, battery)) + b"".join(v.to_bytes(2, "little") for v in values).ljust(29, b"\0"))


def heard(driver: ViatomBp2w, *chunks: bytes) -> list[Output]:
    return [output for data in chunks for output in driver.on_bytes(data, 0, NOTIFY)]


def numerics(said: list[Output]) -> dict[str, Numeric]:
    return {output.channel: output for output in said if isinstance(output, Numeric)}


def test_the_only_request_reads() -> None:
    head = bytes.fromhex("a5e11e00020000")
    assert checksum(head) == 0xBF  # a real request
    assert {request(0xE1)} == ViatomBp2w.info.sends
    driver = ViatomBp2w()
    assert list(driver.on_open(0)) == [Subscribe(NOTIFY), Send(ASK_WHO, WRITE)]
    heard(driver, frame(0xE1, WHO.ljust(60, b"\0")))
    assert driver.wake_at is None


def test_who_it_is() -> None:
    said = heard(ViatomBp2w(), frame(0xE1, WHO.ljust(60, b"\0")))
    assert said == [Identity("Viatom", "32120011", "0000000000", "1.1"), DeviceTime("2026-03-07T23:06:55")]
    assert heard(ViatomBp2w(), frame(0xE1, WHO[:30])) == []
    assert len(heard(ViatomBp2w(), frame(0xE1, WHO[:26] + b"\x0d" + WHO[27:]))) == 1


def test_a_measurement() -> None:
    driver = ViatomBp2w()
    said = heard(driver, push(0, 151))
    assert said == [
        Status("mode", Phase.ON, "measuring"),
        Numeric(BATTERY, 80, "%"),
        Numeric(PRESSURE, 151, "mm[Hg]"),
    ]
    told = numerics(heard(driver, push(1, 128, 81, 97, 66)))
    assert told == {
        PRESSURE: Numeric(PRESSURE, None, "mm[Hg]", Why.UNAVAILABLE),
        "nibp.sys": Numeric("nibp.sys", 128, "mm[Hg]"),
        "nibp.dia": Numeric("nibp.dia", 81, "mm[Hg]"),
        "nibp.map": Numeric("nibp.map", 97, "mm[Hg]"),
        "nibp.pr": Numeric("nibp.pr", 66, "/min"),
    }
    assert heard(driver, push(1, 128, 81, 97, 66)) == []
    assert len(numerics(heard(driver, push(0, 10), push(1, 128, 81, 97, 66)))) == 5


@pytest.mark.parametrize("values", [(0, 0, 0, 0), (80, 120, 90, 60), (120, 0, 90, 60)])
def test_an_impossible_result_is_invalid(values: tuple[int, ...]) -> None:
    told = numerics(heard(ViatomBp2w(), push(1, *values)))
    assert all(n.why is Why.INVALID and n.value is None for c, n in told.items() if c.startswith("nibp"))


def test_ecg_is_a_status_only() -> None:
    said = heard(ViatomBp2w(), push(2, 300))
    assert Status("mode", Phase.ON, "ECG measuring") in said
    assert set(numerics(said)) == {BATTERY}


@pytest.mark.parametrize(
    ("damaged", "reasons"),
    [
        (push(0, 151)[:-1] + b"\0", {"checksum": 1}),
        (frame(0x08, bytes(32), direction=0), {}),
        (bytes.fromhex("A508F70100FFFF"), {"too long": 1}),
        (ASK_WHO, {}),
    ],
)
def test_damage_and_the_hosts_words_are_refused(damaged: bytes, reasons: dict[str, int]) -> None:
    driver = ViatomBp2w()
    assert PRESSURE in numerics(heard(driver, damaged, push(0, 120)))
    assert driver.counts.reasons == reasons
