"""A disk in memory that fails where it is told to, and forgets what was not synced.

The twin of `agent.spool.files.Disk`. Calls are counted from 1; `fault` strikes at one of them, or from it on.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

SECTOR_BYTES = 512


class PowerCutError(Exception):
    """The machine is off: nothing after this call happened."""


@dataclass
class Inode:
    cache: bytearray = field(default_factory=bytearray)
    disk: bytearray = field(default_factory=bytearray)
    dirty: set[int] = field(default_factory=set)  # sectors


@dataclass(frozen=True)
class Fault:
    """`kind`: "error" with `code`, "short" (half is written, and said so), "cut"."""

    at: int
    kind: str
    code: int = errno.EIO
    forever: bool = False

    def strikes(self, call: int) -> bool:
        return call >= self.at if self.forever else call == self.at


class FaultyFiles:
    """One machine between two power cuts."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.fault = fault
        self.calls = 0
        self.log: list[str] = []
        self.written_bytes = 0
        self.off = False
        self.names_now: dict[Path, Inode] = {}
        self.names_durable: dict[Path, Inode] = {}
        self.bad_places: set[tuple[Path, int]] = set()  # 4 KiB blocks that cannot be read
        self._open: dict[int, tuple[Path, Inode]] = {}
        self._next = 100

    def _call(self, what: str) -> bool:
        """Count the call; raise if it fails; True if it is to be cut short."""
        if self.off:
            raise PowerCutError(what)
        self.calls += 1
        self.log.append(what)
        if self.fault is None or not self.fault.strikes(self.calls):
            return False
        if self.fault.kind == "cut":
            self.off = True
            raise PowerCutError(what)
        if self.fault.kind == "error" and what != "pwrite":
            raise OSError(self.fault.code, os.strerror(self.fault.code), what)
        return True

    def make_folder(self, folder: Path) -> None:
        self._call("make_folder")

    def names(self, folder: Path) -> list[str]:
        self._call("names")
        return sorted(path.name for path in self.names_now if path.parent == folder)

    def lock(self, path: Path) -> int:
        return self.open(path)

    def open(self, path: Path) -> int:
        self._call("open")
        return self._descriptor(path, self.names_now.setdefault(path, Inode()))

    def look(self, path: Path) -> int:
        self._call("look")
        if path not in self.names_now:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
        return self._descriptor(path, self.names_now[path])

    def size(self, fd: int) -> int:
        self._call("size")
        return len(self._open[fd][1].cache)

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        self._call("pread")
        path, inode = self._open[fd]
        if self.bad_places:
            for block in range(offset // 4096, -(-(offset + size) // 4096)):
                if (path, block) in self.bad_places:
                    raise OSError(errno.EIO, "bad block")
        with memoryview(inode.cache) as cache:
            return bytes(cache[offset : offset + size])

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        strike = self._strike_write(fd, data, offset)
        if strike:
            assert self.fault is not None
            count = len(data) // 2
            self._store(fd, data[:count], offset)
            if self.fault.kind == "error":
                raise OSError(self.fault.code, os.strerror(self.fault.code), "pwrite")
            return count
        self._store(fd, data, offset)
        return len(data)

    def fdatasync(self, fd: int) -> None:
        inode = self._open[fd][1]
        try:
            self._call("fdatasync")
        except OSError:
            inode.dirty.clear()  # as Linux: the pages are clean now, and were never written
            raise
        self._write_back(inode, inode.dirty)
        inode.dirty = set()

    def rename(self, old: Path, new: Path) -> None:
        self._call("rename")
        self.names_now[new] = self.names_now.pop(old)

    def remove(self, path: Path) -> None:
        self._call("remove")
        if path not in self.names_now:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
        del self.names_now[path]

    def sync_folder(self, folder: Path) -> None:
        self._call("sync_folder")
        self.names_durable = dict(self.names_now)

    def close(self, fd: int) -> None:
        del self._open[fd]

    def after_cut(self, chance: float, seed: int = 0) -> FaultyFiles:
        """The machine after power returns: of every unsynced sector, `chance` says whether it had been written."""
        random = Random(seed)
        survivor = FaultyFiles()
        names = self.names_now if random.random() < chance else self.names_durable
        for path, inode in names.items():
            kept = {sector for sector in sorted(inode.dirty) if random.random() < chance}
            copy = Inode(bytearray(inode.cache), bytearray(inode.disk), set())
            self._write_back(copy, kept)
            survivor.names_now[path] = Inode(bytearray(copy.disk), copy.disk, set())
        survivor.names_durable = dict(survivor.names_now)
        return survivor

    def after_kill(self) -> FaultyFiles:
        """The same machine after the process was killed: the cache survives."""
        survivor = FaultyFiles()
        survivor.names_now = self.names_now
        survivor.names_durable = self.names_durable
        return survivor

    def put(self, path: Path, data: bytes) -> None:
        """What is on the disk, for tests that damage it."""
        self.names_now[path] = self.names_durable[path] = Inode(bytearray(data), bytearray(data), set())

    def contents(self) -> dict[Path, bytes]:
        return {path: bytes(inode.cache) for path, inode in self.names_now.items()}

    def _strike_write(self, fd: int, data: bytes, offset: int) -> bool:
        try:
            return self._call("pwrite")
        except PowerCutError:
            if not self.log or self.log[-1] != "pwrite" or fd not in self._open:
                raise
            self._store(fd, data, offset)  # all in the cache: what of it reached the disk, `after_cut` decides
            raise

    def _store(self, fd: int, data: bytes, offset: int) -> None:
        inode = self._open[fd][1]
        end = offset + len(data)
        if len(inode.cache) < end:
            inode.cache.extend(bytes(end - len(inode.cache)))
        inode.cache[offset:end] = data
        inode.dirty.update(range(offset // SECTOR_BYTES, -(-end // SECTOR_BYTES)))
        self.written_bytes += len(data)

    @staticmethod
    def _write_back(inode: Inode, sectors: set[int]) -> None:
        if len(sectors) > 1 and max(sectors) - min(sectors) + 1 == len(sectors):
            spans = [(min(sectors), max(sectors) + 1)]
        else:
            spans = [(sector, sector + 1) for sector in sorted(sectors)]
        for first, end in spans:
            start = first * SECTOR_BYTES
            data = inode.cache[start : end * SECTOR_BYTES]
            if len(inode.disk) < start:
                inode.disk.extend(bytes(start - len(inode.disk)))
            inode.disk[start : start + len(data)] = data

    def _descriptor(self, path: Path, inode: Inode) -> int:
        self._next += 1
        self._open[self._next] = (path, inode)
        return self._next
