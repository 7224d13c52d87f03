"""gatt_cgm against Nordic's worked values (BSD-3) and its CRC vectors, every bit, sessions, and what it may send."""

from decimal import Decimal
from fractions import Fraction

import pytest

from drivers.bluetooth.records import RACP
from drivers.capture import play
from drivers.contract import Alarm, DeviceTime, Numeric, Output, Phase, Reached, Read, Send, Status, Why
from drivers.devices.gatt_cgm import (
    ALERTS,
    FEATURES,
    GLUCOSE,
    MEASUREMENT,
    START,
    STATES,
    STATUS,
    GattCgm,
    crc,
    is_whole,
    later,
)
from tests.dated import times, undated

FULL = bytes.fromhex("0FE3D2E405000214FF02F0E5F38E3F")
SMALL = bytes.fromhex("06000C100600")
SESSION = bytes.fromhex("EA070B0A0800000400")
NO_CRC, WITH_CRC = bytes.fromhex("00C00159FFFF"), bytes.fromhex("001000290000")
DONE, NO_RECORDS = bytes.fromhex("06000101"), bytes.fromhex("06000106")
ALL = Send(b"\1\1", RACP)


def record(minute: int, value: int = 100, status: str = "", flags: int = 0) -> bytes:
    body = bytes([flags]) + value.to_bytes(2, "little") + minute.to_bytes(2, "little") + bytes.fromhex(status)
    return bytes([len(body) + 1]) + body


def heard(*values: tuple[str, bytes], reached: str = "") -> list[Output]:
    driver = GattCgm()
    driver.reached = reached
    list(driver.on_open(0))
    return [output for source, value in values for output in driver.on_bytes(value, 0, source)]


def told(*values: bytes) -> list[Output]:
    return heard(*((MEASUREMENT, value) for value in values))


def numerics(said: list[Output]) -> list[Numeric]:
    return [one for one in undated(said) if isinstance(one, Numeric)]


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"A", 0x5C0A),
        (b"123456789", 0x6F91),
        (bytes.fromhex("58251F98"), 0x07F1),
        (bytes.fromhex("3E010203040506070809"), 0x2F01),
    ],
)
def test_nordic_crc_vectors(data: bytes, value: int) -> None:
    assert crc(data) == value
    assert is_whole(data + value.to_bytes(2, "little"))


def test_nordic_full_value() -> None:
    said = told(FULL)
    assert said[0] == DeviceTime(ticks=5, hertz=Fraction(1, 60))
    assert numerics(said) == [
        Numeric(GLUCOSE, Decimal("12.34"), "mg/dL", Why.OVER),
        Numeric("gatt_cgm:trend", Decimal("0.2"), "mg/dL/min", Why.OVER),
        Numeric("gatt_cgm:quality", Decimal("99.7"), "%"),
    ]
    on = {one.code for one in said if isinstance(one, Status)}
    assert on == {STATES[bit] for bit in (1, 10, 12, *range(16, 24))}


def test_nordic_small_double_and_damaged_values() -> None:
    assert [one.value for one in numerics(told(SMALL))] == [120]
    assert [one.value for one in numerics(told(bytes.fromhex("06000C10050006000C100600")))] == [120, 120]
    for bad, why in (
        ("08000C100600586F", "crc"),
        ("06E30C1006", "length"),
        ("07E30C100600F0", "length"),
        ("06000C10060005", "length"),
        ("", "length"),
    ):
        driver = GattCgm()
        assert list(driver.on_bytes(bytes.fromhex(bad), 0, MEASUREMENT)) == []
        assert driver.counts.reasons == {why: 1}


def test_where_the_features_promise_a_crc_there_is_one() -> None:
    good = record(5) + crc(b"\x08" + record(5)[1:]).to_bytes(2, "little")
    good = b"\x08" + good[1:]
    assert len(numerics(heard((FEATURES, WITH_CRC), (MEASUREMENT, good)))) == 1
    assert numerics(heard((FEATURES, WITH_CRC), (MEASUREMENT, record(5)))) == []
    assert numerics(heard((FEATURES, NO_CRC), (MEASUREMENT, good))) == []
    assert numerics(heard((FEATURES, NO_CRC), (MEASUREMENT, record(5)))) == [Numeric("gluc.isf", 100, "mg/dL")]


@pytest.mark.parametrize("bit", sorted(STATES))
def test_every_status_bit(bit: int) -> None:
    said = told(record(5, 100, (1 << bit).to_bytes(3, "little").hex(), 0xE0))
    assert Status(STATES[bit], Phase.ON) in said
    doubts = {0: Why.NOT_UPDATED, 11: Why.CALIBRATING, 22: Why.UNDER, 23: Why.OVER}
    doubt = doubts.get(bit, Why.QUESTIONABLE if bit in (2, 3, 5, 12, 13) else None)
    assert numerics(said) == [Numeric(GLUCOSE, 100, "mg/dL", doubt)]
    assert [one.code for one in said if isinstance(one, Alarm)] == ([STATES[bit]] if bit in ALERTS else [])
    assert Status(STATES[bit], Phase.ON) in heard((STATUS, b"\0\0" + (1 << bit).to_bytes(3, "little")))


