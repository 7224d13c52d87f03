"""A disk that logs, in order, every write and every flush it is asked for: a file over FUSE, under a loop device.

The folder behind it has `disk` (the image) and `log`. Mounted are `disk` and `mark`: what is written to `mark` becomes
an entry of the same log, so that what a program claims has its place among what the disk was told.

    entry: kind u8, offset u64, length u32 (little endian), data
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import stat
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

WRITE, FLUSH, MARK = 1, 2, 3
_HEAD = struct.Struct("<BQI")
_PR_SET_PDEATHSIG = 1


class Entry(NamedTuple):
    kind: int
    offset: int
    data: bytes | memoryview


def read_log(path: Path) -> list[Entry]:
    """Every whole entry, in the order in which they happened."""
    return list(_entries(memoryview(path.read_bytes())))


def _entries(data: memoryview) -> Iterator[Entry]:
    at = 0
    while at + _HEAD.size <= len(data):
        kind, offset, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        yield Entry(kind, offset, data[at : at + length])
        at += length


def serve(folder: Path, mountpoint: Path) -> None:
    """Until it is unmounted, or the process that asked for it ends; "+" on stdout says that it is mounted."""
    import mfusepy  # it loads libfuse, which not every machine has

    class Disk(mfusepy.Operations):  # type: ignore[misc]
        use_ns = True

        def __init__(self) -> None:
            self._disk = os.open(folder / "disk", os.O_RDWR)
            self._log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

        def init(self, path: str) -> None:
            os.write(1, b"+")  # it is mounted

        def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
            if path == "/":
                return {"st_mode": stat.S_IFDIR | 0o700, "st_nlink": 2}
            if path not in ("/disk", "/mark"):
                raise mfusepy.FuseOSError(errno.ENOENT)
            size = os.fstat(self._disk).st_size if path == "/disk" else 0
            return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_size": size}

        def readdir(self, path: str, fh: int) -> list[str]:
            return [".", "..", "disk", "mark"]

        def open(self, path: str, flags: int) -> int:
            return 0

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            return os.pread(self._disk, size, offset) if path == "/disk" else b""

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            if path == "/disk":
                os.pwrite(self._disk, data, offset)
            self._note(WRITE if path == "/disk" else MARK, offset, bytes(data))
            return len(data)

        def fsync(self, path: str, datasync: int, fh: int) -> int:
            self._note(FLUSH, 0, b"")
            return 0

        def _note(self, kind: int, offset: int, data: bytes) -> None:
            os.write(self._log, _HEAD.pack(kind, offset, len(data)) + data)

    mfusepy.FUSE(Disk(), str(mountpoint), foreground=True, nothreads=True)


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    serve(Path(sys.argv[1]), Path(sys.argv[2]))
