"""The card of a simulated gateway: the faulty disk of the crash tests, ill for a while instead of at one call."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from random import Random

from tests.crash.faulty import SECTOR_BYTES, FaultyFiles, PowerCutError

WRITES = frozenset({"open", "pwrite", "fdatasync", "rename", "sync_folder", "make_folder", "lock"})
QUICK_S = 0.0002
SYNC_S = 0.004


class KilledError(Exception):
    """The process was killed at this call; the machine goes on."""


class Card(FaultyFiles):
    """`ill` maps the kind of an illness to how often it strikes (0..1); `cost_s` is what the last job took."""

    def __init__(self, random: Random, count) -> None:
        super().__init__()
        self._random = random
        self._count = count
        self.ill: dict[str, float] = {}
        self.slow_s = 0.0
        self.cost_s = 0.0
        self.rotten: set[Path] = set()  # files that are not as they were written
        self.fatal: tuple[int, str] | None = None  # (calls from now, "cut" or "kill")

    def _call(self, what: str) -> bool:
        if self.off:
            raise PowerCutError(what)
        self.calls += 1
        self.cost_s += (self.slow_s or SYNC_S) if what == "fdatasync" else QUICK_S
        if self.fatal is not None:
            self._approach(what)
        for kind, chance in self.ill.items():
            if self._random.random() < chance:
                self._suffer(kind, what)
        return False

    def _approach(self, what: str) -> None:
        calls, kind = self.fatal
        if calls > 0:
            self.fatal = calls - 1, kind
            return
        self.fatal = None
        self.off = True
        self.log.append(what)  # what `_strike_write` looks at: the data of this write are in the cache
        raise PowerCutError(what) if kind == "cut" else KilledError(what)

    def _suffer(self, kind: str, what: str) -> None:
        code = {"eio": errno.EIO, "erofs": errno.EROFS, "enospc": errno.ENOSPC}.get(kind)
        if code is None or (what not in WRITES and kind != "eio"):
            return
        self._count(f"disk {kind}")
        raise OSError(code, os.strerror(code), what)

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        inode = self._open[fd][1]
        if "full" in self.ill and offset + len(data) > len(inode.cache):
            self._call("pwrite")
            self._count("disk full")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if "short" in self.ill and self._random.random() < self.ill["short"]:
            self._count("disk short write")
            self._call("pwrite")
            half = (len(data) + 1) // 2
            self._store(fd, data[:half], offset)
            return half
        return super().pwrite(fd, data, offset)

    def _after(self, survivor: FaultyFiles) -> Card:
        heir = Card(self._random, self._count)
        heir.names_now, heir.names_durable = survivor.names_now, survivor.names_durable
        heir.ill, heir.slow_s, heir.bad_places = self.ill, self.slow_s, self.bad_places
        heir.rotten = self.rotten
        heir.calls, heir.written_bytes = self.calls, self.written_bytes
        return heir

    def cut(self) -> Card:
        """The card after the power returned: of what was not synced some sectors had been written, in any order."""
        chance = self._random.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        return self._after(self.after_cut(chance, self._random.randrange(1 << 30)))

    def image(self) -> Card:
        """A copy of what is surely on it."""
        return self._after(self.after_cut(0.0))

    def killed(self) -> Card:
        """The card for the next process."""
        return self._after(self.after_kill())

    def rot(self, size: int = 1) -> tuple[Path, int] | None:
        """Flip a bit in each of `size` neighbouring bytes of a file; where, or None where there is nothing."""
        files = [path for path, inode in sorted(self.names_now.items()) if any(inode.disk)]
        if not files:
            return None
        path = self._random.choice(files)
        inode = self.names_now[path]
        self.rotten.add(path)
        used = len(bytes(inode.disk).rstrip(b"\0"))
        at = self._random.randrange(used)
        for place in range(at, min(at + size, used)):
            if place // SECTOR_BYTES not in inode.dirty:
                flipped = inode.disk[place] ^ (1 << self._random.randrange(8))
                inode.disk[place] = inode.cache[place] = flipped
        return path, at
