"""Frames on the S/5 Computer Interface, and the records they hold.

    7E | record | sum | 7E        7E and 7D inside travel as 7D 5E and 7D 5D; sum is of the record's bytes, modulo 256

    record   0 length i16, all of it · 2 number u8 · 3 DRI level u8 · 4 plug id u16 · 6 time u32, seconds from 1970
            10 reserved · 14 main type i16 · 16 eight times (offset i16, type u8), type FF ends · 40 the sub-records
                                                                           offsets count from 40; little endian
Source: GE S/5 Computer Interface M1017617 rev. 12; Datex-Ohmeda Record Specification 8005313 rev. 12, section 2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from drivers.contract import Counts
from drivers.framing import MORE, Bad, Frame, Framer, Skip, find

FLAG, ESCAPE = 0x7E, 0x7D
ESCAPED = {0x5E: FLAG, 0x5D: ESCAPE}
FRAME_LIMIT_BYTES = 4096  # a record has at most 1490 bytes, twice that if every byte is escaped
END_OF_LIST = 0xFF
COMMAND = 0  # the sub-record type of a host's request, whatever the main type

PHYSIOLOGICAL, WAVES, ALARMS, NETWORK, EVENTS = 0, 1, 4, 5, 8
MAIN_TYPES = frozenset((PHYSIOLOGICAL, WAVES, ALARMS, NETWORK, EVENTS))
HEADER = struct.Struct("<hBBHIBBHh24s")
DESCRIPTOR = struct.Struct("<hB")


class MalformedError(Exception):
    """The bytes are no record of a monitor; says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Record:
    """One record; `parts` are its sub-records as (type, bytes up to the next one)."""

    level: int
    plug: int
    seconds: int
    kind: int
    parts: tuple[tuple[int, bytes], ...]


def framed(record: bytes) -> bytes:
    """`record` as it travels."""
    body = record + bytes([sum(record) & 0xFF])
    body = body.replace(b"\x7d", b"\x7d\x5d").replace(b"\x7e", b"\x7d\x5e")
    return b"\x7e" + body + b"\x7e"


def unescaped(body: bytes) -> bytes | None:
    """What was escaped into `body`; None where an escape is followed by anything else than its two codes."""
    first, *rest = body.split(bytes([ESCAPE]))
    if not all(part and part[0] in ESCAPED for part in rest):
        return None
    return first + b"".join(bytes([ESCAPED[part[0]]]) + part[1:] for part in rest)


def parse(data: bytes) -> Record:
    """A record without its sum. Raises MalformedError."""
    if len(data) < HEADER.size:
        raise MalformedError("short")
    length, _, level, plug, seconds, _, _, _, kind, listed = HEADER.unpack_from(data)
    if length != len(data):
        raise MalformedError("length")
    if kind not in MAIN_TYPES:
        raise MalformedError("main type")
    return Record(level, plug, seconds, kind, tuple(_parts(listed, data[HEADER.size :])))


def _parts(listed: bytes, data: bytes) -> Iterator[tuple[int, bytes]]:
    found: list[tuple[int, int]] = []
    for offset, kind in DESCRIPTOR.iter_unpack(listed):
        if kind == END_OF_LIST:
            break
        if kind == COMMAND:  # a host asks: our own request come back, or another host on the line
            raise MalformedError("request")
        if not 0 <= offset < len(data):
            raise MalformedError("offset")
        found.append((offset, kind))
    for offset, kind in found:
        yield kind, data[offset : min((other for other, _ in found if other > offset), default=len(data))]


def cut_record(buffer: bytearray) -> Frame | Skip | Bad:
    """The record at the start of the buffer. The flag that ends a refused frame may begin the next one."""
    skip = find(buffer, bytes([FLAG]))
    if skip is not None:
        return skip
    end = buffer.find(FLAG, 1, FRAME_LIMIT_BYTES)
    if end < 0:
        return MORE if len(buffer) < FRAME_LIMIT_BYTES else Bad("too long", FRAME_LIMIT_BYTES)
    if end == 1:
        return Skip(1)
    body = unescaped(bytes(buffer[1:end]))
    if body is None:
        return Bad("escape", end)
    if sum(body[:-1]) & 0xFF != body[-1]:
        return Bad("sum", end)
    return Frame(end + 1, body[:-1])


class Reader:
    """Turns bytes into records. A frame whose content does not add up is refused like one with a wrong sum."""

    def __init__(self, counts: Counts) -> None:
        self._framer = Framer(self._cut, counts, FRAME_LIMIT_BYTES)
        self._record: Record | None = None

    def feed(self, data: bytes) -> Iterator[Record]:
        for _ in self._framer.feed(data):
            assert self._record is not None
            yield self._record

    def _cut(self, buffer: bytearray) -> Frame | Skip | Bad:
        found = cut_record(buffer)
        if isinstance(found, Frame):
            try:
                self._record = parse(found.body)
            except MalformedError as error:
                return Bad(error.reason, found.size - 1)
        return found

    def __len__(self) -> int:
        return len(self._framer)
