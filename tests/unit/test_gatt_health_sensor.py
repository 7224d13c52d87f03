"""gatt_health_sensor against ST's examples, each status, clock and class, lost segments, and what it may send."""

from decimal import Decimal
from fractions import Fraction

import pytest

from drivers.bluetooth.observations import observations, time_of, zone_of
from drivers.bluetooth.records import RACP
from drivers.contract import DeviceTime, Numeric, Output, Phase, Reached, Send, Status, Why
from drivers.devices.gatt_health_sensor import (
    CONTROL,
    FEATURES,
    LIVE,
    START,
    STORED,
    UNTYPED,
    GattHealthSensor,
    channel,
)
from drivers.ieee11073.fields import MalformedError
from tests.dated import times, undated

STAMP = "22729D2B2900000600"
SPO2 = f"011B006300B84B0200{STAMP}01013C4C0200200262000000"
TEXT = "03070000000300" + b"Man".hex()
PRESSURE = f"0735001300044A0200{STAMP}40E2010003054A020001200F64000000064A020001200F3C000000074A020001200F50000000"
BUNDLE = f"FF2F004200{STAMP}013C4C020002010C000100B84B0200200262000000010C0001001A480200A00A62000000"


def segments(data: str, size: int = 512, counter: int = 0) -> list[bytes]:
    whole = bytes.fromhex(data)
    parts = [whole[at : at + size] for at in range(0, len(whole), size)]
    last = len(parts) - 1
    return [bytes([(at == 0) | (at == last) << 1 | (counter + at) % 64 << 2]) + part for at, part in enumerate(parts)]


def stored(number: int, data: str, size: int = 512) -> list[tuple[str, bytes]]:
    return [(STORED, one) for one in segments(number.to_bytes(4, "little").hex() + data, size)]


def heard(*values: tuple[str, bytes], reached: str = "") -> list[Output]:
    driver = GattHealthSensor()
    driver.reached = reached
    list(driver.on_open(0))
    return [output for source, value in values for output in driver.on_bytes(value, 0, source)]


def live(data: str, size: int = 512) -> list[Output]:
    return heard(*((LIVE, one) for one in segments(data, size)))


def numerics(said: list[Output]) -> list[Numeric]:
    return [one for one in undated(said) if isinstance(one, Numeric)]


def number(status: int = 0, raw: str = "62000000") -> str:
    return f"010E000900B84B0200{status.to_bytes(2, 'little').hex()}2002{raw}"


@pytest.mark.parametrize("size", [1, 2, 7, 512])
def test_st_examples_in_any_segments(size: int) -> None:
    assert times(live(SPO2, size)) == [DeviceTime("2021-11-20T11:50:10")]
    assert undated(live(SPO2, size)) == [
        Status("time-base", Phase.ON, "UTC"),
        Status("person", Phase.ON, "1"),
        Status("about", Phase.ON, "modality.spot"),
        Numeric("spo2", 98, "%"),
    ]
    assert numerics(live(PRESSURE, size)) == [
        Numeric("nibp.sys", 100, "mm[Hg]"),
        Numeric("nibp.dia", 60, "mm[Hg]"),
        Numeric("nibp.map", 80, "mm[Hg]"),
    ]
    assert numerics(live(BUNDLE, size)) == [Numeric("spo2", 98, "%"), Numeric("spo2.pr", 98, "/min")]
    assert Status("says", Phase.ON, "Man", UNTYPED) in live(TEXT, size)


@pytest.mark.parametrize(
    ("bits", "value", "why", "state"),
    [
        (1 << 0, None, Why.INVALID, ""),
        (1 << 1, 98, Why.QUESTIONABLE, ""),
        (1 << 2, None, Why.UNAVAILABLE, ""),
        (1 << 3, 98, Why.CALIBRATING, ""),
        (1 << 4, 98, Why.TEST, ""),
        (0b11010, 98, Why.TEST, ""),
        (1 << 5, 98, None, "early-estimate"),
        (1 << 6, 98, None, "manually-entered"),
        (1 << 7, 98, None, "setting"),
        (1 << 14, 98, None, "threshold-error"),
        (1 << 15, 98, None, "threshold-disabled"),
        (0x3F00, 98, None, ""),
    ],
)
def test_every_measurement_status(bits: int, value: int | None, why: Why | None, state: str) -> None:
    said = live(number(bits))
    assert numerics(said) == [Numeric("spo2", value, "%", why)]
    codes = [one.code for one in said if isinstance(one, Status) and one.code != "no-device-time"]
    assert codes == ([state] if state else [])


@pytest.mark.parametrize(
    ("raw", "value", "why"),
    [
        ("CF0300FF", Decimal("97.5"), None),
        ("FFFF7F00", None, Why.UNAVAILABLE),
        ("FEFF7F00", None, Why.OVER),
        ("02008000", None, Why.UNDER),
        ("00000000", 0, None),
    ],
)
def test_special_values(raw: str, value: Decimal | None, why: Why | None) -> None:
    assert numerics(live(number(raw=raw))) == [Numeric("spo2", value, "%", why)]