def test_history_rings_no_alarm() -> None:
    low = record(5, 50, "04", 0x20)
    assert not [one for one in heard((START, SESSION), (MEASUREMENT, low)) if isinstance(one, Alarm)]
    said = heard((START, SESSION), (RACP, NO_RECORDS), (MEASUREMENT, low), (MEASUREMENT, record(10)))
    assert [one.phase for one in said if isinstance(one, Alarm)] == [Phase.ON, Phase.OFF]


@pytest.mark.parametrize(
    ("raw", "value", "why"),
    [(1, 1, None), (1000, 1000, None), (0, None, Why.INVALID), (0x7FF, None, Why.UNAVAILABLE), (0x7FE, None, Why.OVER)],
)
def test_edge_values(raw: int, value: int | None, why: Why | None) -> None:
    assert numerics(told(record(5, raw))) == [Numeric(GLUCOSE, value, "mg/dL", why)]


def test_the_start_comes_before_the_memory() -> None:
    driver = GattCgm()
    asked = list(driver.on_open(0))
    assert asked[:3] == [Read(FEATURES), Read(START), Read(STATUS)]
    assert not [one for one in asked if isinstance(one, Send)]
    assert ALL in list(driver.on_bytes(SESSION, 0, START))
    assert list(driver.on_bytes(SESSION, 0, START)) == []
    assert driver.wake_at is None


def test_without_a_start_all_is_asked_for_and_no_mark_is_said() -> None:
    chunks = [(6_000_000_000, record(at), MEASUREMENT) for at in (5, 10, 15)] + [(7_000_000_000, DONE, RACP)]
    said = [output for _, output in play(GattCgm(), chunks)]
    assert ALL in said
    assert len(numerics(said)) == 3
    assert not [one for one in said if isinstance(one, Reached)]
    zeros = heard((START, bytes(9)), (MEASUREMENT, record(5)), (RACP, DONE))
    assert not [one for one in zeros if isinstance(one, Reached)]


def test_a_visit_after_another() -> None:
    first = heard((START, SESSION), (MEASUREMENT, record(5) + record(10)), (RACP, DONE))
    mark = [one.mark for one in first if isinstance(one, Reached)][-1]
    assert mark == f"10 {SESSION.hex()}"
    again = heard((START, SESSION), (MEASUREMENT, record(10) + record(15)), (RACP, DONE), reached=mark)
    assert Send(bytes.fromhex("0103010A00"), RACP) in again
    assert times(again) == [DeviceTime("2026-11-10T08:15:00")]
    assert not any(isinstance(one, DeviceTime) for one in again), "what comes from memory is not the clock of now"
    assert len(numerics(again)) == 1
    other = heard((START, b"\xeb" + SESSION[1:]), (MEASUREMENT, record(5) + record(10)), (RACP, DONE), reached=mark)
    assert ALL in other
    assert len(numerics(other)) == 2


def test_a_new_session_while_it_is_connected() -> None:
    said = heard((START, SESSION), (RACP, NO_RECORDS), (MEASUREMENT, record(500)), (MEASUREMENT, record(0)))
    assert Read(START) in said
    assert len(numerics(said)) == 2


def test_damaged_answers_are_refused() -> None:
    for source, value in ((START, SESSION + b"\0\0"), (STATUS, bytes(7)), (START, SESSION[:5]), (FEATURES, b"\0")):
        assert heard((source, value)) == []
    whole = SESSION + crc(SESSION).to_bytes(2, "little")
    assert ALL in heard((START, whole))


def test_nothing_but_reports_may_be_sent() -> None:
    info = GattCgm.info
    assert info.allows(b"\1\1")
    assert info.allows(bytes.fromhex("010301FFFF"))
    for op_code in (0, *range(2, 32)):  # 2 deletes; 1A and 1B start and stop a session, 04 to 19 calibrate and alert
        for rest in ("", "00", "01", "0301FFFF"):
            assert not info.allows(bytes([op_code]) + bytes.fromhex(rest))
    assert not info.allows(SESSION)


def test_a_recording_says_the_same_as_the_values() -> None:
    values = (SMALL, record(10, 90, "04", 0x20), record(15))
    assert list(GattCgm().on_bytes(b"".join(values), 0)) == told(*values)
    assert numerics(list(GattCgm().on_bytes(FULL[:9] + FULL, 0))) == numerics(told(FULL))


@pytest.mark.parametrize("noise", [bytes(2000), bytes(range(256)) * 8, b"\xff" * 2000, b"\6" * 2000])
def test_other_streams_are_no_glucose(noise: bytes) -> None:
    assert list(GattCgm().on_bytes(noise, 0)) == []


def test_no_such_time() -> None:
    assert later("", 5) == later("9999-12-31T23:59:00", 5) == ""
