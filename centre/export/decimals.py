"""Ratios as decimals, where they are: a rounded scale is never passed for the true one."""

from __future__ import annotations

from fractions import Fraction

DIGITS_LIMIT_COUNT = 18  # what FHIR and most readers keep


def exact(value: Fraction, limit_chars: int) -> str:
    """The decimal of at most so many characters that is `value`, without an exponent; "" where there is none."""
    text = decimal(value)
    return text if text and len(text) <= limit_chars else ""


def decimal(value: Fraction) -> str:
    """The finite decimal that is `value`; "" where it has no end, or more than 18 digits behind the point."""
    for places in range(DIGITS_LIMIT_COUNT + 1):
        scaled = value * 10**places
        if scaled.denominator == 1:
            digits = f"{abs(scaled.numerator):0{places + 1}d}"
            sign = "-" if value < 0 else ""
            return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"
    return ""
