"""The few system calls the spool makes, behind a Protocol so that a test can fail each of them.

Everything raises OSError and nothing else. Offsets and sizes are bytes.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from pathlib import Path
from typing import Protocol

STEP_BYTES = 256 * 1024  # one step of pre-writing: what a commit may have to wait for
PIECE_BYTES = 4096
DIRECT_BYTES = 64 * 1024  # at most this much in one write that goes past the page cache


class Files(Protocol):
    """What the spool asks of the operating system. A descriptor is a small int."""

    written_bytes: int

    def make_folder(self, folder: Path) -> None: ...

    def names(self, folder: Path) -> list[str]: ...

    def lock(self, path: Path) -> int:
        """A descriptor that keeps others out until it is closed; BlockingIOError if someone is in."""

    def open(self, path: Path) -> int:
        """Read and write; the file is created if it is missing."""

    def look(self, path: Path) -> int:
        """Read only."""

    def size(self, fd: int) -> int: ...

    def pread(self, fd: int, size: int, offset: int) -> bytes: ...

    def pwrite(self, fd: int, data: bytes, offset: int) -> int: ...

    def fdatasync(self, fd: int) -> None: ...

    def rename(self, old: Path, new: Path) -> None: ...

    def remove(self, path: Path) -> None: ...

    def sync_folder(self, folder: Path) -> None: ...

    def close(self, fd: int) -> None: ...


class Disk:
    """The real one. It writes past the page cache where the file system can: from the cache whole pages are written
    back, and of a large page all of it (ADR 14)."""

    def __init__(self, *, direct: bool = True) -> None:
        self.written_bytes = 0
        self._wants_direct = direct
        self._direct: set[int] = set()
        self._aligned = mmap.mmap(-1, DIRECT_BYTES)  # the kernel wants such writes from whole pages

    def make_folder(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def names(self, folder: Path) -> list[str]:
        return sorted(os.listdir(folder))  # noqa: PTH208  names are wanted, not paths

    def lock(self, path: Path) -> int:
        fd = self.open(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise
        return fd

    def open(self, path: Path) -> int:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if self._wants_direct:
            self._go(fd, direct=True)
        return fd

    def look(self, path: Path) -> int:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def size(self, fd: int) -> int:
        return os.fstat(fd).st_size

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        if fd in self._direct:
            self._go(fd, direct=False)  # reads are of any size and from anywhere
        return os.pread(fd, size, offset)

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        done = self._past_cache(fd, data, offset) if fd in self._direct else os.pwrite(fd, data, offset)
        self.written_bytes += done
        return done

    def _past_cache(self, fd: int, data: bytes, offset: int) -> int:
        """Part of it, or all; whatever the disk does not take so goes the usual way."""
        size = min(len(data), DIRECT_BYTES)
        self._aligned[:size] = data[:size]
        try:
            with memoryview(self._aligned)[:size] as view:
                return os.pwrite(fd, view, offset)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        self._go(fd, direct=False)
        return os.pwrite(fd, data, offset)

    def _go(self, fd: int, *, direct: bool) -> None:
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        try:
            fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_DIRECT if direct else flags & ~os.O_DIRECT)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return
        (self._direct.add if direct else self._direct.discard)(fd)

    def fdatasync(self, fd: int) -> None:
        os.fdatasync(fd)

    def rename(self, old: Path, new: Path) -> None:
        old.rename(new)

    def remove(self, path: Path) -> None:
        path.unlink()

    def sync_folder(self, folder: Path) -> None:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def close(self, fd: int) -> None:
        """Cached pages go too: of a file written in large pieces Linux keeps large pages, and a commit of 4 KiB
        would write a whole one back."""
        self._direct.discard(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def write_all(files: Files, fd: int, data: bytes, offset: int) -> None:
    """Write every byte, however short the single writes are."""
    done = 0
    while done < len(data):
        count = files.pwrite(fd, data[done:] if done else data, offset + done)
        if count <= 0:
            raise OSError(5, "a write made no progress")
        done += count


def read_all(files: Files, fd: int, size: int, offset: int) -> bytes:
    """Up to `size` bytes; fewer only at the end of the file."""
    parts: list[bytes] = []
    done = 0
    while done < size:
        part = files.pread(fd, size - done, offset + done)
        if not part:
            break
        parts.append(part)
        done += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def read_around(files: Files, fd: int, size: int, offset: int) -> tuple[bytes, int]:
    """As `read_all`, but a block the disk refuses is read as zeros; also how many bytes were refused."""
    try:
        return read_all(files, fd, size, offset), 0
    except OSError:
        parts: list[bytes] = []
        refused = 0
    for at in range(offset, min(offset + size, files.size(fd)), PIECE_BYTES):
        want = min(PIECE_BYTES, offset + size - at)
        try:
            parts.append(read_all(files, fd, want, at))
        except OSError:
            parts.append(bytes(want))
            refused += want
    return b"".join(parts), refused


class Prewrite:
    """Makes one file of zeros, a step at a time, and gives it its name once it is whole and durable.

    Overwriting blocks that are already written spares the journal commit and second flush that
    growing a file costs on ext4 (a third of the flash wear), and never meets a full disk.
    """

    def __init__(self, files: Files, folder: Path, name: str, size_bytes: int) -> None:
        self._files = files
        self._folder = folder
        self._name = name
        self._size_bytes = size_bytes
        self._done = 0

    def step(self) -> bool:
        """Write one step; True once the file is there under its name. OSError: start again with a new one."""
        temporary = self._folder / f"{self._name}.new"
        if self._done < self._size_bytes:
            count = min(STEP_BYTES, self._size_bytes - self._done)
            fill(self._files, temporary, self._done, count)
            self._done += count
            return False
        self._files.rename(temporary, self._folder / self._name)
        self._files.sync_folder(self._folder)
        return True

    def finish(self) -> None:
        while not self.step():
            continue


def fill(files: Files, path: Path, offset: int, count: int) -> None:
    """Zeros at `offset`, durable."""
    fd = files.open(path)
    try:
        write_all(files, fd, bytes(count), offset)
        files.fdatasync(fd)
    finally:
        files.close(fd)
