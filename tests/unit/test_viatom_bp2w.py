"""viatom_bp2w against the data of real answers, and answers made by its rules."""

from decimal import Decimal

import pytest

from drivers.contract import DeviceTime, Identity, Numeric, Output, Phase, Send, Status, Subscribe, Why
from drivers.devices.viatom_bp2w import ASK_DOES, ASK_WHO, BATTERY, PRESSURE, ViatomBp2w, request
from drivers.devices.viatom_o2ring import NOTIFY, WRITE, checksum

WHO = bytes.fromhex("420001010100000100333231323030313105000022860301ea0703071706370201000000000a30303030303030303030")


def frame(command: int, data: bytes, direction: int = 1) -> bytes:
    head = bytes((0xA5, command, command ^ 0xFF, direction, 7)) + len(data).to_bytes(2, "little") + data
    return head + bytes((checksum(head),))


READY = bytes.fromhex("030050850fc21100d4ff000093db40053a68cd036d670301ea0403d753030000")
MEASURED = bytes.fromhex("050050840fe61100d4010100007e004c006200400000c15d4200080000000000")  # without its 100 samples
SECOND = 1_000_000_000
FOUR = {"nibp.sys", "nibp.dia", "nibp.map", "nibp.pr"}


def ready() -> bytes:
    return frame(0x08, READY)


def cuff(raw: int) -> bytes:
    return frame(0x08, bytes((4,)) + READY[1:9] + bytes(2) + raw.to_bytes(2, "little", signed=True) + bytes(19))


def measured(*values: int, outcome: int = 0) -> bytes:
    told = b"".join(v.to_bytes(2, "little") for v in values)
    return frame(0x08, MEASURED[:13] + told + bytes((outcome,)) + MEASURED[22:])


def heard(driver: ViatomBp2w, *chunks: bytes) -> list[Output]:
    return [output for data in chunks for output in driver.on_bytes(data, 0, NOTIFY)]


def numerics(said: list[Output]) -> dict[str, Numeric]:
    return {output.channel: output for output in said if isinstance(output, Numeric)}


def test_only_two_requests_that_read() -> None:
    head = bytes.fromhex("a5e11e00020000")
    assert checksum(head) == 0xBF  # a real request
    assert {request(0xE1), request(0x08)} == ViatomBp2w.info.sends == {ASK_WHO, ASK_DOES}
    acts = {request(command) for command in (0x04, 0x09, 0x0A, 0x24, 0x25, 0x39, 0xE2, 0xE3)}
    assert not acts & ViatomBp2w.info.sends


def test_it_is_asked_again_when_it_has_answered_and_known_again_when_not() -> None:
    driver = ViatomBp2w()
    assert list(driver.on_open(0)) == [Subscribe(NOTIFY), Send(ASK_WHO, WRITE)]
    assert driver.wake_at == 5 * SECOND
    assert list(driver.on_time(5 * SECOND)) == [Send(ASK_WHO, WRITE)]
    driver.on_bytes(frame(0xE1, WHO.ljust(60, b"\0")), 6 * SECOND, NOTIFY)
    assert driver.wake_at == 7 * SECOND
    assert list(driver.on_time(7 * SECOND)) == [Send(ASK_DOES, WRITE)]
    driver.on_bytes(ready(), 7 * SECOND, NOTIFY)
    assert list(driver.on_time(8 * SECOND)) == [Send(ASK_DOES, WRITE)]
    assert driver.wake_at == 13 * SECOND
    assert list(driver.on_time(13 * SECOND)) == [Send(ASK_WHO, WRITE)]


def test_who_it_is() -> None:
    said = heard(ViatomBp2w(), frame(0xE1, WHO.ljust(60, b"\0")))
    assert said == [Identity("Viatom", "32120011", "0000000000", "1.1"), DeviceTime("2026-03-07T23:06:55")]
    assert heard(ViatomBp2w(), frame(0xE1, WHO[:30])) == []
    assert len(heard(ViatomBp2w(), frame(0xE1, WHO[:26] + b"\x0d" + WHO[27:]))) == 1


