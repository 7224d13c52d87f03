"""taidoc_td42xx against the frames and the date word of glucometerutils' tests and frames made by the rules."""

from datetime import datetime
from decimal import Decimal

import pytest

from drivers.contract import DeviceTime, Identity, Numeric, Output, Phase, Send, Status, Subscribe, Why
from drivers.devices.taidoc_td42xx import CHARACTERISTIC, PATIENCE_NS, POLL_NS, TaidocTd42xx, moment, request
from tests.dated import times, undated

MODELS = {"4277": b"\x77\x42", "3261": b"\x61\x32", "8255": b"\x55\x82", "1261": b"\x61\x12", "9999": b"\x99\x99"}
NOON = bytes.fromhex("21240e15")  # 2018-01-01 21:14


def frame(command: int, d: bytes = b"", direction: int = 0xA5) -> bytes:
    head = bytes((0x51, command)) + d.ljust(4, b"\0") + bytes((direction,))
    return head + bytes((sum(head) & 0xFF,))


def heard(driver: TaidocTd42xx, *chunks: bytes, now: int = 0) -> list[Output]:
    return [output for data in chunks for output in driver.on_bytes(data, now)]


def record(model: str, value: bytes, when: bytes = NOON, clock: bytes = NOON) -> list[Output]:
    """What is said of the newest record."""
    driver = TaidocTd42xx()
    before = (frame(0x24, MODELS[model]), frame(0x23, clock), frame(0x2B, b"\1"), frame(0x25, when))
    heard(driver, *before)
    return [o for o in heard(driver, frame(0x26, value)) if not isinstance(o, Send)]


def numerics(said: list[Output]) -> list[Numeric]:
    return [output for output in undated(said) if isinstance(output, Numeric)]


def test_requests_are_those_of_the_sources_and_only_read() -> None:
    assert request(0x22).hex() == "512200000000a316"
    assert request(0x26).hex() == "512600000000a31a"
    assert {data[1] for data in TaidocTd42xx.info.sends} == {0x22, 0x23, 0x24, 0x25, 0x26, 0x2B}


def test_date_word_of_the_sources() -> None:
    assert moment(NOON) == datetime(2018, 1, 1, 21, 14)  # noqa: DTZ001 (a meter has no zone)
    assert moment(bytes(4)) is None
    assert moment(b"\x21\x24\x3c\x15") is None


def test_a_round_asks_step_by_step_and_rests() -> None:
    driver = TaidocTd42xx()
    assert list(driver.on_open(0)) == [Subscribe(CHARACTERISTIC), Send(request(0x22), CHARACTERISTIC)]
    steps = (frame(0x54), frame(0x24, b"\x77\x42"), frame(0x23, NOON), frame(0x2B, b"\1"), frame(0x25, NOON))
    for answer, asked in zip(steps, (0x24, 0x23, 0x2B, 0x25, 0x26), strict=True):
        assert heard(driver, answer, now=7)[-1] == Send(request(asked), CHARACTERISTIC)
    assert driver.wake_at == 7 + PATIENCE_NS
    heard(driver, frame(0x26, b"\x6a"), now=9)
    assert driver.wake_at == 9 + POLL_NS
    assert list(driver.on_time(10 + POLL_NS)) == [Send(request(0x23), CHARACTERISTIC)]
    assert list(driver.on_time(11 + POLL_NS)) == [Send(request(0x22), CHARACTERISTIC)]


def test_model_and_clock() -> None:
    said = heard(TaidocTd42xx(), frame(0x24, b"\x77\x42"), frame(0x23, NOON))
    assert Identity("TaiDoc", "TD-4277") in said
    assert DeviceTime("2018-01-01T21:14") in said


@pytest.mark.parametrize(
    ("d3", "state", "why"),
    [(0x00, None, None), (0x40, "before-meal", None), (0x80, "after-meal", None), (0xC0, "3", Why.QUESTIONABLE)],
)
def test_glucose_and_its_meal(d3: int, state: str | None, why: Why | None) -> None:
    said = record("4277", bytes((0x2C, 1, 21, d3)))
    assert numerics(said) == [Numeric("gluc.cap_wb", 300, "mg/dL", why)]
    assert times(said) == [DeviceTime("2018-01-01T21:14")]
    meals = [o.text for o in said if isinstance(o, Status) and o.code == "meal"]
    assert meals == ([state] if state else [])


