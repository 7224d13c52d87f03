"""gatt_oximeter against the printed values of a real oximeter, and every bit of the two status fields."""

from decimal import Decimal

import pytest

from drivers.bluetooth.companions import Companions
from drivers.bluetooth.records import RACP
from drivers.contract import DeviceTime, Numeric, Output, Phase, Reached, Send, Status, Subscribe, Why
from drivers.devices.gatt_oximeter import (
    CONTINUOUS,
    DOUBTS,
    INDEX,
    MEASUREMENT,
    NO_VALUE,
    SENSOR,
    SPOT,
    GattOximeter,
)
from tests.dated import times, undated

REAL_SPOT = bytes.fromhex("17 6100 6000 E107010101 2213 2000 200000")
REAL_CONTINUOUS = bytes.fromhex("0C 6200 4E00 2000 000000")


def heard(*values: bytes, source: str = CONTINUOUS) -> list[Output]:
    driver = GattOximeter()
    return [output for value in values for output in driver.on_bytes(value, 0, source)]


def numerics(said: list[Output]) -> list[Numeric]:
    return [output for output in said if isinstance(output, Numeric)]


def with_status(measurement: int = 0, sensor: int = 0, saturation: str = "6200") -> bytes:
    head = bytes.fromhex(f"0C {saturation} 4E00")
    return head + measurement.to_bytes(2, "little") + sensor.to_bytes(3, "little")


def test_real_continuous_value() -> None:
    assert heard(REAL_CONTINUOUS) == [
        Status("measurement-ongoing", Phase.ON),
        Numeric("spo2", 98, "%"),
        Numeric("spo2.pr", 78, "/min"),
    ]


def test_real_spot_check_whose_clock_is_not_set() -> None:
    assert heard(REAL_SPOT, source=SPOT) == [
        Status("no-device-time", Phase.ON, "2017-01-01T01:34:19"),
        Status("measurement-ongoing", Phase.ON),
        Status("low-perfusion", Phase.ON),
        Numeric("spo2", 97, "%", Why.LOW_SIGNAL),
        Numeric("spo2.pr", 96, "/min", Why.LOW_SIGNAL),
    ]


def test_spot_check_with_a_clock_and_an_index() -> None:
    said = heard(bytes.fromhex("09 6100 6000 EA070C1F173B3B 32E1"), source=SPOT)
    assert times(said) == [DeviceTime("2026-12-31T23:59:59")]
    assert undated(said)[:-1] == [
        Numeric("spo2", 97, "%"),
        Numeric("spo2.pr", 96, "/min"),
        Numeric(INDEX, Decimal("3.06"), "%"),
    ]


def test_spot_check_without_a_time() -> None:
    driver = GattOximeter()
    said = list(driver.on_bytes(bytes.fromhex("0061006000"), 0, SPOT))
    assert said[0] == Status("no-device-time", Phase.ON)
    said = list(driver.on_bytes(bytes.fromhex("0161006000EA070101000000"), 1, SPOT))
    assert said[0] == Status("no-device-time", Phase.OFF)
    assert times(said) == [DeviceTime("2026-01-01T00:00:00")]


@pytest.mark.parametrize("bit", MEASUREMENT)
def test_every_measurement_status_bit(bit: int) -> None:
    name = MEASUREMENT[bit]
    said = heard(with_status(measurement=1 << bit))
    assert said[0] == Status(name, Phase.ON)
    expected = Numeric("spo2", 98, "%", DOUBTS.get(name))
    assert said[1] == (Numeric("spo2", None, "%", NO_VALUE[name]) if name in NO_VALUE else expected)


@pytest.mark.parametrize("bit", SENSOR)
def test_every_sensor_status_bit(bit: int) -> None:
    name = SENSOR[bit]
    said = heard(with_status(sensor=1 << bit))
    assert said[0] == Status(name, Phase.ON)
    why = NO_VALUE.get(name) or DOUBTS[name]
    assert numerics(said) == [
        Numeric("spo2", None if name in NO_VALUE else 98, "%", why),
        Numeric("spo2.pr", None if name in NO_VALUE else 78, "/min", why),
    ]


def test_reserved_bits_are_left_out() -> None:
    assert heard(with_status(measurement=0x001F, sensor=0xFF0000)) == heard(with_status())


