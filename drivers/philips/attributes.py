"""What attribute values say: numbers, times, texts, numerics. Pure functions of bytes; struct.error where one is short.

FLOAT-Type is a signed exponent of ten in the high byte and a signed 24-bit mantissa: FD007D00 = 32000E-3 = 32.000.
Source: Philips Data Export Interface Programming Guide rev. G.0, "Attribute Data Types and Constants Used".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from drivers.contract import Identity, Numeric, Scale, Why
from drivers.moments import existing
from drivers.philips import codes

TICKS_HERTZ = Fraction(8000)  # RelativeTime counts 1/8 ms
TICKS_WRAP = 1 << 32
SPECIAL = {
    0x7FFFFF: Why.UNAVAILABLE,  # NaN
    0x800000: Why.UNAVAILABLE,  # not at this resolution
    0x800001: Why.UNAVAILABLE,  # reserved
    0x7FFFFE: Why.OVER,  # +infinity
    0x800002: Why.UNDER,  # -infinity
}
SERIAL, SOFTWARE, FIRMWARE = 1, 4, 5  # kinds of production specification
_NUMERIC = struct.Struct(">HHHI")
_RANGE = struct.Struct(">IIHH")


def number(word: int) -> Decimal | Why:
    """A FLOAT-Type with the digits the monitor gave, or why there is none."""
    mantissa = word & 0xFFFFFF
    if mantissa in SPECIAL:
        return SPECIAL[mantissa]
    exponent = (word >> 24) - (256 if word >> 31 else 0)
    return Decimal(mantissa - (1 << 24 if mantissa >> 23 else 0)).scaleb(exponent)


def numeric(data: bytes, *, setting: bool) -> Numeric:
    """One NuObsValue: physio id, state, unit, value. A setting is kept apart from the measurement it is for."""
    physio, state, unit, word = _NUMERIC.unpack_from(data)
    channel = f"{codes.DRIVER_ID}:setting-0x{physio:04X}" if setting else codes.channel_of(physio, "num")
    value, absent = number(word), codes.why_absent(state)
    if absent is None and isinstance(value, Decimal):
        return Numeric(channel, value, codes.unit_of(unit), codes.why_doubted(state))
    return Numeric(channel, None, codes.unit_of(unit), absent or (value if isinstance(value, Why) else None))


def compound(data: bytes, size: int) -> Iterator[bytes]:
    """The items of a list {count, length, items} whose items take `size` bytes."""
    count, _ = struct.unpack_from(">HH", data)
    if 4 + count * size > len(data):
        raise struct.error("a list is shorter than its count")
    return (data[at : at + size] for at in range(4, 4 + count * size, size))


def moment(data: bytes) -> str:
    """AbsoluteTime, 8 BCD bytes, as ISO text; empty where the monitor gives none (all FF) or nonsense."""
    digits = data[:7].hex()
    if len(digits) < 14 or not digits.isdecimal():
        return ""
    return existing(f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}T{digits[8:10]}:{digits[10:12]}:{digits[12:14]}")


def label(data: bytes, at: int) -> tuple[str, int]:
    """A VariableLabel (8-bit text) and where it ends."""
    (length,) = struct.unpack_from(">H", data, at)
    text = data[at + 2 : at + 2 + length]
    return text.decode("latin-1").strip("\0 "), at + 2 + length


def text(data: bytes) -> str:
    """A String: u16 length in bytes and UTF-16, NUL ended. The monitor's private characters stay."""
    (length,) = struct.unpack_from(">H", data)
    return data[2 : 2 + length].decode("utf-16-be", "replace").strip("\0 ")


def identity(attributes: dict[int, bytes]) -> Identity:
    """Who the monitor is, as far as it has said; the serial number comes with its production specification."""
    maker = model = serial = firmware = ""
    if codes.MODEL in attributes:
        maker, at = label(attributes[codes.MODEL], 0)
        model, _ = label(attributes[codes.MODEL], at)
    for kind, value in _production(attributes.get(codes.PRODUCTION, b"\0\0\0\0")):
        if kind == SERIAL:
            serial = value
        elif kind in (SOFTWARE, FIRMWARE):
            firmware = firmware or value
    return Identity(maker, model, serial, firmware)


def _production(data: bytes) -> Iterator[tuple[int, str]]:
    count, _ = struct.unpack_from(">HH", data)
    at = 4
    for _ in range(count):
        kind, _component = struct.unpack_from(">HH", data, at)
        value, at = label(data, at + 4)
        if value:
            yield kind, value


def scale(attributes: dict[int, bytes], rate: Fraction) -> Scale:
    """What an object's samples mean, as far as it has said: without a scale, gain 1 and no unit, so nothing is lost.

    ScaleRangeSpec16 ties two physical values to two counts; NaN there means that the wave has no physical value.
    """
    measured = int.from_bytes(attributes.get(codes.MEASURE_MODE, b""), "big")
    mode = next((name for bit, name in codes.FILTERS if measured & bit), "")
    bits = attributes.get(codes.SAMPLE_SPEC, bytes(4))[3]
    if codes.SCALE_RANGE not in attributes:
        return Scale(rate, "", bits=bits, filter=mode)
    unit = codes.unit_of(int.from_bytes(attributes[codes.UNIT], "big")) if codes.UNIT in attributes else ""
    low, high, low_count, high_count = _RANGE.unpack_from(attributes[codes.SCALE_RANGE])
    bottom, top = number(low), number(high)
    if isinstance(bottom, Why) or isinstance(top, Why) or bottom == top or low_count == high_count:
        return Scale(rate, unit, bits=bits, filter=mode)
    gain = (Fraction(top) - Fraction(bottom)) / (high_count - low_count)
    return Scale(rate, unit, gain, low_count - Fraction(bottom) / gain, bits, mode)