@pytest.mark.parametrize("analyte", range(1, 16))
def test_another_analyte_is_no_glucose(analyte: int) -> None:
    said = record("4277", bytes((36, 0, 21, analyte << 2)))
    assert not numerics(said)
    assert any(isinstance(o, Status) and o.code == "analyte" and o.text.endswith(" 36") for o in said)


@pytest.mark.parametrize(
    ("when", "clock", "why"),
    [
        (NOON, NOON, None),
        (NOON, bytes.fromhex("21241815"), None),
        (NOON, bytes.fromhex("21241915"), Why.NOT_UPDATED),
        (NOON, bytes.fromhex("22240e15"), Why.NOT_UPDATED),
        (bytes(4), NOON, Why.NOT_UPDATED),
        (NOON, bytes(4), Why.NOT_UPDATED),
    ],
)
def test_an_old_record_is_not_a_reading_of_now(when: bytes, clock: bytes, why: Why | None) -> None:
    assert numerics(record("4277", b"\x6a", when, clock)) == [Numeric("gluc.cap_wb", 106, "mg/dL", why)]


def test_the_same_record_is_said_once_and_a_new_one_with_the_same_value_again() -> None:
    driver = TaidocTd42xx()
    heard(driver, frame(0x24, b"\x77\x42"))
    whole = (frame(0x23, NOON), frame(0x2B, b"\1"), frame(0x25, NOON), frame(0x26, b"\x6a"))
    assert len(numerics(heard(driver, *whole))) == 1
    assert not numerics(heard(driver, *whole))
    assert len(numerics(heard(driver, frame(0x2B, b"\2"), frame(0x25, NOON), frame(0x26, b"\x6a")))) == 1


def test_no_records() -> None:
    driver = TaidocTd42xx()
    assert Status("no-records", Phase.ON, "0") in heard(driver, frame(0x2B))


@pytest.mark.parametrize(
    ("model", "value", "expected"),
    [
        ("3261", bytes((138, 95, 88, 72)), {"nibp.sys": 138, "nibp.dia": 88, "nibp.pr": 72}),
        ("3261", bytes((4, 1, 88, 72)), {"nibp.sys": None, "nibp.dia": None, "nibp.pr": None}),
        ("8255", bytes((97, 0, 0, 65)), {"spo2": 97, "spo2.pr": 65}),
        ("8255", bytes((127, 0, 0, 0)), {"spo2": None, "spo2.pr": None}),
        ("1261", bytes((0x6E, 1)), {"temp.unspecified": Decimal("36.6")}),
        ("1261", bytes((0x4F, 0x0E)), {"temp.unspecified": Decimal("36.63")}),
        ("1261", bytes(4), {"temp.unspecified": None}),
        ("4277", bytes(4), {"gluc.cap_wb": None}),
        ("9999", bytes((1, 2, 3, 4)), {}),
    ],
)
def test_other_models(model: str, value: bytes, expected: dict[str, Decimal | int | None]) -> None:
    said = numerics(record(model, value))
    assert {n.channel: n.value for n in said} == expected
    assert all(n.why is (Why.INVALID if n.value is None else None) for n in said)


@pytest.mark.parametrize(
    ("damaged", "reasons"),
    [
        (frame(0x23, b"\1")[:-1] + b"\0", {"checksum": 1}),
        (frame(0x99), {"unknown answer": 1}),
        (request(0x26), {}),
        (b"\x51\x23\x00", {}),
    ],
)
def test_damage_and_requests_on_the_line_say_nothing(damaged: bytes, reasons: dict[str, int]) -> None:
    driver = TaidocTd42xx()
    said = heard(driver, damaged, frame(0x24, b"\x77\x42"))
    assert [o for o in said if not isinstance(o, Send)] == [Identity("TaiDoc", "TD-4277")]
    assert driver.counts.reasons == reasons
