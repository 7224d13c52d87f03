"""gatt_weight against what real scales showed."""

from decimal import Decimal

import pytest

from drivers.bluetooth.companions import Companions
from drivers.contract import DeviceTime, Numeric, Output, Phase, Reached, Status, Subscribe, Why
from drivers.devices.gatt_weight import WEIGHT, GattWeight
from tests.dated import times, undated

BF600 = bytes.fromhex("0EF22FE507071715211F02D400A406")


def heard(*values: bytes, source: str = WEIGHT) -> list[Output]:
    driver = GattWeight()
    return [
        output for value in values for output in driver.on_bytes(value, 0, source) if not isinstance(output, Reached)
    ]


@pytest.mark.parametrize(
    ("value", "iso", "weight"),
    [
        ("025433EA070816082A24", "2026-08-22T08:42:36", "65.7"),
        ("024033EA070816082B0B", "2026-08-22T08:43:11", "65.6"),
        ("027C33EA070816082B28", "2026-08-22T08:43:40", "65.9"),
    ],
)
def test_real_and_uc352(value: str, iso: str, weight: str) -> None:
    assert heard(bytes.fromhex(value)) == [Numeric("body.weight", Decimal(weight), "kg", taken=DeviceTime(iso))]


def test_real_beurer_bf600() -> None:
    assert times(heard(BF600)) == [DeviceTime("2021-07-23T21:33:31")]
    assert undated(heard(BF600)) == [
        Status("user", Phase.ON, "2"),
        Numeric("body.weight", Decimal("61.370"), "kg"),
        Numeric("body.bmi", Decimal("21.2"), "kg/m2"),
        Numeric("body.height", Decimal("1.700"), "m"),
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0010 27", Numeric("body.weight", Decimal("50.000"), "kg")),
        ("0110 27", Numeric("body.weight", Decimal("100.00"), "[lb_av]")),
        ("000000", Numeric("body.weight", Decimal("0.000"), "kg")),
        ("00FFFF", Numeric("body.weight", None, "kg", Why.INVALID)),
        ("01FFFF", Numeric("body.weight", None, "[lb_av]", Why.INVALID)),
        ("00FEFF", Numeric("body.weight", Decimal("327.670"), "kg")),
        ("09FFFFF500B102", Numeric("body.weight", None, "[lb_av]", Why.INVALID)),
        ("091027F500B102", Numeric("body.height", Decimal("68.9"), "[in_i]")),
        ("0810270000A406", Numeric("body.height", Decimal("1.700"), "m")),
        ("081027F5000000", Numeric("body.height", None, "m", Why.UNAVAILABLE)),
        ("F01027", Numeric("body.weight", Decimal("50.000"), "kg")),
    ],
)
def test_units_and_edge_values(value: str, expected: Numeric) -> None:
    assert heard(bytes.fromhex(value))[-1] == expected


def test_no_time_no_user_no_success() -> None:
    said = heard(bytes.fromhex("06FFFF000000000A0B0CFF"), BF600)
    assert said[:4] == [
        Status("no-device-time", Phase.ON, "0000-00-00T10:11:12"),
        Status("user", Phase.ON, "unknown user"),
        Status("measurement-unsuccessful", Phase.ON),
        Numeric("body.weight", None, "kg", Why.INVALID),
    ]
    assert [o for o in said[4:] if isinstance(o, Status)] == [
        Status("no-device-time", Phase.OFF),
        Status("user", Phase.ON, "2"),
        Status("measurement-unsuccessful", Phase.OFF),
    ]


@pytest.mark.parametrize("value", [b"", b"\0", BF600[:-1], BF600 + b"\0"])
def test_another_length_is_refused(value: bytes) -> None:
    driver = GattWeight()
    assert list(driver.on_bytes(value, 0, WEIGHT)) == []
    assert driver.counts.reasons == {"length": 1}


@pytest.mark.parametrize("noise", [bytes(2000), bytes(range(256)) * 8, b"\xff" * 2000, b"\x02\0" * 1000])
def test_other_streams_are_no_scale(noise: bytes) -> None:
    assert heard(noise, source="") == []


def test_a_recording_says_the_same_as_the_values() -> None:
    assert heard(BF600 * 3, source="") == heard(BF600, BF600, BF600)
    assert heard(BF600[:8] + BF600, source="") == heard(BF600)


def test_subscribes_and_sends_nothing() -> None:
    assert list(GattWeight().on_open(0)) == [Subscribe(WEIGHT), *Companions("").asked()]
    assert not GattWeight.info.sends
