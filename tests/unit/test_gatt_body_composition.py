"""gatt_body_composition against what real scales showed, and every field."""

from decimal import Decimal

import pytest

from drivers.bluetooth.companions import Companions
from drivers.contract import DeviceTime, Numeric, Output, Phase, Reached, Status, Subscribe, Why
from drivers.devices.gatt_body_composition import FIELDS, MEASUREMENT, GattBodyComposition
from tests.dated import times, undated

BF720 = bytes.fromhex("9803C200DF1A9701CC2FCA21A811")
BF788_EMPTY = bytes.fromhex("9803000096230000000000000000")


def heard(*values: bytes, source: str = MEASUREMENT) -> list[Output]:
    driver = GattBodyComposition()
    return [
        output for value in values for output in driver.on_bytes(value, 0, source) if not isinstance(output, Reached)
    ]


def numerics(said: list[Output]) -> list[Numeric]:
    return [output for output in said if isinstance(output, Numeric)]


def test_real_bf720() -> None:
    said = {numeric.channel.rpartition(":")[2]: (numeric.value, numeric.unit) for numeric in numerics(heard(BF720))}
    assert said == {
        "body.fat": (Decimal("19.4"), "%"),
        "basal_metabolism": (6879, "kJ"),
        "muscle": (Decimal("40.7"), "%"),
        "soft_lean_mass": (Decimal("61.18"), "kg"),
        "body_water_mass": (Decimal("43.25"), "kg"),
        "impedance": (Decimal("452.0"), "Ohm"),
    }


def test_zero_of_a_body_is_no_value() -> None:
    said = numerics(heard(BF788_EMPTY))
    assert [numeric.value for numeric in said] == [None, 9110, None, None, None, None]
    assert {numeric.why for numeric in said if numeric.value is None} == {Why.UNAVAILABLE}


@pytest.mark.parametrize("flag", [flag for flag in FIELDS if flag])
@pytest.mark.parametrize("pounds", [0, 1])
def test_every_field_alone(flag: int, pounds: int) -> None:
    value = (flag | pounds).to_bytes(2, "little") + b"\xc2\x00" + b"\x90\x01"
    fat, other = numerics(heard(value))
    assert fat == Numeric("body.fat", Decimal("19.4"), "%")
    channel, steps = FIELDS[flag]
    step, unit = steps[bool(pounds)] if isinstance(steps, dict) else steps
    assert other == Numeric(channel, 400 * step, unit)


def test_units() -> None:
    said = numerics(heard(bytes.fromhex("210C C200 1027 1027 B102")))
    assert [(numeric.value, numeric.unit) for numeric in said[1:]] == [
        (Decimal("100.00"), "[lb_av]"),
        (Decimal("100.00"), "[lb_av]"),
        (Decimal("68.9"), "[in_i]"),
    ]


def test_no_success_has_a_time_and_a_user_only() -> None:
    said = heard(bytes.fromhex("1604 FFFF EA07070E172A20 FF 9701 1027"))
    assert times(said) == [DeviceTime("2026-07-14T23:42:32")]
    assert undated(said) == [
        Status("user", Phase.ON, "unknown user"),
        Status("measurement-unsuccessful", Phase.ON),
        Numeric("body.fat", None, "%", Why.INVALID),
    ]


def test_two_packets() -> None:
    said = heard(bytes.fromhex("0810C200DF1A"), bytes.fromhex("0004C2001027"))
    assert [output for output in said if isinstance(output, Status)] == [
        Status("no-device-time", Phase.ON),
        Status("multiple-packets", Phase.ON),
        Status("multiple-packets", Phase.OFF),
    ]


def test_a_share_above_the_whole_is_none() -> None:
    said = numerics(heard(bytes.fromhex("1000E903E803")))
    assert said == [
        Numeric("body.fat", None, "%", Why.INVALID),
        Numeric("gatt_body_composition:muscle", Decimal("100.0"), "%"),
    ]


@pytest.mark.parametrize("value", [b"", b"\x98", BF720[:-1], BF720 + b"\0"])
def test_another_length_is_refused(value: bytes) -> None:
    driver = GattBodyComposition()
    assert list(driver.on_bytes(value, 0, MEASUREMENT)) == []
    assert driver.counts.reasons == {"length": 1}


@pytest.mark.parametrize("noise", [bytes(2000), b"\xff" * 2000, b"\x98\x03" * 1000])
def test_other_streams_are_no_scale(noise: bytes) -> None:
    assert heard(noise, source="") == []


def test_a_recording_says_the_same_as_the_values() -> None:
    assert heard(BF720 * 3, source="") == heard(BF720, BF720, BF720)


def test_subscribes_and_sends_nothing() -> None:
    assert list(GattBodyComposition().on_open(0)) == [
        Subscribe(MEASUREMENT),
        *Companions("").asked(),
    ]
    assert not GattBodyComposition.info.sends
