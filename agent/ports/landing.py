"""Where bytes land when they are read: memory that outlives the process.

What `read` gives is in the process alone until the tape has it, and a kill takes it along. So it is read straight into
a mapped file of the runtime folder: what has left the kernel is in the file.

    boot id (36 bytes), u64 monotonic ns, u32 how many bytes are awaited (0: none), 8192 bytes (big endian)

The bytes are FILL where nothing landed, so one can see whether the read that was begun took place.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
import termios
from pathlib import Path

LANDING_BYTES = 8192  # twice what a tty gives at once
FILL = b"".join(hashlib.sha256(bytes([n])).digest() for n in range(LANDING_BYTES // 32))
_HEAD = struct.Struct(">QI")
_CHANCE_BYTES = 4  # that the last bytes are those of FILL by chance


class Landing:
    """One port's. OSError: the folder has no room for it."""

    def __init__(self, path: Path, boot: bytes) -> None:
        self._path = path
        with path.open("w+b") as file:
            file.write(boot + bytes(_HEAD.size) + FILL)  # written, not only sized: a page that is there never faults
            file.flush()
            self._map = mmap.mmap(file.fileno(), 0)
        self._head = len(boot)
        self._start = self._head + _HEAD.size
        self._landed = 0

    def read(self, fd: int, now: int) -> bytes:
        """What is there, as os.read; it stays in the file until `clear`."""
        there = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0]
        limit = min(max(there, 1), LANDING_BYTES)
        _HEAD.pack_into(self._map, self._head, now, limit)
        with memoryview(self._map)[self._start : self._start + limit] as place:
            self._landed = os.readv(fd, [place])
        return self._map[self._start : self._start + self._landed]

    def clear(self) -> None:
        """It is on the tape."""
        _HEAD.pack_into(self._map, self._head, 0, 0)
        self._map[self._start : self._start + self._landed] = FILL[: self._landed]
        self._landed = 0

    def close(self) -> None:
        self._map.close()
        self._path.unlink(missing_ok=True)


def landed(path: Path, boot: bytes) -> tuple[int, bytes]:
    """(when, what) a killed process had read last and not put on its tape; nothing, mostly."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return 0, b""
    start = len(boot) + _HEAD.size
    if not data.startswith(boot) or len(data) != start + LANDING_BYTES:
        return 0, b""
    now, awaited = _HEAD.unpack_from(data, len(boot))
    place = data[start : start + min(awaited, LANDING_BYTES)]
    count = next((at + 1 for at in range(len(place) - 1, -1, -1) if place[at] != FILL[at]), 0)
    return now, place if count and count >= len(place) - _CHANCE_BYTES else place[:count]
