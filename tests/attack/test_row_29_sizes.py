"""Row 29: what somebody learns who sees topics, sizes and times alone. Measured here, and no more is claimed.

Envelopes are not padded. A second without a device's reading, one with a continuous reading and one with a spot check
are told apart by their lengths; the value is not: a bundle of 97 % and one of 40 % may differ by a byte of CBOR (24 and
256 are its steps), not by more. Who a patient is, is in no length: a name adds its own letters to one bundle, once.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from wire.bundle import pack_vital
from wire.envelope import HEADER_BYTES, TAG_BYTES
from wire.records import AlarmAt, NumericAt, Record

PADDED_BYTES = 256


def sealed_bytes(*records: Record) -> int:
    return HEADER_BYTES + TAG_BYTES + len(pack_vital(records))


def oximeter(saturation: int | None, rate: int | None) -> list[Record]:
    return [NumericAt(1_000_000, 1, saturation, ""), NumericAt(1_000_000, 2, rate, "")]


def cuff(systolic: int, diastolic: int, mean: int) -> list[Record]:
    return [NumericAt(1_000_000, at, value, "") for at, value in enumerate((systolic, diastolic, mean), 3)]


@pytest.mark.parametrize("values", [(97, 72), (40, 30), (100, 180), (88, 255)])
def test_a_value_shows_at_most_a_byte_or_two(values: tuple[int, int]) -> None:
    assert abs(sealed_bytes(*oximeter(*values)) - sealed_bytes(*oximeter(97, 72))) <= 2


def test_a_spot_check_shows_in_the_length_and_that_is_said() -> None:
    """Should this fail one day because bundles are padded: well done; then docs/attacks.md must say so."""
    quiet = sealed_bytes(*oximeter(97, 72))
    measured = sealed_bytes(*oximeter(97, 72), *cuff(121, 80, 93))
    assert measured - quiet >= 15
    assert measured < PADDED_BYTES, "one class of 256 bytes would hide it"


def test_an_alarm_shows_in_the_length_too() -> None:
    alarm = AlarmAt(1_000_000, 1, "spo2-low", "SpO2 LOW", "high", "on", "spo2")
    assert sealed_bytes(*oximeter(85, 72), alarm) - sealed_bytes(*oximeter(85, 72)) >= 30


def test_a_reading_s_digits_show_and_no_more() -> None:
    sizes = {sealed_bytes(NumericAt(1_000_000, 1, Decimal(text), "")) for text in ("36.6", "38.9", "41.0", "35.1")}
    assert max(sizes) - min(sizes) <= 1
