"""Reading the fields of an APDU (MDER: big endian; a list is count, length, items). MalformedError where they lie."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from drivers.contract import Why
from drivers.moments import existing

SPECIAL_12 = {
    0x7FF: Why.UNAVAILABLE,  # NaN
    0x800: Why.UNAVAILABLE,  # not at this resolution
    0x801: Why.UNAVAILABLE,  # reserved
    0x7FE: Why.OVER,  # +infinity
    0x802: Why.UNDER,  # -infinity
}
SPECIAL_24 = {
    0x7FFFFF: Why.UNAVAILABLE,
    0x800000: Why.UNAVAILABLE,
    0x800001: Why.UNAVAILABLE,
    0x7FFFFE: Why.OVER,
    0x800002: Why.UNDER,
}
T = TypeVar("T")


class MalformedError(ValueError):
    """A length or a count does not fit what stands there."""


class Fields:
    """A place in bytes that moves as fields are read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def take(self, size: int) -> bytes:
        if self._at + size > len(self._data):
            raise MalformedError("short")
        self._at += size
        return self._data[self._at - size : self._at]

    def octets(self) -> bytes:
        """A length and so many bytes."""
        return self.take(self.u16())

    def items(self, read: Callable[[Fields], T]) -> tuple[T, ...]:
        """A list: its items fill its length exactly."""
        count = self.u16()
        inner = Fields(self.octets())
        found = tuple(read(inner) for _ in range(count))
        inner.end()
        return found

    def end(self) -> None:
        if self._at != len(self._data):
            raise MalformedError("longer than its contents")


def attribute(fields: Fields) -> tuple[int, bytes]:
    return fields.u16(), fields.octets()


def sfloat(word: int) -> Decimal | Why:
    """SFLOAT-Type: signed exponent of ten (4 bits), signed mantissa (12). F3CF = 975E-1 = 97.5."""
    return _number(word >> 12, 4, word & 0xFFF, 12, SPECIAL_12)


def float32(word: int) -> Decimal | Why:
    """FLOAT-Type: signed exponent of ten (8 bits), signed mantissa (24). FF00031C = 796E-1 = 79.6."""
    return _number(word >> 24, 8, word & 0xFFFFFF, 24, SPECIAL_24)


def _number(exponent: int, wide: int, mantissa: int, bits: int, special: dict[int, Why]) -> Decimal | Why:
    if mantissa in special:
        return special[mantissa]
    exponent -= (exponent >> (wide - 1)) << wide
    mantissa -= (mantissa >> (bits - 1)) << bits
    if exponent < 0:
        return Decimal(mantissa).scaleb(exponent)
    return Decimal(mantissa * 10**exponent)


def moment(data: bytes) -> str:
    """AbsoluteTime (century, year, month, day, hour, minute, second, 1/100, BCD) as ISO text; "" where it is none."""
    digits = data.hex()
    if len(digits) != 16 or not digits.isdecimal():
        return ""
    return existing(f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}T{digits[8:10]}:{digits[10:12]}:{digits[12:14]}")


def text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("latin-1").strip()
