"""gatt_heart_rate against real values and the worked values of Nordic's BLE library (BSD-3)."""

from decimal import Decimal

import pytest

from drivers.bluetooth.companions import Companions
from drivers.contract import Numeric, Output, Phase, Status, Subscribe, Why
from drivers.devices.gatt_heart_rate import INTERVAL, MEASUREMENT, RATE, SPENT, GattHeartRate

REAL = tuple(map(bytes.fromhex, ("16770402", "1678FF01FF010C01", "167708020802")))


def heard(*values: bytes, source: str = MEASUREMENT) -> list[Output]:
    driver = GattHeartRate()
    return [output for value in values for output in driver.on_bytes(value, 0, source)]


def of(said: list[Output], channel: str) -> list[object]:
    return [output.value for output in said if isinstance(output, Numeric) and output.channel == channel]


def test_real_sensor() -> None:
    said = heard(*REAL)
    assert of(said, RATE) == [119, 120, 119]
    assert of(said, INTERVAL) == [Decimal(ticks) / 1024 for ticks in (516, 511, 511, 268, 520, 520)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0055", [Numeric(RATE, 85, "/min")]),
        ("04FF", [Status("no-contact", Phase.ON), Numeric(RATE, None, "/min", Why.SENSOR_OFF)]),
        (
            "1E5532002100",
            [
                Numeric(RATE, 85, "/min"),
                Numeric(SPENT, 50, "kJ"),
                Numeric(INTERVAL, Decimal("0.0322265625"), "s"),
            ],
        ),
        (
            "1F010132010100 0201FFFF",
            [
                Numeric(RATE, 257, "/min"),
                Numeric(SPENT, 306, "kJ"),
                Numeric(INTERVAL, Decimal("0.0009765625"), "s"),
                Numeric(INTERVAL, Decimal("0.251953125"), "s"),
                Numeric(INTERVAL, Decimal("63.9990234375"), "s"),
            ],
        ),
    ],
)
def test_nordic_values(value: str, expected: list[Output]) -> None:
    assert heard(bytes.fromhex(value)) == expected


@pytest.mark.parametrize("value", ["170101", "", "00", "005500", "0155", "0855", "105501", "1055", "103EB103DE"])
def test_another_length_is_refused(value: str) -> None:
    driver = GattHeartRate()
    assert list(driver.on_bytes(bytes.fromhex(value), 0, MEASUREMENT)) == []
    assert driver.counts.reasons == {"length": 1}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0600", Numeric(RATE, 0, "/min", Why.QUESTIONABLE)),
        ("0200", Numeric(RATE, 0, "/min", Why.QUESTIONABLE)),
        ("0048", Numeric(RATE, 72, "/min")),
        ("0290", Numeric(RATE, 144, "/min")),
        ("01FFFF", Numeric(RATE, None, "/min", Why.INVALID)),
        ("019001", Numeric(RATE, 400, "/min")),
        ("0848FFFF", Numeric(SPENT, 65535, "kJ", Why.OVER)),
        ("08480000", Numeric(SPENT, 0, "kJ")),
        ("10480000", Numeric(INTERVAL, None, "s", Why.INVALID)),
        ("10480004", Numeric(INTERVAL, Decimal(1), "s")),
        ("E048", Numeric(RATE, 72, "/min")),
    ],
)
def test_edge_values(value: str, expected: Numeric) -> None:
    assert heard(bytes.fromhex(value))[-1] == expected


def test_without_contact_no_interval_is_told() -> None:
    said = heard(bytes.fromhex("1448FF01"), bytes.fromhex("1448FF01"), bytes.fromhex("1648FF01"))
    assert [output for output in said if isinstance(output, Status)] == [
        Status("no-contact", Phase.ON),
        Status("no-contact", Phase.OFF),
    ]
    assert of(said, INTERVAL) == [Decimal(511) / 1024]


def test_a_recording_is_told_one_value_later() -> None:
    assert heard(b"".join(REAL), source="") == heard(*REAL[:2])
    wide = (bytes.fromhex("1948003200"), bytes.fromhex("1949003200 0004 0104"), bytes.fromhex("094A003300"))
    assert heard(wide[1] * 3, source="") == heard(wide[1], wide[1])
    assert heard(wide[2] * 3, source="") == heard(wide[2], wide[2])


@pytest.mark.parametrize("noise", [bytes(2000), b"\xff" * 2000, b"\x16\0" * 1000, b"\x10\x02" * 1000])
def test_other_streams_are_no_heart(noise: bytes) -> None:
    assert heard(noise, source="") == []


def test_subscribes_and_sends_nothing() -> None:
    assert list(GattHeartRate().on_open(0)) == [Subscribe(MEASUREMENT), *Companions("").asked()]
    assert not GattHeartRate.info.sends