@pytest.mark.parametrize(
    ("saturation", "expected"),
    [
        ("FF07", Numeric("spo2", None, "%", Why.UNAVAILABLE)),
        ("0008", Numeric("spo2", None, "%", Why.UNAVAILABLE)),
        ("0108", Numeric("spo2", None, "%", Why.INVALID)),
        ("FE07", Numeric("spo2", None, "%", Why.OVER)),
        ("0208", Numeric("spo2", None, "%", Why.UNDER)),
        ("7F00", Numeric("spo2", None, "%", Why.INVALID)),
        ("6500", Numeric("spo2", None, "%", Why.INVALID)),
        ("6400", Numeric("spo2", 100, "%")),
        ("D9F3", Numeric("spo2", Decimal("98.5"), "%")),
        ("FF0F", Numeric("spo2", None, "%", Why.INVALID)),
        ("0000", Numeric("spo2", 0, "%", Why.QUESTIONABLE)),
    ],
)
def test_special_and_edge_values(saturation: str, expected: Numeric) -> None:
    assert numerics(heard(with_status(saturation=saturation)))[0] == expected


def test_a_status_that_is_gone_is_cleared() -> None:
    said = heard(with_status(sensor=0x20), bytes.fromhex("0062004E00"))
    assert Status("low-perfusion", Phase.OFF) in said
    assert numerics(said)[-2:] == [Numeric("spo2", 98, "%"), Numeric("spo2.pr", 78, "/min")]


@pytest.mark.parametrize("value", [b"", REAL_CONTINUOUS[:-1], REAL_CONTINUOUS + b"\0", b"\x0c"])
def test_another_length_is_refused(value: bytes) -> None:
    driver = GattOximeter()
    assert list(driver.on_bytes(value, 0, CONTINUOUS)) == []
    assert driver.counts.reasons == {"length": 1}
    assert driver.counts.skipped == len(value)


def test_another_characteristic_says_nothing() -> None:
    driver = GattOximeter()
    assert list(driver.on_bytes(REAL_CONTINUOUS, 0, "00002a1c-0000-1000-8000-00805f9b34fb")) == []
    assert driver.counts.reasons == {"other characteristic": 1}


def test_asks_for_what_is_stored_and_sends_nothing_else() -> None:
    assert list(GattOximeter().on_open(0)) == [
        Subscribe(CONTINUOUS),
        Subscribe(SPOT),
        Subscribe(RACP),
        Send(b"\x01\x01", RACP),
        *Companions("").asked(),
    ]
    assert GattOximeter.info.sends == {b"\x01\x01"}
    assert not GattOximeter.info.masked


def test_a_refusal_is_a_status() -> None:
    assert heard(bytes.fromhex("06000101"), bytes.fromhex("06000106"), source=RACP) == []
    assert heard(bytes.fromhex("06000102"), source=RACP) == [
        Status("stored-records-refused", Phase.ON, "op code not supported")
    ]


def test_a_spot_check_that_comes_again_from_storage_is_the_same() -> None:
    values = "62004E00EA070B16071F00"
    driver = GattOximeter()
    mark = heard(bytes.fromhex("01" + values), source=SPOT)[-1]
    assert isinstance(mark, Reached)
    driver.reached = mark.mark
    list(driver.on_open(0))
    assert list(driver.on_bytes(bytes.fromhex("03" + values + "0002"), 0, SPOT)) == []


def test_a_spot_check_by_a_clock_that_is_not_set_is_not_remembered() -> None:
    value = "62004E00EA070B16071F00"
    assert isinstance(heard(bytes.fromhex("01" + value), source=SPOT)[-1], Reached)
    assert not [one for one in heard(bytes.fromhex("11" + value), source=SPOT) if isinstance(one, Reached)]


@pytest.mark.parametrize("noise", [bytes(2000), bytes(range(256)) * 8, b"\xff" * 2000, b"\x0c\0" * 1000])
def test_other_streams_are_no_oximeter(noise: bytes) -> None:
    assert heard(noise, source="") == []


def test_a_recording_says_the_same_as_the_values() -> None:
    values = (REAL_CONTINUOUS, with_status(sensor=0x800), REAL_CONTINUOUS)
    assert heard(b"".join(values), source="") == heard(*values)
    assert heard(REAL_CONTINUOUS[:6] + REAL_CONTINUOUS, source="") == heard(REAL_CONTINUOUS)
