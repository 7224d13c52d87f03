"""The tape: what was read from a port and is not yet durable as envelopes, kept where a killed process leaves it.

A killed daemon loses its memory, not the page cache. So each chunk is also written, without any sync, to a small file
in the runtime folder (memory, on a real gateway), and the file is dropped once the envelopes made from it are in the
spool. The next start plays what is left. This is about a crash or a kill; for a power cut the promise is the spool's.

    <port>.landing                     where the bytes of the latest read are, until they are on the tape
    <port>.now                         being written
    <port>.<epoch>-<class>-<seq>-...   sealed; to be dropped when the last of these envelopes is durable
    file := the kernel's boot id (36 bytes), then records of u64 monotonic ns, u32 length, bytes (big endian)

The envelopes of a bundle's classes become durable one after the other. Where a kill came between them the piece is
played again as `told`: what the first class says once is not said again. The highest bit of a record's time says so.

The first record of a file is the half frame that waited in the driver when it was begun (mostly empty): it ends the
file before, and is played only where that one is not. A tape that cannot be written is counted and stops nothing.
"""

from __future__ import annotations

import hashlib
import logging
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from agent.ports.landing import Landing, landed

PIECE_LIMIT_BYTES = 1 << 20
READ_LIMIT_BYTES = 65536
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_RECORD = struct.Struct(">QI")
_TOLD = 1 << 63
Sealed = tuple[int, int, int]  # epoch, class, seq
log = logging.getLogger("wardlink.tape")


class Chunk(NamedTuple):
    """What was read at `now`; `told`: what it says once is durable, its samples are not."""

    now: int
    data: bytes
    told: bool = False


class Tape:
    """One port's tape in `folder`."""

    def __init__(self, folder: Path, port: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._name = hashlib.sha256(port.encode()).hexdigest()[:16]
        self._current = folder / f"{self._name}.now"
        self._aside = folder / f"{self._name}.begun"  # holds nothing that is not in another file as well
        self._runway = folder / f"{self._name}.landing"
        self._landing: Landing | None = None
        self._boot = _BOOT.read_bytes().strip()
        self._file: BinaryIO | None = None
        self._size_bytes = 0
        self._is_failing = False
        self.refused_bytes = 0

    def left(self, durable: Callable[[Sealed], bool]) -> list[Chunk]:
        """What an earlier process read and did not make durable, oldest first; it is on the new tape now."""
        chunks: dict[int, Chunk] = {}
        others = (self._aside, self._runway)
        files = [file for file in self._folder.glob(f"{self._name}.*") if file not in others]
        pieces = {file: list(_read(file, self._boot)) for file in files}
        is_played = False
        for file, records in sorted(pieces.items(), key=lambda piece: piece[1][:1]):
            sealed = _sealed(file)
            if sealed and durable(sealed[-1]):
                is_played = False
                continue
            told = bool(sealed) and durable(sealed[0])
            for chunk in records[1:] if is_played else records:
                chunks[chunk.now] = chunk._replace(told=chunk.told or told)
            is_played = True
        last = Chunk(*landed(self._runway, self._boot))
        chunks.setdefault(last.now, last)
        heard = [chunk for _, chunk in sorted(chunks.items()) if chunk.data]
        self._start([Chunk(0, b""), *heard])
        for file in pieces:
            if file != self._current:
                file.unlink()
        try:
            self._landing = Landing(self._runway, self._boot)
        except OSError as error:
            log.warning("a kill may take what is being read along why=%r", str(error))
        return heard

    def read(self, fd: int, now: int) -> bytes:
        """What is there, at most READ_LIMIT_BYTES, and on the tape. Raises as os.read does."""
        if self._landing is None:
            data = os.read(fd, READ_LIMIT_BYTES)
            self.write(data, now)
            return data
        data = self._landing.read(fd, now)
        if data:
            self.write(data, now)
        self._landing.clear()
        return data

    def write(self, data: bytes, now: int, told: bool = False) -> None:
        """Keep what was just read at `now`."""
        if self._file is None or self._size_bytes > PIECE_LIMIT_BYTES:
            self.refused_bytes += len(data)
            return
        record = _RECORD.pack(now | _TOLD if told else now, len(data)) + data
        try:
            written = self._file.write(record)
        except OSError as error:
            self._fail(error)
            return
        self._size_bytes += written
        if written < len(record):
            self._fail(OSError("no room"))

    def turn(self, pending: bytes, now: int) -> Path | None:
        """A bundle is being closed: begin a new piece with the half frame that still waits; None: there was none."""
        piece = None
        if self._file is not None:
            self._file.close()
            piece = self._current.rename(self._folder / f"{self._name}.turned")
        self._start([Chunk(now, pending)])
        return piece

    def label(self, piece: Path, *sealed: Sealed) -> Path:
        """Name the last envelope of each class that the piece went into, in the order in which they are committed."""
        words = "-".join(f"{cls}-{seq}" for _, cls, seq in sealed)
        return piece.rename(self._folder / f"{self._name}.{sealed[0][0]}-{words}")

    def close(self) -> None:
        """A clean end: nothing is left to play."""
        if self._file is not None:
            self._file.close()
        if self._landing is not None:
            self._landing.close()
        self._current.unlink(missing_ok=True)

    def _start(self, records: Iterable[Chunk]) -> None:
        self._size_bytes = 0
        try:
            self._file = self._aside.open("wb", buffering=0)
            self._file.write(self._boot)
        except OSError as error:
            self._fail(error)
        for now, data, told in records:
            self.write(data, now, told)
        if self._file is not None:
            self._aside.rename(self._current)
            self._is_failing = False

    def _fail(self, error: OSError) -> None:
        """Until the next piece. What is on this one up to here can still be played."""
        if not self._is_failing:
            log.warning("tape cannot be written why=%r", str(error))
        self._is_failing = True
        if self._file is not None:
            self._file.close()
        self._file = None


def _sealed(file: Path) -> list[Sealed]:
    parts = file.suffix[1:].split("-")
    if len(parts) not in (3, 5) or not all(part.isdecimal() for part in parts):
        return []
    epoch, *rest = map(int, parts)
    return [(epoch, cls, seq) for cls, seq in zip(rest[::2], rest[1::2], strict=True)]


def _read(file: Path, boot: bytes) -> Iterator[Chunk]:
    data = file.read_bytes()
    if not data.startswith(boot):
        return
    at = len(boot)
    while at + _RECORD.size <= len(data):
        now, size = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        if at + size > len(data):
            return
        yield Chunk(now & ~_TOLD, data[at : at + size], bool(now & _TOLD))
        at += size
