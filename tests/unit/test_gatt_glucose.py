"""gatt_glucose against real meters' values, Nordic's worked ones (BSD-3), every bit, and the requests it may send."""

from decimal import Decimal

import pytest

from drivers.bluetooth.glucose import LOCATIONS, TYPES
from drivers.bluetooth.records import RACP
from drivers.contract import DeviceTime, Numeric, Output, Phase, Reached, Read, Send, Status, Subscribe, Why
from drivers.devices.gatt_glucose import CONTEXT, FEATURES, MEASUREMENT, STATES, UNSPECIFIED, GattGlucose, shifted
from tests.dated import times, undated

NOON = "EA070B140C0000"
DONE, NO_RECORDS = bytes.fromhex("06000101"), bytes.fromhex("06000106")


def measurement(number: int, flags: int = 0x02, rest: str = "64B011", stamp: str = NOON) -> bytes:
    return bytes([flags]) + number.to_bytes(2, "little") + bytes.fromhex(stamp + rest)


def opened(reached: str = "") -> tuple[GattGlucose, list[Output]]:
    driver = GattGlucose()
    driver.reached = reached
    return driver, list(driver.on_open(0))


def heard(*values: tuple[str, bytes], reached: str = "") -> list[Output]:
    driver, _ = opened(reached)
    return [output for source, value in values for output in driver.on_bytes(value, 0, source)]


def told(*values: bytes) -> list[Output]:
    return [one for one in heard(*((MEASUREMENT, value) for value in values)) if not isinstance(one, Reached)]


def numerics(said: list[Output]) -> list[Numeric]:
    return [one for one in undated(said) if isinstance(one, Numeric)]


@pytest.mark.parametrize(
    ("value", "iso", "channel", "shown"),
    [
        ("1B0400E407070E0B06055A0277B0F80000", "2020-07-14T21:08:05", "mdc:160368", 119),
        ("0B0400E407050E0C311D4E0168B0F80000", "2020-05-14T18:23:29", "mdc:160368", 104),
        ("030600E407040D10260A000078B0F1", "2020-04-13T16:38:10", "gluc.cap_wb", 120),
        ("1B0F00E807011E053A1B53016FB0F80000", "2024-01-30T11:37:27", "mdc:160368", 111),
    ],
)
def test_real_meters(value: str, iso: str, channel: str, shown: int) -> None:
    assert told(bytes.fromhex(value)) == [Numeric(channel, Decimal(shown).scaleb(-5), "kg/L", taken=DeviceTime(iso))]


def test_nordic_measurement_of_thirty_kilograms_a_litre_is_none() -> None:
    said = told(bytes.fromhex("1B0100E307021B0B0A1EFBFF1E00120501"))
    assert times(said) == [DeviceTime("2019-02-27T11:05:30")]
    assert [one.code for one in said if isinstance(one, Status)] == [STATES[0], STATES[2], STATES[8], "sample-location"]
    assert numerics(said) == [Numeric("gluc.cap_plasma", None, "kg/L", Why.INVALID)]


def test_nordic_context() -> None:
    context = bytes.fromhex("FF0100B303640004123C003204D2C459F1")
    said = heard((MEASUREMENT, measurement(1, 0x12)), (CONTEXT, context))
    assert {one.code: one.text for one in said if isinstance(one, Status)} == {
        "sample-location": "finger",
        "meal": "casual",
        "tester": "health care professional",
        "health": "minor issues",
        "carbohydrate": "dinner",
        "insulin": "long acting",
    }
    assert times(said) == [DeviceTime("2026-11-20T12:00:00")], "a context is of its measurement's time"
    assert numerics(said)[1:] == [
        Numeric("gatt_glucose:carbohydrate", 100, "kg"),
        Numeric("gatt_glucose:duration", 60, "s"),
        Numeric("gatt_glucose:exercise", 50, "%"),
        Numeric("gatt_glucose:medicine", Decimal("0.1234"), "L"),
        Numeric("hba1c", Decimal("34.5"), "%"),
    ]