def test_a_real_measurement_is_told_once() -> None:
    driver = ViatomBp2w()
    assert heard(driver, ready()) == [Status("mode", Phase.ON, "ready"), Numeric(BATTERY, 80, "%")]
    assert heard(driver, cuff(15105)) == [
        Status("mode", Phase.ON, "measuring"),
        Numeric(PRESSURE, Decimal("151.05"), "mm[Hg]"),
    ]
    assert heard(driver, cuff(-12)) == [Numeric(PRESSURE, Decimal("-0.12"), "mm[Hg]")]
    assert numerics(heard(driver, frame(0x08, MEASURED))) == {
        PRESSURE: Numeric(PRESSURE, None, "mm[Hg]", Why.UNAVAILABLE),
        "nibp.sys": Numeric("nibp.sys", 126, "mm[Hg]"),
        "nibp.dia": Numeric("nibp.dia", 76, "mm[Hg]"),
        "nibp.map": Numeric("nibp.map", 98, "mm[Hg]"),
        "nibp.pr": Numeric("nibp.pr", 64, "/min"),
    }
    assert heard(driver, frame(0x08, MEASURED)) == []
    assert len(numerics(heard(driver, ready(), frame(0x08, MEASURED)))) == 4


def test_a_result_that_stands_already_is_not_told_for_it_may_be_old() -> None:
    driver = ViatomBp2w()
    assert set(numerics(heard(driver, frame(0x08, MEASURED), frame(0x08, MEASURED)))) == {BATTERY}
    assert set(numerics(heard(driver, measured(120, 80, 93, 60)))) == FOUR
    driver.on_open(0)
    assert set(numerics(heard(driver, measured(121, 80, 93, 60)))) == {BATTERY}


@pytest.mark.parametrize("values", [(0, 0, 0, 0), (80, 120, 90, 60), (120, 0, 90, 60)])
def test_an_impossible_result_is_invalid(values: tuple[int, ...]) -> None:
    told = numerics(heard(ViatomBp2w(), ready(), measured(*values)))
    assert {n.why for c, n in told.items() if c in FOUR} == {Why.INVALID}
    assert {n.value for c, n in told.items() if c in FOUR} == {None}


@pytest.mark.parametrize(
    ("outcome", "text"), [(1, "cannot analyse"), (2, "moved"), (3, "weak signal"), (9, "fault 09")]
)
def test_a_failed_measurement_says_why_and_no_value(outcome: int, text: str) -> None:
    driver = ViatomBp2w()
    said = heard(driver, ready(), measured(126, 76, 98, 64, outcome=outcome))
    assert {n.value for c, n in numerics(said).items() if c in FOUR} == {None}
    assert said[-1] == Status("outcome", Phase.ON, text)
    assert heard(driver, cuff(0))[-1] == Status("outcome", Phase.OFF, text)


def test_an_ecg_is_a_status_only() -> None:
    ecg = bytearray(READY)
    ecg[0], ecg[9] = 6, 2
    assert heard(ViatomBp2w(), frame(0x08, bytes(ecg))) == [
        Status("mode", Phase.ON, "ECG measuring"),
        Numeric(BATTERY, 80, "%"),
    ]


def test_a_short_answer_says_nothing() -> None:
    assert heard(ViatomBp2w(), frame(0x08, READY[:29])) == []
    assert heard(ViatomBp2w(), frame(0x08, READY[:30])) != []


@pytest.mark.parametrize(
    ("damaged", "reasons"),
    [
        (cuff(151)[:-1] + b"\0", {"checksum": 1}),
        (frame(0x08, bytes(32), direction=0), {}),
        (bytes.fromhex("A508F70100FFFF"), {"too long": 1}),
        (ASK_WHO, {}),
    ],
)
def test_damage_and_the_hosts_words_are_refused(damaged: bytes, reasons: dict[str, int]) -> None:
    driver = ViatomBp2w()
    assert PRESSURE in numerics(heard(driver, damaged, cuff(120)))
    assert driver.counts.reasons == reasons
