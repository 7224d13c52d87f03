"""A radio's chunk on the tape: what came, with the characteristic it came from.

chunk := { u8 length, characteristic (ASCII), u16 length, value }     big endian
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from drivers.capture import brief, full

Note = tuple[str, bytes]  # characteristic, value
_VALUE = struct.Struct(">H")


def pack(notes: Iterable[Note]) -> bytes:
    """Notifications, in order."""
    parts: list[bytes] = []
    for source, data in notes:
        name = brief(source).encode("ascii")
        parts += [bytes([len(name)]), name, _VALUE.pack(len(data)), data]
    return b"".join(parts)


def unpack(chunk: bytes) -> Iterator[Note]:
    """The notifications of a chunk."""
    at = 0
    while at < len(chunk):
        name_end = at + 1 + chunk[at]
        (size,) = _VALUE.unpack_from(chunk, name_end)
        start = name_end + _VALUE.size
        yield full(chunk[at + 1 : name_end].decode("ascii")), chunk[start : start + size]
        at = start + size
