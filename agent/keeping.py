"""The spool on its one thread: fdatasync may take as long as the card likes, the event loop goes on.

Every call to the spool is made here, in order. A storage failure is a state to show, not an exception to die of: live
data still leaves by the other lane (DESIGN 3).
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from agent.spool.spool import Spool
from agent.spool.terms import Cause, Limits, Lost, Stat, StorageError, Stored
from wire.envelope import Header
from wire.ranges import Ranges

SAVE_ACKS_NS = 10_000_000_000
EVICTED_LIMIT_ENTRIES = 64
T = TypeVar("T")
log = logging.getLogger("wardlink.spool")


@dataclass(frozen=True, slots=True)
class Kept:
    """How a beat ended: whether all is durable, and the losses that the centre is still owed a word about."""

    durable: bool
    owed: list[Lost]


class Keeping:
    """Owns the spool and its thread. `problem` is empty while the disk does what it is told."""

    def __init__(self, folder: Path, quotas: dict[int, int], limits: Limits | None = None) -> None:
        self.problem = ""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._acks_at = 0
        self._evicted: dict[tuple[int, int], Ranges] = {}
        self.spool = self._thread.submit(Spool.open, folder, quotas, limits=limits).result()

    def append(self, header: Header, data: bytes) -> None:
        """Add one more envelope to the next `keep`. Only before the event loop uses the spool."""
        self.spool.append(Stored(int(header.cls), header.epoch, header.hour, header.seq, data))

    def was_durable(self, sealed: tuple[int, int, int]) -> bool:
        """Whether an envelope (epoch, class, seq) of an earlier epoch was in the spool when this one began."""
        epoch, cls, seq = sealed
        return self.spool.tails().get((epoch, cls), 0) > seq

    async def keep(self, envelopes: Sequence[tuple[Header, bytes]], told: Sequence[Lost], now: int) -> Kept:
        """Append and make durable. `told` are the losses that these envelopes declare."""
        return await self._on_thread(lambda: self._keep(envelopes, told, now))

    def _keep(self, envelopes: Sequence[tuple[Header, bytes]], told: Sequence[Lost], now: int) -> Kept:
        for header, data in envelopes:
            self.append(header, data)
        try:
            self.spool.commit()
            self.spool.declared(told)
            if now >= self._acks_at:
                self._acks_at = now + SAVE_ACKS_NS
                self.spool.save_acks()
        except StorageError as error:
            if self.problem != str(error):
                log.error("storage fails why=%r hint=%r", str(error), error.hint)
            self.problem = str(error)
            return Kept(False, self._owed())
        if self.problem:
            log.warning("storage works again")
        self.problem = ""
        return Kept(True, self._owed())

    def _owed(self) -> list[Lost]:
        """What was evicted is told together with all that was evicted before: in a long outage the envelope that told
        of it is evicted in its turn."""
        owed = self.spool.undeclared()
        for lost in owed:
            if lost.cause is Cause.EVICTED:
                self._evicted.setdefault((lost.epoch, lost.cls), Ranges()).add(lost.first, lost.last)
        if all(lost.cause is not Cause.EVICTED for lost in owed):
            return owed
        while len(self._evicted) > EVICTED_LIMIT_ENTRIES:
            del self._evicted[min(self._evicted)]
        again = [
            Lost(cls, epoch, first, last, Cause.EVICTED)
            for (epoch, cls), ranges in self._evicted.items()
            for first, last in ranges
        ]
        return [lost for lost in owed if lost.cause is not Cause.EVICTED] + again

    async def make_spare(self) -> None:
        """Prepare the next segment, between commits, before it is needed."""
        if self.spool.wants_spare:
            await self._on_thread(self.spool.make_spare)

    async def held(self, cls: int, epoch: int, ranges: Iterable[tuple[int, int]]) -> int:
        listed = list(ranges)
        return await self._on_thread(lambda: _as_os_error(lambda: self.spool.held(cls, epoch, listed)))

    async def backlog(self, limit_bytes: int, skip: Callable[[int, int, int], bool]) -> list[Stored]:
        return await self._on_thread(lambda: _as_os_error(lambda: self.spool.backlog(limit_bytes, skip)))

    async def stat(self) -> Stat:
        return await self._on_thread(self.spool.stat)

    async def close(self) -> None:
        try:
            await self._on_thread(self.spool.close)
        except StorageError as error:
            log.error("storage fails why=%r hint=%r", str(error), error.hint)
        self._thread.shutdown()

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _as_os_error(work: Callable[[], T]) -> T:
    """The uplink knows no spool: to it a disk that refuses is the system's error, counted and tried again."""
    try:
        return work()
    except StorageError as error:
        raise OSError(errno.EIO, str(error)) from error
