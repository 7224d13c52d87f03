"""gatt_thermometer against what a real thermometer showed, the value of Nordic's BLE library (BSD-3), and all types."""

from decimal import Decimal

import pytest

from drivers.bluetooth.companions import Companions
from drivers.contract import DeviceTime, Numeric, Output, Phase, Reached, Status, Subscribe, Why
from drivers.devices.gatt_thermometer import INTERMEDIATE, RESULT, SITES, STILL_MEASURING, GattThermometer
from tests.dated import times, undated

SHOWN = {
    "06680100FFE207030A15340002": "36.0",
    "066A0100FFE207030A14140002": "36.2",
    "06700100FFE207030A141B0002": "36.8",
    "065A0100FFE207030A141F0002": "34.6",
}
NORDIC = bytes.fromhex("06B00E00FEDC070C050B321B04")


def heard(*values: bytes, source: str = RESULT) -> list[Output]:
    driver = GattThermometer()
    return [
        output for value in values for output in driver.on_bytes(value, 0, source) if not isinstance(output, Reached)
    ]


@pytest.mark.parametrize("value", SHOWN)
def test_real_results(value: str) -> None:
    said = heard(bytes.fromhex(value))
    assert undated(said) == [Numeric("temp.body", Decimal(SHOWN[value]), "Cel")]
    [time] = times(said)
    assert time is not None
    assert time.iso.startswith("2018-03-10T2")


def test_nordic_value_keeps_its_digits() -> None:
    said = heard(NORDIC)
    assert said == [Numeric("mdc:188432", Decimal("37.60"), "Cel", taken=DeviceTime("2012-12-05T11:50:27"))]
    assert str(said[0].value if isinstance(said[0], Numeric) else "") == "37.60"


@pytest.mark.parametrize("value", [NORDIC[:-1], NORDIC + b"\0", b"\x06", b""])
def test_another_length_is_refused(value: bytes) -> None:
    driver = GattThermometer()
    assert list(driver.on_bytes(value, 0, RESULT)) == []
    assert driver.counts.reasons == {"length": 1}


@pytest.mark.parametrize("site", SITES)
def test_every_type(site: int) -> None:
    said = heard(bytes.fromhex("04700100FF") + bytes((site,)))
    assert said == [Status("no-device-time", Phase.ON), Numeric(SITES[site], Decimal("36.8"), "Cel")]


@pytest.mark.parametrize("site", [0, 10, 255])
def test_a_type_that_no_document_names(site: int) -> None:
    said = heard(bytes.fromhex("04700100FF") + bytes((site,)), bytes.fromhex("00700100FF"))
    assert said[1:] == [
        Status("temperature-type", Phase.ON, str(site)),
        Numeric("temp.unspecified", Decimal("36.8"), "Cel"),
        Status("temperature-type", Phase.OFF),
        Numeric("temp.unspecified", Decimal("36.8"), "Cel"),
    ]


def test_an_intermediate_temperature_is_no_result() -> None:
    said = heard(bytes.fromhex("05DA0300FF06"), source=INTERMEDIATE)
    assert said == [Numeric(STILL_MEASURING, Decimal("98.6"), "[degF]")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("00FFFF7F00", Numeric("temp.unspecified", None, "Cel", Why.UNAVAILABLE)),
        ("0000008000", Numeric("temp.unspecified", None, "Cel", Why.UNAVAILABLE)),
        ("00FEFF7F00", Numeric("temp.unspecified", None, "Cel", Why.OVER)),
        ("0002008000", Numeric("temp.unspecified", None, "Cel", Why.UNDER)),
        ("0001008000", Numeric("temp.unspecified", None, "Cel", Why.INVALID)),
        ("0100000000", Numeric("temp.unspecified", None, "[degF]", Why.INVALID)),
        ("0120000000", Numeric("temp.unspecified", 32, "[degF]")),
        ("0000000000", Numeric("temp.unspecified", 0, "Cel")),
        ("0064000000", Numeric("temp.unspecified", 100, "Cel")),
        ("000100007F", Numeric("temp.unspecified", None, "Cel", Why.INVALID)),
        ("F825000000", Numeric("temp.unspecified", 37, "Cel")),
    ],
)
def test_special_and_edge_values(value: str, expected: Numeric) -> None:
    assert heard(bytes.fromhex(value))[-1] == expected


@pytest.mark.parametrize("noise", [bytes(2000), bytes(range(256)) * 8, b"\xff" * 2000, b"\x06\0" * 1000])
def test_other_streams_are_no_thermometer(noise: bytes) -> None:
    assert heard(noise, source="") == []


def test_a_recording_says_the_same_as_the_values() -> None:
    values = [bytes.fromhex(value) for value in SHOWN]
    assert heard(b"".join(values), source="") == heard(*values)
    assert heard(NORDIC[:7] + NORDIC, source="") == heard(NORDIC)


def test_subscribes_and_sends_nothing() -> None:
    assert list(GattThermometer().on_open(0)) == [
        Subscribe(RESULT),
        Subscribe(INTERMEDIATE),
        *Companions("").asked(),
    ]
    assert not GattThermometer.info.sends
