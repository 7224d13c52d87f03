"""From when to when a certificate holds: RFC 5280, 4.1.2.5, read from its DER. Pure.

Only dates are read, and only of certificates whose signatures somebody else has verified. A library for X.509 would
cost the gateway more memory than all the rest of its knowledge of time.
"""

from __future__ import annotations

from datetime import UTC, datetime

_SEQUENCE, _VERSION, _UTC_TIME, _GENERAL_TIME = 0x30, 0xA0, 0x17, 0x18
_DIGITS = {_UTC_TIME: 2, _GENERAL_TIME: 4}  # of the year
_SECOND_US = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DateError(Exception):
    """The bytes are no certificate."""


def validity(der: bytes) -> tuple[int, int]:
    """(not before, not after) in microseconds since 1970, the last second included. Raises DateError."""
    try:
        _, certificate, _ = _item(der, _SEQUENCE)
        _, fields, _ = _item(certificate, _SEQUENCE)
        if fields[0] == _VERSION:
            fields = _item(fields)[2]
        for _ in ("serial number", "signature algorithm", "issuer"):
            fields = _item(fields)[2]
        _, dates, _ = _item(fields, _SEQUENCE)
        first, begin, dates = _item(dates)
        last, end, _ = _item(dates)
        return _moment(first, begin), _moment(last, end) + _SECOND_US - 1
    except (IndexError, ValueError) as error:
        raise DateError(f"not a certificate: {error}") from error


def _item(data: bytes, wanted: int | None = None) -> tuple[int, bytes, bytes]:
    """(tag, content, what follows) of the DER item that begins `data`. Raises IndexError, ValueError."""
    tag, size, at = data[0], data[1], 2
    if size >= 0x80:
        at += size & 0x7F
        size = int.from_bytes(data[2:at])
    if (wanted is not None and tag != wanted) or at + size > len(data):
        raise ValueError("another shape")
    return tag, data[at : at + size], data[at + size :]


def _moment(tag: int, text: bytes) -> int:
    """RFC 5280: two digits of a year are 1950 to 2049; always seconds, always Z. Raises ValueError.

    By hand: strptime would load 0.7 MiB.
    """
    digits = _DIGITS.get(tag, 0)
    if len(text) != digits + 11 or text[-1:] != b"Z" or not text[:-1].isdigit():
        raise ValueError("no date")
    year, rest = int(text[:digits]), text[digits:-1]
    if tag == _UTC_TIME:
        year += 2000 if year < 50 else 1900
    month, day, hour, minute, second = (int(rest[at : at + 2]) for at in range(0, 10, 2))
    return int((datetime(year, month, day, hour, minute, second, tzinfo=UTC) - _EPOCH).total_seconds()) * _SECOND_US
