"""The tape: what was read from a port and is not yet durable as envelopes, kept where a killed process leaves it.

A killed daemon loses its memory, not the page cache. So each chunk is also written, without any sync, to a small file
in the runtime folder (memory, on a real gateway), and the file is dropped once the envelopes made from it are in the
spool. The next start plays what is left. This is about a crash or a kill; for a power cut the promise is the spool's.

    <port>.now                         being written
    <port>.<epoch>-<class>-<seq>       sealed; to be dropped when that envelope is durable
    record := u64 monotonic ns, u32 length, bytes (big endian); the file begins with the kernel's boot id
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

PIECE_LIMIT_BYTES = 1 << 20
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_RECORD = struct.Struct(">QI")
Chunk = tuple[int, bytes]
Sealed = tuple[int, int, int]  # epoch, class, seq


class Tape:
    """One port's tape in `folder`."""

    def __init__(self, folder: Path, port: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._name = hashlib.sha256(port.encode()).hexdigest()[:16]
        self._boot = _BOOT.read_bytes().strip()
        self._size_bytes = 0
        self.refused_bytes = 0

    def left(self, durable: Callable[[Sealed], bool]) -> list[Chunk]:
        """What an earlier process read and did not make durable, oldest first; it is on the new tape now."""
        chunks: list[Chunk] = []
        files = sorted(self._folder.glob(f"{self._name}.*"), key=_age)
        for file in files:
            sealed = _sealed(file)
            if sealed is None or not durable(sealed):
                chunks += _read(file, self._boot)
        self._start(b"", 0)
        for now, data in chunks:
            self.write(data, now)
        for file in files:
            if file != self._current:
                file.unlink()
        return chunks

    def write(self, data: bytes, now: int) -> None:
        """Keep what was just read at `now`."""
        if self._size_bytes > PIECE_LIMIT_BYTES:
            self.refused_bytes += len(data)
            return
        self._size_bytes += len(data)
        self._file.write(_RECORD.pack(now, len(data)) + data)

    def turn(self, pending: bytes, now: int) -> Path:
        """A bundle is being closed: begin a new piece with the half frame that is still waiting."""
        self._file.close()
        piece = self._folder / f"{self._name}.turned"
        self._current.rename(piece)
        self._start(pending, now)
        return piece

    def label(self, piece: Path, sealed: Sealed) -> Path:
        """Name the envelope that the piece went into last."""
        return piece.rename(self._folder / f"{self._name}.{sealed[0]}-{sealed[1]}-{sealed[2]}")

    def _start(self, pending: bytes, now: int) -> None:
        self._current = self._folder / f"{self._name}.now"
        self._file = self._current.open("wb", buffering=0)
        self._file.write(self._boot)
        self._size_bytes = 0
        if pending:
            self.write(pending, now)

    def close(self) -> None:
        """A clean end: nothing is left to play."""
        self._file.close()
        self._current.unlink(missing_ok=True)


def _sealed(file: Path) -> Sealed | None:
    parts = file.suffix[1:].split("-")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        return None
    return int(parts[0]), int(parts[1]), int(parts[2])


def _age(file: Path) -> tuple[int, int, int]:
    """Sealed pieces in order, then what was turned, then what was being written."""
    sealed = _sealed(file)
    if sealed is not None:
        return 0, sealed[0], sealed[2]
    return (1 if file.suffix == ".turned" else 2), 0, 0


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
        yield now, data[at : at + size]
        at += size
