"""Numbers and moments as the Bluetooth SIG profiles write them: SFLOAT and FLOAT of IEEE 11073-20601, date time 2A08.

SFLOAT 16 bits: exponent of ten 4 | mantissa 12     FLOAT 32 bits: exponent of ten 8 | mantissa 24, all signed
special where the exponent is 0, by mantissa: largest NaN, largest - 1 +INF, smallest NRes (not at this resolution),
smallest + 1 reserved, smallest + 2 -INF
date time: year u16, month, day, hour, minute, second; 0 stands for a year, month or day that is not known
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from drivers.contract import Numeric, Why

Value = int | Decimal | Why

Limit = int | Decimal

TIME_BYTES = 7
WRITTEN_OUT = 7  # the largest exponent of an SFLOAT


def uuid(short: int) -> str:
    """The full identifier of a number the Bluetooth SIG assigned."""
    return f"0000{short:04x}-0000-1000-8000-00805f9b34fb"


def number(field: bytes | bytearray) -> int:
    return int.from_bytes(field, "little")


def sfloat(data: bytes) -> Value:
    """Two bytes. A special value is the reason why there is none."""
    return _number(int.from_bytes(data, "little"), 12, 4)


def float32(data: bytes) -> Value:
    """Four bytes. A special value is the reason why there is none."""
    return _number(int.from_bytes(data, "little"), 24, 8)


def _number(raw: int, mantissa_bits: int, exponent_bits: int) -> Value:
    top = 1 << mantissa_bits - 1
    special = {top - 1: Why.UNAVAILABLE, top - 2: Why.OVER, top: Why.UNAVAILABLE, top + 1: Why.INVALID}
    special[top + 2] = Why.UNDER
    if raw in special:
        return special[raw]
    mantissa = _signed(raw & (1 << mantissa_bits) - 1, mantissa_bits)
    exponent = _signed(raw >> mantissa_bits, exponent_bits)
    if 0 <= exponent <= WRITTEN_OUT:
        return int(mantissa * 10**exponent)
    return Decimal(mantissa).scaleb(exponent)


def _signed(raw: int, bits: int) -> int:
    return raw - (1 << bits) if raw >> bits - 1 else raw


def moment(data: bytes) -> str:
    """Local date and time; "" if a part is not known or there is no such day."""
    try:
        return datetime(data[0] | data[1] << 8, *data[2:TIME_BYTES]).isoformat()  # noqa: DTZ001 (a device has no zone)
    except ValueError:
        return ""


def is_stamp(data: bytes) -> bool:
    """Whether the seven bytes may be a date time at all, its unknown parts included."""
    month, day, hour, minute, second = data[2:TIME_BYTES]
    return month <= 12 and day <= 31 and hour < 24 and minute < 60 and second < 60


def written(data: bytes) -> str:
    """The parts of a date time as the device gave them, sense or not."""
    year, (month, day, hour, minute, second) = data[0] | data[1] << 8, data[2:TIME_BYTES]
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"


def lies(value: Value, least: Limit, most: Limit) -> bool:
    """Whether it is a number within the limits, or a special value."""
    return isinstance(value, Why) or least <= value <= most


def reading(channel: str, unit: str, value: Value, most: Limit, doubt: Why | None = None, least: Limit = 0) -> Numeric:
    """A number outside its limits is none. The device's own doubt says more than a bare NaN."""
    if isinstance(value, Why):
        return Numeric(channel, None, unit, doubt if doubt and value is Why.UNAVAILABLE else value)
    if not least <= value <= most:
        return Numeric(channel, None, unit, Why.INVALID)
    return Numeric(channel, value, unit, doubt)
