"""The file of `wardlink spool export`: a gateway's backlog on its way to another gateway (docs/formats.md, export).

    file   := record(head) record(head) record(envelope)... record(end)
    record := "WLex"  kind u8  length u32  CRC-32 u32 of kind, length and content  content

Each record proves itself, so that what is left of a damaged file can be used; the end proves the whole. No keys.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import cbor2
import msgspec

from wire import cbor
from wire.envelope import ENVELOPE_LIMIT_BYTES, EnvelopeError, Header, header_of

VERSION = 1
MAGIC = b"WLex"
CONTENT_LIMIT_BYTES = 4 * ENVELOPE_LIMIT_BYTES
_SEARCH_BYTES = 1 << 16
_HEAD, _ENVELOPE, _END = 1, 2, 3
_RECORD = struct.Struct(">4sBII")
_CHECKED = struct.Struct(">BI")


class ExportError(Exception):
    """The file is not whole, or is none of ours; says where and why."""


class Head(msgspec.Struct, frozen=True, array_like=True):
    """Whose backlog this is. `site` is "" where it was not known; `proof` is one of its statements, b"" for none.

    `unheld`: 1 where the file has only what the centre was not known to hold, 0 where it has everything. `starts`: the
    random bytes of each epoch's start, as far as they are known: whoever delivers the file needs them to believe a
    receipt, and what the centre holds already, grants before all, is not in it.
    """

    version: int
    gateway: str
    site: str
    proof: bytes
    unheld: int
    starts: list[tuple[int, bytes]] = []


class Row(msgspec.Struct, frozen=True, array_like=True):
    """Envelopes of one class and epoch in the file."""

    cls: int
    epoch: int
    count: int
    bytes: int


class End(msgspec.Struct, frozen=True, array_like=True):
    """What the file holds, what it should hold and does not, and the SHA-256 of all that stands before."""

    rows: list[Row]
    missing: list[tuple[int, int, int, int]]  # class, epoch, first, last: damaged where they were stored
    unnamed: int  # damaged places of which nothing tells what they were
    digest: bytes

    @property
    def count(self) -> int:
        return sum(row.count for row in self.rows)


@dataclass(frozen=True, slots=True)
class Fault:
    """Bytes of a damaged file that were passed over."""

    offset: int
    why: str


class Writer:
    """Writes a file from front to back, in constant memory."""

    def __init__(self, write: Callable[[bytes], object], head: Head) -> None:
        self._write = write
        self._digest = hashlib.sha256()
        self._sizes: dict[tuple[int, int], list[int]] = {}
        for _ in range(2):  # a bad block at the start must not take the name of the rest
            self._put(_HEAD, cbor2.dumps(msgspec.to_builtins(head, builtin_types=(bytes,))))

    def add(self, envelope: bytes) -> None:
        """Raises EnvelopeError for bytes that are no envelope."""
        header = header_of(envelope)
        pair = self._sizes.setdefault((header.cls, header.epoch), [0, 0])
        pair[0] += 1
        pair[1] += len(envelope)
        self._put(_ENVELOPE, envelope)

    def end(self, missing: list[tuple[int, int, int, int]], unnamed: int) -> End:
        rows = [Row(cls, epoch, *pair) for (cls, epoch), pair in sorted(self._sizes.items())]
        said = End(rows, missing, unnamed, self._digest.digest())
        self._put(_END, cbor2.dumps(msgspec.to_builtins(said, builtin_types=(bytes,))))
        return said

    def _put(self, kind: int, content: bytes) -> None:
        record = _RECORD.pack(MAGIC, kind, len(content), _checksum(kind, content)) + content
        self._digest.update(record)
        self._write(record)


def read(file: BinaryIO, lenient: bool = False) -> Iterator[Head | tuple[Header, bytes] | End | Fault]:
    """What the file holds, in its order. Raises ExportError; with `lenient` a Fault stands there instead.

    Whole is a file whose last item is an End.
    """
    digest = hashlib.sha256()
    counts: Counter[tuple[int, int]] = Counter()
    at = faults = 0
    while True:
        try:
            found = _record(file, at)
            if found is None:
                return
            item, raw = found
            if isinstance(item, End) and not faults:
                _check_end(item, digest.digest(), counts)
        except ExportError as error:
            if not lenient:
                raise
            yield Fault(at, str(error))
            faults += 1
            at = _next_record(file, at + 1)
            continue
        if isinstance(item, tuple):
            counts[item[0].cls, item[0].epoch] += 1
        digest.update(raw)
        at += len(raw)
        yield item


def _check_end(end: End, digest: bytes, counts: Counter[tuple[int, int]]) -> None:
    if end.digest != digest or {(row.cls, row.epoch): row.count for row in end.rows} != dict(counts):
        raise ExportError("what stands before the end is not what was written")


def _record(file: BinaryIO, at: int) -> tuple[Head | tuple[Header, bytes] | End, bytes] | None:
    """The record at `at` and its bytes; None at the end of the file. Raises ExportError."""
    file.seek(at)
    start = file.read(_RECORD.size)
    if not start:
        return None
    if len(start) < _RECORD.size:
        raise ExportError(f"the file breaks off at byte {at}")
    magic, kind, length, checksum = _RECORD.unpack(start)
    if magic != MAGIC or length > CONTENT_LIMIT_BYTES:
        raise ExportError(f"no record at byte {at}")
    content = file.read(length)
    if len(content) < length:
        raise ExportError(f"the file breaks off at byte {at}")
    if checksum != _checksum(kind, content):
        raise ExportError(f"the record at byte {at} is damaged")
    return _item(kind, content, at), start + content


def _item(kind: int, content: bytes, at: int) -> Head | tuple[Header, bytes] | End:
    try:
        if kind == _ENVELOPE:
            return header_of(content), content
        if kind == _HEAD:
            return msgspec.convert(cbor.loads(content), type=Head, builtin_types=(bytes,))
        if kind == _END:
            return msgspec.convert(cbor.loads(content), type=End, builtin_types=(bytes,))
    except (EnvelopeError, cbor.CBORError, msgspec.ValidationError) as error:
        raise ExportError(f"the record at byte {at} is not what it says: {error}") from error
    raise ExportError(f"the record at byte {at} is of a kind that is not known here: {kind}")


def _next_record(file: BinaryIO, at: int) -> int:
    """Where the next record may begin; the end of the file where none does."""
    kept = b""
    file.seek(at)
    while piece := file.read(_SEARCH_BYTES):
        found = (kept + piece).find(MAGIC)
        if found >= 0:
            return at - len(kept) + found
        at += len(piece)
        kept = (kept + piece)[1 - len(MAGIC) :]
    return at


def _checksum(kind: int, content: bytes) -> int:
    return zlib.crc32(content, zlib.crc32(_CHECKED.pack(kind, len(content))))