@pytest.mark.parametrize(
    ("stamp", "said", "zone"),
    [
        ("220000000000000600", DeviceTime("2000-01-01T00:00:00"), "UTC"),
        ("200000000000000600", DeviceTime("2000-01-01T00:00:00"), "local"),
        ("260F00000000000600", DeviceTime("2000-01-01T00:00:01.500000"), "UTC"),
        ("2AD10700000000" + "0600", DeviceTime("2000-01-01T00:00:02.001000"), "UTC"),
        ("2E010000000000" + "0600", DeviceTime("2000-01-01T00:00:00.000100"), "UTC"),
        ("320000000000" + "0006EC", DeviceTime("2000-01-01T00:00:00"), "UTC, offset -300 min"),
        ("29D20400000000" + "0000", DeviceTime(ticks=1234, hertz=Fraction(1000)), None),
        ("22FFFFFFFFFFFF0600", DeviceTime(ticks=0xFFFFFFFFFFFF, hertz=Fraction(1)), "UTC"),
    ],
)
def test_clocks(stamp: str, said: DeviceTime, zone: str | None) -> None:
    assert (time_of(bytes.fromhex(stamp)), zone_of(bytes.fromhex(stamp))) == (said, zone)


@pytest.mark.parametrize(
    "data",
    [
        "",
        SPO2[:-2],
        SPO2 + "00",
        SPO2[:2] + "1A00" + SPO2[6:],
        "09" + SPO2[2:],
        SPO2[:8] + "02" + SPO2[10:],
        "FF0600000001FF03000000",
        "FF0A00000001FF0500000001010000",
        "0708000000" + "01" + "B84B0200" + "04",
    ],
)
def test_what_does_not_fit_is_no_observation(data: str) -> None:
    with pytest.raises(MalformedError):
        list(observations(bytes.fromhex(data)))


def test_what_cannot_be_read_is_a_state() -> None:
    driver = GattHealthSensor()
    said = [one for value in segments("09" + SPO2[2:]) for one in driver.on_bytes(value, 0, LIVE)]
    assert Status("not-read", Phase.ON, "structure", UNTYPED) in said
    assert driver.counts.reasons == {"structure": 1}
    assert Status("not-read", Phase.ON, "sample-array", UNTYPED) in live("0403000000AA")


def test_lost_segments() -> None:
    first, middle, last = segments(SPO2, 10)
    for values in ([first, last], [middle, last], [last], [first, first[:1] + b"x", last]):
        assert numerics(heard(*((LIVE, one) for one in values))) == []
    assert len(numerics(heard(*((LIVE, one) for one in (first, middle, first, middle, last))))) == 1
    interleaved = [(LIVE, first), *stored(1, SPO2), (LIVE, middle), (LIVE, last)]
    assert len(numerics(heard(*interleaved))) == 2


def test_segment_counters_wrap() -> None:
    assert len(numerics(heard(*((LIVE, one) for one in segments(SPO2, 5, counter=62))))) == 1


def test_the_mark_comes_where_the_count_fits() -> None:
    both = [*stored(1, SPO2), *stored(2, number(), 5)]
    fits = heard(*both, (RACP, bytes.fromhex("080002000000")))
    mark = [one.mark for one in fits if isinstance(one, Reached)][-1]
    assert mark.startswith("2 ")
    lost = heard(stored(1, SPO2)[0], (RACP, bytes.fromhex("080002000000")))
    assert not [one for one in lost if isinstance(one, Reached)]
    again = heard(*stored(2, number()), *stored(3, SPO2), (RACP, bytes.fromhex("080002000000")), reached=mark)
    assert numerics(again) == [Numeric("spo2", 98, "%")]
    assert [one.mark.split()[0] for one in again if isinstance(one, Reached)] == ["3"]


def test_a_stored_one_that_cannot_be_read_does_not_hold_the_mark() -> None:
    said = heard(*stored(1, "09" + SPO2[2:]), (RACP, bytes.fromhex("080001000000")))
    assert [one.mark.split()[0] for one in said if isinstance(one, Reached)] == ["1"]


def test_what_may_be_sent() -> None:
    driver = GattHealthSensor()
    driver.reached = "7 abcdef01"
    asked = [one for one in driver.on_open(0) if isinstance(one, Send)]
    assert asked == [Send(bytes.fromhex("07030107000000"), RACP), Send(START, CONTROL)]
    info = GattHealthSensor.info
    assert info.sends == {b"\7\1", b"\1"}
    for op_code in (0, *range(2, 7), 8):
        assert not info.allows(bytes([op_code, 1]))
        assert not info.allows(bytes([op_code, 3, 1]) + bytes(4))
    assert not info.allows(b"\2")


def test_answers() -> None:
    assert heard((CONTROL, b"\x80")) == []
    assert heard((CONTROL, b"\x82")) == [Status("live-refused", Phase.ON, "code 82")]
    assert heard((FEATURES, b"\0\0")) == [Status("features", Phase.ON, "0000")]
    assert Send(b"\7\1", RACP) in heard((RACP, bytes.fromhex("06000706")), reached="7 abcdef01")
    assert heard((RACP, bytes.fromhex("0600070A"))) == [Status("stored-records-refused", Phase.ON, "server busy")]
    assert heard((RACP, bytes.fromhex("05000000"))) == []


def test_channels() -> None:
    assert [channel(code) for code in (0, 0x24BB8, 0x2481A, 188736, 0x20101)] == [
        UNTYPED,
        "spo2",
        "spo2.pr",
        "body.weight",
        "mdc:131329",
    ]


def test_a_recording_is_not_read() -> None:
    assert list(GattHealthSensor().on_bytes(b"".join(segments(SPO2)), 0)) == []