@pytest.mark.parametrize("cut", ["1B0100E307021B0B0A1E1E00120501", "02", ""])
def test_another_length_is_refused(cut: str) -> None:
    driver, _ = opened()
    assert list(driver.on_bytes(bytes.fromhex(cut), 0, MEASUREMENT)) == []
    assert driver.counts.reasons == {"length": 1}


@pytest.mark.parametrize("bit", range(12))
def test_every_status_bit(bit: int) -> None:
    said = told(measurement(1, 0x0A, "64B011" + (1 << bit).to_bytes(2, "little").hex()))
    assert Status(STATES[bit], Phase.ON) in said
    doubt = {0: None, 5: Why.OVER, 6: Why.UNDER, 11: None}.get(bit, Why.QUESTIONABLE)
    assert numerics(said) == [Numeric("gluc.cap_wb", Decimal("0.00100"), "kg/L", doubt)]


def test_reserved_status_bits_are_left_out() -> None:
    assert told(measurement(1, 0x0A, "64B01100F0")) == told(measurement(1, 0x0A, "64B0110000"))


@pytest.mark.parametrize(
    ("bits", "why"), [("0000", Why.UNAVAILABLE), ("0800", Why.INVALID), ("2000", Why.OVER), ("4000", Why.UNDER)]
)
def test_a_measurement_without_a_concentration(bits: str, why: Why) -> None:
    assert numerics(told(measurement(1, 0x08, bits))) == [Numeric(UNSPECIFIED, None, "kg/L", why)]


@pytest.mark.parametrize("kind", range(16))
def test_every_type_has_its_channel(kind: int) -> None:
    said = told(measurement(1, rest=f"64B01{kind:X}"))
    channel = TYPES.get(kind, UNSPECIFIED)
    assert numerics(said) == [Numeric(channel, Decimal("0.00100"), "kg/L", Why.TEST if kind == 10 else None)]
    assert (Status("sample-type", Phase.ON, f"code {kind}") in said) == (kind not in TYPES)


@pytest.mark.parametrize("place", range(16))
def test_every_location(place: int) -> None:
    said = [one for one in told(measurement(1, rest=f"64B0{place:X}1")) if isinstance(one, Status)]
    text = LOCATIONS.get(place, f"code {place}")
    assert said == ([] if place == 15 else [Status("sample-location", Phase.ON, text)])


@pytest.mark.parametrize(
    ("flags", "field", "value", "why"),
    [
        (0x02, "D0B7", "0.02000", None),
        (0x02, "D1B7", None, Why.INVALID),
        (0x06, "38C0", "0.0056", None),
        (0x06, "B1C4", None, Why.INVALID),
        (0x02, "0000", None, Why.INVALID),
        (0x02, "FF07", None, Why.UNAVAILABLE),
        (0x02, "FE07", None, Why.OVER),
        (0x02, "0208", None, Why.UNDER),
    ],
)
def test_edge_values(flags: int, field: str, value: str | None, why: Why | None) -> None:
    unit = "mol/L" if flags & 4 else "kg/L"
    expected = Numeric("gluc.cap_wb", None if value is None else Decimal(value), unit, why)
    assert numerics(told(measurement(1, flags, field + "11"))) == [expected]


@pytest.mark.parametrize(
    ("offset", "said"),
    [
        ("0000", DeviceTime("2026-11-20T12:00:00")),
        ("A005", DeviceTime("2026-11-21T12:00:00")),
        ("60FA", DeviceTime("2026-11-19T12:00:00")),
        ("FF7F", Status("time-offset", Phase.ON, "overrun")),
        ("0080", Status("time-offset", Phase.ON, "underrun")),
    ],
)
def test_the_time_is_the_users(offset: str, said: Output) -> None:
    found = told(measurement(1, 0x03, offset + "64B011"))
    assert times(found) == [said] if isinstance(said, DeviceTime) else found[0] == said


def test_no_whole_base_time() -> None:
    said = told(measurement(1, 0x03, "3C0064B011", "00000000000000"))
    assert said[0] == Status("no-device-time", Phase.ON, "0000-00-00T00:00:00")
    assert shifted("9999-12-31T23:59:00", 5) == "9999-12-31T23:59:00"


