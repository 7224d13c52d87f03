"""gatt_blood_pressure against real values, the worked values of Nordic's BLE library (BSD-3), and every status bit."""

from decimal import Decimal

import pytest

from drivers.bluetooth.companions import Companions
from drivers.contract import DeviceTime, Numeric, Output, Phase, Reached, Status, Subscribe, Why
from drivers.devices.gatt_blood_pressure import CUFF, CUFF_CHANNEL, RESULT, GattBloodPressure
from tests.dated import times, undated

REAL = bytes.fromhex("DEF6F416F3FF07E4070114082B00B2F2018000")
REAL_OTHER_LAYOUT = bytes((254, 32, 39, 0, 117, 0, 85, 0, 95, 0, 228, 7, 9, 24, 16, 9, 58, 105, 0, 1))
NORDIC_FULL = bytes.fromhex("1E8A00580078000000041114293B3C00012700")


def heard(*values: bytes, source: str = RESULT) -> list[Output]:
    driver = GattBloodPressure()
    return [
        output for value in values for output in driver.on_bytes(value, 0, source) if not isinstance(output, Reached)
    ]


def numerics(said: list[Output]) -> list[Numeric]:
    return [output for output in said if isinstance(output, Numeric)]


def test_real_monitor() -> None:
    said = heard(REAL)
    assert times(said) == [DeviceTime("2020-01-20T08:43:00")]
    assert undated(said) == [
        Status("user", Phase.ON, "1"),
        Numeric("nibp.sys", Decimal("127.0"), "mm[Hg]"),
        Numeric("nibp.dia", Decimal("79.0"), "mm[Hg]"),
        Numeric("nibp.map", None, "mm[Hg]", Why.UNAVAILABLE),
        Numeric("nibp.pr", Decimal("69.0"), "/min"),
    ]


def test_a_layout_of_its_own_is_refused() -> None:
    driver = GattBloodPressure()
    assert list(driver.on_bytes(REAL_OTHER_LAYOUT, 0, RESULT)) == []
    assert driver.counts.reasons == {"length": 1}
    assert heard(REAL_OTHER_LAYOUT, source="") == []


def test_nordic_least_value() -> None:
    said = heard(bytes.fromhex("00BDF00B009FF0"))
    assert said == [
        Status("no-device-time", Phase.ON),
        Numeric("nibp.sys", Decimal("18.9"), "mm[Hg]"),
        Numeric("nibp.dia", 11, "mm[Hg]"),
        Numeric("nibp.map", Decimal("15.9"), "mm[Hg]"),
    ]


def test_nordic_cuff_pressure() -> None:
    full = heard(bytes.fromhex("1E04000000000000000411 14293B3C00012700"), source=CUFF)
    assert numerics(full) == [
        Numeric(CUFF_CHANNEL, 4, "mm[Hg]"),
        Numeric("nibp.pr", 60, "/min", Why.QUESTIONABLE),
    ]
    assert Status("body-movement", Phase.ON) in full
    assert numerics(heard(bytes.fromhex("156FF0000000003C001200"), source=CUFF)) == [
        Numeric(CUFF_CHANNEL, Decimal("11.1"), "kPa"),
        Numeric("nibp.pr", 60, "/min", Why.UNDER),
    ]
    assert numerics(heard(bytes.fromhex("00D7F0FF07FF07"), source=CUFF)) == [
        Numeric(CUFF_CHANNEL, Decimal("21.5"), "mm[Hg]")
    ]


@pytest.mark.parametrize("value", ["010203040506", "03020304050607", "", "1E"])
def test_nordic_values_of_another_length(value: str) -> None:
    for source in (RESULT, CUFF):
        assert heard(bytes.fromhex(value), source=source) == []


@pytest.mark.parametrize(
    ("bits", "state", "doubt", "rate_doubt"),
    [
        (0x01, Status("body-movement", Phase.ON), Why.QUESTIONABLE, Why.QUESTIONABLE),
        (0x02, Status("cuff-too-loose", Phase.ON), Why.QUESTIONABLE, Why.QUESTIONABLE),
        (0x04, Status("irregular-pulse", Phase.ON), None, None),
        (0x08, Status("pulse-rate-range", Phase.ON, "exceeds upper limit"), None, Why.OVER),
        (0x10, Status("pulse-rate-range", Phase.ON, "below lower limit"), None, Why.UNDER),
        (0x18, Status("pulse-rate-range", Phase.ON, "reserved"), None, Why.QUESTIONABLE),
        (0x20, Status("improper-measurement-position", Phase.ON), Why.QUESTIONABLE, Why.QUESTIONABLE),
    ],
)
def test_every_status_bit(bits: int, state: Status, doubt: Why | None, rate_doubt: Why | None) -> None:
    said = heard(bytes.fromhex("14780050005D004800") + bits.to_bytes(2, "little"))
    assert said[1] == state
    assert [numeric.why for numeric in numerics(said)] == [doubt, doubt, doubt, rate_doubt]
    assert numerics(said)[0].value == 120


def test_reserved_status_bits_are_left_out() -> None:
    assert heard(bytes.fromhex("14780050005D004800C0FF")) == heard(bytes.fromhex("14780050005D0048000000"))


def test_an_intermediate_value_without_status_leaves_the_states() -> None:
    driver = GattBloodPressure()
    list(driver.on_bytes(NORDIC_FULL, 0, RESULT))
    said = list(driver.on_bytes(bytes.fromhex("00D7F0FF07FF07"), 1, CUFF))
    assert said == [Numeric(CUFF_CHANNEL, Decimal("21.5"), "mm[Hg]")]


@pytest.mark.parametrize(
    ("flags", "systolic", "expected"),
    [
        ("00", "2C01", Numeric("nibp.sys", 300, "mm[Hg]")),
        ("00", "2D01", Numeric("nibp.sys", None, "mm[Hg]", Why.INVALID)),
        ("00", "2720", Numeric("nibp.sys", None, "mm[Hg]", Why.INVALID)),
        ("00", "0000", Numeric("nibp.sys", None, "mm[Hg]", Why.INVALID)),
        ("00", "FE07", Numeric("nibp.sys", None, "mm[Hg]", Why.OVER)),
        ("00", "0208", Numeric("nibp.sys", None, "mm[Hg]", Why.UNDER)),
        ("01", "2800", Numeric("nibp.sys", 40, "kPa")),
        ("01", "7800", Numeric("nibp.sys", None, "kPa", Why.INVALID)),
    ],
)
def test_edge_values(flags: str, systolic: str, expected: Numeric) -> None:
    assert numerics(heard(bytes.fromhex(f"{flags}{systolic}0B000C00")))[0] == expected


@pytest.mark.parametrize("noise", [bytes(2000), bytes(range(256)) * 8, b"\xff" * 2000, b"\x1e\0" * 1000])
def test_other_streams_are_no_blood_pressure(noise: bytes) -> None:
    assert heard(noise, source="") == []


def test_a_recording_says_the_same_as_the_values() -> None:
    values = (REAL, NORDIC_FULL, REAL)
    assert heard(b"".join(values), source="") == heard(*values)
    assert heard(NORDIC_FULL[:9] + REAL, source="") == heard(REAL)


def test_subscribes_and_sends_nothing() -> None:
    assert list(GattBloodPressure().on_open(0)) == [
        Subscribe(RESULT),
        Subscribe(CUFF),
        *Companions("").asked(),
    ]
    assert not GattBloodPressure.info.sends
