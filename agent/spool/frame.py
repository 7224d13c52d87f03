"""One frame of a segment: a 44 byte header and the body.

     0  magic "WLfr"         20  length  u32 (body)      34  class     u8
     4  generation  u64      24  epoch   u32             35  zero      u8
    12  position    u64      28  seq     u32             36  CRC-32 of the body
                             32  hour    u16             40  CRC-32 of bytes 0..39

All little endian. The header has a CRC of its own (which covers that of the body) so that a body
that rots costs one frame with a known name, and the next one is found without a search.
The generation makes a stale frame of a recycled segment unambiguous; the position counts the frames
of a chain for ever, so that neighbours tell how many are missing between them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from agent.spool.terms import BLOCK_BYTES, Stored

MAGIC = b"WLfr"
_FIELDS = struct.Struct("<4sQQIIIHBxI")
_CRC = struct.Struct("<I")
_START = struct.Struct("<4sQQ")
HEAD_BYTES = _FIELDS.size + _CRC.size


class Frame(NamedTuple):
    """Where one frame lies (`offset..end` of the data it was found in) and what its header says."""

    offset: int
    end: int
    position: int
    epoch: int
    hour: int
    seq: int
    sound: bool  # the body has the CRC its header says

    def stored(self, cls: int, data: bytes) -> Stored:
        return Stored(cls, self.epoch, self.hour, self.seq, bytes(data[self.offset + HEAD_BYTES : self.end]))


def encode(stored: Stored, generation: int, position: int) -> bytes:
    """The frame, body and all."""
    head = _FIELDS.pack(
        MAGIC,
        generation,
        position,
        len(stored.data),
        stored.epoch,
        stored.seq,
        stored.hour,
        stored.cls,
        zlib.crc32(stored.data),
    )
    return head + _CRC.pack(zlib.crc32(head)) + stored.data


def size_of(stored: Stored) -> int:
    return HEAD_BYTES + len(stored.data)


def padded(count: int, unit_bytes: int = BLOCK_BYTES) -> int:
    """`count` rounded up to whole units."""
    return -(-count // unit_bytes) * unit_bytes


def walk(data: bytes, cls: int, generation: int, expected: int = 0) -> Iterator[Frame]:
    """Every frame of this class and generation whose header is whole, in order.

    Damage is walked around, never into: what is skipped shows as a step in `position`, which only grows.
    """
    needle = MAGIC + generation.to_bytes(8, "little")
    at = data.find(needle)
    while at >= 0:
        frame = _frame_at(data, at, cls)
        if frame is None or frame.position < expected:
            at = data.find(needle, at + 1)
            continue
        yield frame
        expected = frame.position + 1
        at = data.find(needle, frame.end)


def newest_generation(data: bytes, cls: int) -> int:
    """The greatest generation among the whole headers in `data`; 0 if there is none."""
    newest = 0
    at = data.find(MAGIC)
    while at >= 0:
        if _frame_at(data, at, cls) is not None:
            newest = max(newest, _START.unpack_from(data, at)[1])
        at = data.find(MAGIC, at + 1)
    return newest


def resembles(data: bytes, at: int, generation: int, position: int) -> bool:
    """Whether a damaged header at `at` was once the frame that should follow: two of three fields agree."""
    if at + _START.size > len(data):
        return False
    magic, its_generation, its_position = _START.unpack_from(data, at)
    return [magic == MAGIC, its_generation == generation, its_position == position].count(True) >= 2


def names_one(data: bytes, at: int, epoch: int, seq: int) -> bool:
    """Whether a damaged header at `at` still says one of the two; after a restart it would say neither."""
    said = data[at + 24 : at + 32]
    return said[:4] == epoch.to_bytes(4, "little") or said[4:] == seq.to_bytes(4, "little")


def _frame_at(data: bytes, at: int, cls: int) -> Frame | None:
    if at + HEAD_BYTES > len(data):
        return None
    if zlib.crc32(data[at : at + _FIELDS.size]) != _CRC.unpack_from(data, at + _FIELDS.size)[0]:
        return None
    _, _, position, length, epoch, seq, hour, its_class, body_crc = _FIELDS.unpack_from(data, at)
    if its_class != cls:
        return None
    start = at + HEAD_BYTES
    end = start + length
    sound = end <= len(data) and zlib.crc32(memoryview(data)[start:end]) == body_crc
    return Frame(at, end, position, epoch, hour, seq, sound)