def test_a_context_without_its_measurement_is_not_told() -> None:
    driver, _ = opened()
    assert list(driver.on_bytes(bytes.fromhex("02070001"), 0, CONTEXT)) == []
    assert driver.counts.reasons == {"context alone": 1}


def test_the_mark_waits_for_the_context() -> None:
    said = heard(
        (MEASUREMENT, measurement(1)),
        (MEASUREMENT, measurement(2, 0x12)),
        (CONTEXT, bytes.fromhex("02020003")),
        (MEASUREMENT, measurement(3, 0x12)),
        (MEASUREMENT, measurement(4)),
    )
    at = [index for index, one in enumerate(said) if isinstance(one, Reached)]
    assert [one.mark.split()[0] for one in said if isinstance(one, Reached)] == ["2", "3", "4"]
    assert said[at[0] - 1] == Status("meal", Phase.ON, "fasting")
    assert times(said[at[1] + 1 :])[0] == DeviceTime("2026-11-20T12:00:00")


def test_a_visit_after_another() -> None:
    first = [(MEASUREMENT, measurement(at)) for at in (1, 2, 3)]
    mark = [one for one in heard(*first, (RACP, DONE)) if isinstance(one, Reached)][-1].mark
    _, asked = opened(mark)
    assert Send(bytes.fromhex("0103010300"), RACP) in asked
    again = heard(
        first[2], (CONTEXT, bytes.fromhex("02030001")), (MEASUREMENT, measurement(4)), (RACP, DONE), reached=mark
    )
    assert len(numerics(again)) == 1
    other = heard(
        (MEASUREMENT, measurement(3, stamp="EA070B150C0000")), (RACP, DONE), *first[:2], (RACP, DONE), reached=mark
    )
    assert len(numerics(other)) == 3
    assert Send(b"\1\1", RACP) in other


def test_bytes_of_before_a_crash_come_before_the_opening() -> None:
    driver = GattGlucose()
    early = list(driver.on_bytes(measurement(1), 0, MEASUREMENT))
    list(driver.on_open(0))
    late = [one for at in (1, 2) for one in driver.on_bytes(measurement(at), 0, MEASUREMENT)]
    assert (len(numerics(early)), len(numerics(late))) == (1, 1)


def test_asks_for_everything_first_and_may_never_delete() -> None:
    _, asked = opened()
    assert asked[:5] == [
        *map(Subscribe, (MEASUREMENT, CONTEXT, RACP)),
        Read(FEATURES),
        Send(b"\1\1", RACP),
    ]
    info = GattGlucose.info
    assert info.allows(b"\1\1")
    assert info.allows(bytes.fromhex("010301FFFF"))
    for op_code in (0, 2, 3, 4, 5, 6, 7, 8, 255):
        assert not info.allows(bytes([op_code, 1]))
        assert not info.allows(bytes([op_code, 0]))
        assert not info.allows(bytes([op_code]))
        for number in (0, 3, 0xFFFF):
            assert not info.allows(bytes([op_code, 3, 1]) + number.to_bytes(2, "little"))
    assert not info.allows(bytes.fromhex("0102010300"))


def test_features_and_a_refusal_are_states() -> None:
    assert heard((FEATURES, b"\xff\x03")) == [Status("features", Phase.ON, "03FF")]
    assert heard((RACP, bytes.fromhex("06000108"))) == [
        Status("stored-records-refused", Phase.ON, "procedure not completed")
    ]
    assert heard((RACP, bytes.fromhex("06000401"))) == []


def test_a_recording_says_the_same_as_the_values() -> None:
    values = [bytes.fromhex("030600E407040D10260A000078B0F1"), measurement(7), measurement(8, 0x0E, "38C0140000")]
    driver, _ = opened()
    assert list(driver.on_bytes(b"".join(values), 0)) == heard(*((MEASUREMENT, value) for value in values))


@pytest.mark.parametrize("noise", [bytes(2000), bytes(range(256)) * 8, b"\xff" * 2000, b"\2\0" * 1000])
def test_other_streams_are_no_glucose(noise: bytes) -> None:
    assert list(GattGlucose().on_bytes(noise, 0)) == []
