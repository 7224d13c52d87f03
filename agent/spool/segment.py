"""One segment file: a header block, frames, and, once it is finished, a footer block.

Header (first block):  magic "WLsg", version u16, class u8, zero u8, segment size u32, generation u64,
                       first position u64, CRC-32 of all that. All zeros: pre-written, never used.
Footer (last block):   magic "WLft", version u16, count u16, generation u64, next position u64, end u32, zero u32,
                       `count` stretches (epoch, first, last, offset, end, body bytes: u32, hour u16),
                       CRC-32 of all that.
The footer only says again what the frames say, so it is written without a sync: without a valid one
the whole segment is read at open.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from agent.spool.frame import Frame, padded
from agent.spool.terms import BLOCK_BYTES, STRETCH_BYTES

VERSION = 1
_MAGIC = b"WLsg"
_FOOTER_MAGIC = b"WLft"
_HEADER = struct.Struct("<4sHBxIQQ")
_FOOTER = struct.Struct("<4sHHQQII")
_STRETCH = struct.Struct("<IIIIIIH")
_CRC = struct.Struct("<I")
STRETCHES = (BLOCK_BYTES - _FOOTER.size - _CRC.size) // _STRETCH.size


@dataclass(slots=True, eq=False)
class Stretch:
    """Consecutive numbers of one epoch and hour in one segment, about 512 KiB at most: the unit of the index."""

    epoch: int
    hour: int
    first: int
    last: int
    offset: int
    end: int
    body_bytes: int
    unheld: int = 0

    @property
    def count(self) -> int:
        return self.last - self.first + 1

    def takes(self, epoch: int, hour: int, seq: int) -> bool:
        """Whether this frame, which comes next in the file, belongs to the stretch."""
        near = self.end - self.offset < STRETCH_BYTES
        return near and seq == self.last + 1 and epoch == self.epoch and hour == self.hour


@dataclass(slots=True, eq=False)
class Segment:
    """What is known of one file. `end` is where the next commit goes; generation 0 is a spare."""

    number: int
    path: Path
    generation: int = 0
    first_position: int = 0
    next_position: int = 0
    end: int = BLOCK_BYTES
    stretches: list[Stretch] = field(default_factory=list)
    unheld: int = 0

    def begin(self, generation: int, position: int) -> None:
        """Use it afresh: everything it held is forgotten."""
        self.generation = generation
        self.first_position = self.next_position = position
        self.end = BLOCK_BYTES
        self.stretches = []
        self.unheld = 0


class Header(NamedTuple):
    cls: int
    segment_bytes: int
    version: int
    generation: int
    first_position: int


class Footer(NamedTuple):
    generation: int
    next_position: int
    end: int
    stretches: list[Stretch]


def file_name(cls: int, number: int) -> str:
    return f"{cls}-{number:05d}.seg"


def file_number(cls: int, name: str) -> int | None:
    """The number in a segment's file name; None where it is not a segment of this class."""
    start, dash, rest = name.partition("-")
    digits, dot, kind = rest.partition(".")
    if start != str(cls) or not dash or not dot or kind != "seg" or not (digits.isascii() and digits.isdigit()):
        return None
    return int(digits)


def encode_header(cls: int, segment_bytes: int, generation: int, first_position: int) -> bytes:
    """The first block of a segment in use."""
    head = _HEADER.pack(_MAGIC, VERSION, cls, segment_bytes, generation, first_position)
    return (head + _CRC.pack(zlib.crc32(head))).ljust(BLOCK_BYTES, b"\0")


def decode_header(block: bytes) -> Header | None:
    if len(block) < _HEADER.size + _CRC.size:
        return None
    magic, version, cls, segment_bytes, generation, first = _HEADER.unpack_from(block)
    crc = _CRC.unpack_from(block, _HEADER.size)[0]
    if magic != _MAGIC or crc != zlib.crc32(block[: _HEADER.size]) or generation == 0:
        return None
    return Header(cls, segment_bytes, version, generation, first)


def encode_footer(segment: Segment) -> bytes | None:
    """The last block of a finished segment; None where it has more stretches than fit."""
    if len(segment.stretches) > STRETCHES:
        return None
    count = len(segment.stretches)
    parts = [
        _FOOTER.pack(_FOOTER_MAGIC, VERSION, count, segment.generation, segment.next_position, segment.end, 0),
        *(_STRETCH.pack(s.epoch, s.first, s.last, s.offset, s.end, s.body_bytes, s.hour) for s in segment.stretches),
    ]
    body = b"".join(parts)
    return (body + _CRC.pack(zlib.crc32(body))).ljust(BLOCK_BYTES, b"\0")


def decode_footer(block: bytes, generation: int) -> Footer | None:
    """The footer, if it is whole and of this generation."""
    if len(block) < BLOCK_BYTES:
        return None
    magic, version, count, its_generation, position, end, _ = _FOOTER.unpack_from(block)
    if magic != _FOOTER_MAGIC or version != VERSION or its_generation != generation or count > STRETCHES:
        return None
    size = _FOOTER.size + count * _STRETCH.size
    if _CRC.unpack_from(block, size)[0] != zlib.crc32(block[:size]):
        return None
    stretches = [
        Stretch(epoch, hour, first, last, offset, stop, body_bytes)
        for epoch, first, last, offset, stop, body_bytes, hour in _STRETCH.iter_unpack(block[_FOOTER.size : size])
    ]
    return Footer(its_generation, position, end, stretches)


def extend(stretches: list[Stretch], frame: Frame, body_bytes: int) -> Stretch:
    """Put the frame, which comes after all others, into the last stretch or a new one."""
    last = stretches[-1] if stretches else None
    if last is None or not last.takes(frame.epoch, frame.hour, frame.seq):
        last = Stretch(frame.epoch, frame.hour, frame.seq, frame.seq, frame.offset, frame.end, body_bytes)
        stretches.append(last)
    else:
        last.last = frame.seq
        last.end = frame.end
        last.body_bytes += body_bytes
    return last


def fits(segment: Segment, size: int, segment_bytes: int) -> bool:
    """Whether a commit of `size` bytes still fits before the footer."""
    return segment.end + padded(size) <= segment_bytes - BLOCK_BYTES


def next_numbers(segments: Iterable[Segment]) -> dict[int, int]:
    """Per epoch the number after the last one known in these segments."""
    out: dict[int, int] = {}
    for segment in segments:
        for stretch in segment.stretches:
            out[stretch.epoch] = max(out.get(stretch.epoch, 0), stretch.last + 1)
    return out
