"""The tape: what was read from a port and is not yet durable as envelopes, kept where a killed process leaves it.

A killed daemon loses its memory, not the page cache. So each chunk is also written, without any sync, to a small file
in the runtime folder (memory, on a real gateway), and the file is dropped once the envelopes made from it are in the
spool. The next start plays what is left. This is about a crash or a kill; for a power cut the promise is the spool's.

    <port>.now                         being written
    <port>.<epoch>-<class>-<seq>+...   sealed; to be dropped when these envelopes are durable, one for each class
    <port>.early                       read before there was a tape, by this start or by ones that came no further
    file := the kernel's boot id (36 bytes), "2", then records of u64 monotonic ns, u8 safe, u32 length, bytes
            (big endian); safe: bit n is set where the envelope of class n made from it is durable

Classes become durable one after the other, so a kill may come in between: then only the others are made again.

The first record of a file is the half frame that waited in the driver when it was begun (mostly empty): it ends the
file before, and is played only where that one is not. A tape that cannot be written is counted and stops nothing.
"""

from __future__ import annotations

import hashlib
import logging
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

TAPES = "tape"  # the folder, below the one for what need not survive
PIECE_LIMIT_BYTES = 1 << 20
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_RECORD = struct.Struct(">QBI")
Chunk = tuple[int, bytes]
Record = tuple[int, int, bytes]  # monotonic ns, safe, what was read
Sealed = tuple[int, int, int]  # epoch, class, seq
log = logging.getLogger("wardlink.tape")


class Tape:
    """One port's tape in `folder`."""

    def __init__(self, folder: Path, port: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._name = _name(port)
        self._current = folder / f"{self._name}.now"
        self._aside = folder / f"{self._name}.begun"  # holds nothing that is not in another file as well
        self._turned = folder / f"{self._name}.turned"
        self._head = _head()
        self._safe: dict[int, int] = {}
        self._file: BinaryIO | None = None
        self._size_bytes = 0
        self._is_failing = False
        self.refused_bytes = 0

    def left(self, durable: Callable[[Sealed], bool]) -> list[Chunk]:
        """What an earlier process read and did not make durable, oldest first; it is on the new tape now."""
        chunks: dict[int, bytes] = {}
        files = [file for file in self._folder.glob(f"{self._name}.*") if file != self._aside]
        pieces = {file: list(_read(file, self._head)) for file in files}
        is_played = False
        for file, records in sorted(pieces.items(), key=lambda piece: piece[1][:1]):
            sealed = _sealed(file)
            there = [cls for epoch, cls, seq in sealed if durable((epoch, cls, seq))]
            if sealed and len(there) == len(sealed):
                is_played = False
                continue
            for now, safe, data in records[1:] if is_played else records:
                chunks[now] = data
                self._safe[now] = self._safe.get(now, 0) | safe | sum(1 << cls for cls in there)
            is_played = bool(records)
        heard = [(now, data) for now, data in sorted(chunks.items()) if data]
        self._start([(0, 0, b""), *((now, self._safe[now], data) for now, data in heard)])
        for file in pieces:
            if file != self._current:
                file.unlink()
        return heard

    def is_safe(self, now: int, cls: int) -> bool:
        """Whether what was left of `now` is durable already in an envelope of this class."""
        return bool(self._safe.get(now, 0) >> cls & 1)

    def write(self, data: bytes, now: int, safe: int = 0) -> None:
        """Keep what was just read at `now`."""
        if self._file is None or self._size_bytes > PIECE_LIMIT_BYTES:
            self.refused_bytes += len(data)
            return
        record = _record(now, safe, data)
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
            piece = self._current.rename(self._turned)
        self._start([(now, 0, pending)])
        return piece

    def label(self, piece: Path, *sealed: Sealed) -> Path:
        """Name the envelopes that the piece went into last, one for each class."""
        names = "+".join(f"{epoch}-{cls}-{seq}" for epoch, cls, seq in sealed)
        return piece.rename(self._folder / f"{self._name}.{names}")

    def close(self) -> None:
        """A clean end: nothing is left to play."""
        if self._file is not None:
            self._file.close()
        self._current.unlink(missing_ok=True)

    def _start(self, records: Iterable[Record]) -> None:
        self._size_bytes = 0
        try:
            self._file = self._aside.open("wb", buffering=0)
            self._file.write(self._head)
        except OSError as error:
            self._fail(error)
        for now, safe, data in records:
            self.write(data, now, safe)
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


def keep(folder: Path, port: str, chunks: Iterable[Chunk]) -> None:
    """Append what was read before the port had a `Tape`. A folder that cannot be written keeps nothing."""
    early, head = folder / f"{_name(port)}.early", _head()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        whole = _whole_bytes(early, head) if early.is_file() else 0
        with early.open("ab", buffering=0) as file:
            file.truncate(whole)  # a record that was cut short would swallow the next
            for now, data in chunks:
                begin = b"" if whole else head + _record(now, 0, b"")
                whole += file.write(begin + _record(now, 0, data))
    except OSError as error:
        log.warning("tape cannot be written why=%r", str(error))


def _whole_bytes(file: Path, head: bytes) -> int:
    """How much of a file its whole records take; 0 where it is none of ours."""
    records = list(_read(file, head))
    return len(head) + sum(_RECORD.size + len(data) for _, _, data in records) if records else 0


def _name(port: str) -> str:
    return hashlib.sha256(port.encode()).hexdigest()[:16]


def _head() -> bytes:
    return _BOOT.read_bytes().strip() + b"2"


def _record(now: int, safe: int, data: bytes) -> bytes:
    return _RECORD.pack(now, safe, len(data)) + data


def _sealed(file: Path) -> list[Sealed]:
    """The envelopes of its label; empty where it has none."""
    found: list[Sealed] = []
    for name in file.suffix[1:].split("+"):
        parts = name.split("-")
        if len(parts) == 3 and all(part.isdecimal() for part in parts):
            found.append((int(parts[0]), int(parts[1]), int(parts[2])))
    return found


def _read(file: Path, head: bytes) -> Iterator[Record]:
    data = file.read_bytes()
    if not data.startswith(head):
        return
    at = len(head)
    while at + _RECORD.size <= len(data):
        now, safe, size = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        if at + size > len(data):
            return
        yield now, safe, data[at : at + size]
        at += size
