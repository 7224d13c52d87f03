"""drivers.bluetooth.numbers against the worked values of IEEE 11073-20601 and of Nordic's BLE library (BSD-3)."""

from decimal import Decimal

import pytest

from drivers.bluetooth.numbers import Value, float32, is_stamp, moment, sfloat, written
from drivers.contract import Why


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("8A00", 138),
        ("BDF0", Decimal("18.9")),
        ("6FF0", Decimal("11.1")),
        ("F6F4", Decimal("127.0")),
        ("7200", 114),
        ("0110", 10),
        ("2027", 182400),
        ("0170", 10_000_000),
        ("0180", Decimal("1E-8")),
        ("FFFF", Decimal("-0.1")),
        ("FD07", 2045),
        ("0308", -2045),
        ("FF07", Why.UNAVAILABLE),
        ("0008", Why.UNAVAILABLE),
        ("FE07", Why.OVER),
        ("0208", Why.UNDER),
        ("0108", Why.INVALID),
        ("FFF7", Decimal("204.7")),
    ],
)
def test_sfloat(raw: str, value: Value) -> None:
    assert sfloat(bytes.fromhex(raw)) == value
    assert str(sfloat(bytes.fromhex(raw))) == str(value)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("B00E00FE", Decimal("37.60")),
        ("680100FF", Decimal("36.0")),
        ("24000000", 36),
        ("FFFFFFFF", Decimal("-0.1")),
        ("0100007F", Decimal("1E+127")),
        ("FFFF7F00", Why.UNAVAILABLE),
        ("00008000", Why.UNAVAILABLE),
        ("FEFF7F00", Why.OVER),
        ("02008000", Why.UNDER),
        ("01008000", Why.INVALID),
    ],
)
def test_float32(raw: str, value: Value) -> None:
    assert float32(bytes.fromhex(raw)) == value
    assert str(float32(bytes.fromhex(raw))) == str(value)


@pytest.mark.parametrize(
    ("raw", "iso", "possible"),
    [
        ("DC070C050B321B", "2012-12-05T11:50:27", True),
        ("EA07021D000000", "", True),  # 2026 has no 29 February
        ("000004111429 3B", "", True),
        ("EA070000000000", "", True),
        ("EA070D01000000", "", False),
        ("EA070101183B3B", "", False),
        ("EA070101173C00", "", False),
        ("FFFFFFFFFFFFFF", "", False),
    ],
)
def test_date_time(raw: str, iso: str, possible: bool) -> None:
    assert moment(bytes.fromhex(raw)) == iso
    assert is_stamp(bytes.fromhex(raw)) == possible


def test_a_date_time_in_its_own_words() -> None:
    assert written(bytes.fromhex("00000411 14293B")) == "0000-04-17T20:41:59"
