"""Making a folder of another gateway's envelopes: a spool like ours, which `Spool.open` reads and nobody appends to."""

from __future__ import annotations

import errno
from collections import deque
from pathlib import Path

from agent.spool.acks import Acks
from agent.spool.chain import Chain
from agent.spool.files import Disk, Files
from agent.spool.terms import Accepted, Limits, Stored

GROUP_BYTES = 1 << 20
NO_QUOTA_BYTES = 1 << 62
EPOCH_LIMIT = 1 << 31  # a spool that is opened counts on from the newest it has


class Foreign:
    """Give it envelopes class by class, ascending by (epoch, seq). OSError: throw the folder away."""

    def __init__(self, folder: Path, files: Files | None = None, limits: Limits | None = None) -> None:
        self._files = files or Disk()
        self._folder = folder
        self._limits = limits or Limits()
        self._files.make_folder(folder)
        self._acks = Acks(self._files, folder)
        self._chains: dict[int, Chain] = {}
        self._waiting: deque[Stored] = deque()
        self._waiting_bytes = 0

    def append(self, stored: Stored) -> None:
        if self._waiting and (self._waiting[0].cls != stored.cls or self._waiting_bytes >= GROUP_BYTES):
            self._flush()
        self._waiting.append(stored)
        self._waiting_bytes += len(stored.data)

    def close(self) -> None:
        """All of it is durable."""
        self._flush()
        for chain in self._chains.values():
            chain.close()
        self._files.sync_folder(self._folder)

    def _flush(self) -> None:
        if not self._waiting:
            return
        cls = self._waiting[0].cls
        if cls not in self._chains:
            self._chains[cls] = Chain(self._files, self._folder, cls, NO_QUOTA_BYTES, self._limits.segment_bytes)
        accepted: list[Accepted] = []
        self._chains[cls].flush(self._waiting, accepted, self._acks)
        self._waiting_bytes = 0
        if self._chains[cls].spares_refused:
            raise OSError(errno.ENOSPC, "no room for another segment")
