"""The spool on its one thread: fdatasync may take as long as the card likes, the event loop goes on.

Every call to the spool is made here, in order. A storage failure is a state to show, not an exception to die of: live
data still leaves by the other lane (DESIGN 3).
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from agent.owing import Owing
from agent.spool.spool import Spool
from agent.spool.terms import Lost, Stat, StorageError, Stored
from wire.envelope import Header

ENDED_EPOCHS_LIMIT = 16
SAVE_ACKS_NS = 10_000_000_000
T = TypeVar("T")
log = logging.getLogger("wardlink.spool")


@dataclass(frozen=True, slots=True)
class Kept:
    """How a beat ended: whether all is durable, and the losses that the centre is still owed a word about."""

    durable: bool
    owed: list[Lost]


class Keeping:
    """Owns the spool and its thread. `problem` is empty while the disk does what it is told."""

    def __init__(self, thread: Executor, open_spool: Callable[[], Spool]) -> None:
        self.problem = ""
        self._thread = thread
        self._acks_at = 0
        self._owing = Owing()
        self.spool = thread.submit(open_spool).result()

    def append(self, header: Header, data: bytes) -> None:
        """Add one more envelope to the next `keep`. Only before the event loop uses the spool."""
        self.spool.append(Stored(int(header.cls), header.epoch, header.hour, header.seq, data))

    def was_durable(self, sealed: tuple[int, int, int]) -> bool:
        """Whether an envelope (epoch, class, seq) of an earlier epoch was in the spool when this one began."""
        epoch, cls, seq = sealed
        return self.spool.tails().get((epoch, cls), 0) > seq

    def ends(self) -> list[tuple[int, int, int]]:
        """(epoch, class, the number after the last) of the epochs before; not where a file could not be read."""
        classes = self.spool.stat().classes
        tails = self.spool.tails().items()
        return sorted(
            (epoch, cls, following)
            for (epoch, cls), following in tails
            if epoch >= self.spool.epoch - ENDED_EPOCHS_LIMIT and not classes[cls].unread_files
        )

    async def keep(self, envelopes: Sequence[tuple[Header, bytes]], told: Sequence[Lost], now: int) -> Kept:
        """Append and make durable. `told` are the losses that these envelopes declare."""
        return await self.on_thread(lambda: self._keep(envelopes, told, now))

    def _keep(self, envelopes: Sequence[tuple[Header, bytes]], told: Sequence[Lost], now: int) -> Kept:
        for header, data in envelopes:
            self.append(header, data)
        try:
            self.spool.commit()
            self._owing.said((header for header, _ in envelopes), told)
            if now >= self._acks_at:
                self._acks_at = now + SAVE_ACKS_NS
                self.spool.save_acks()
        except StorageError as error:
            if self.problem != str(error):
                log.error("storage fails why=%r hint=%r", str(error), error.hint)
            self.problem = str(error)
            return Kept(False, self._owing.due(self.spool.undeclared()))
        if self.problem:
            log.warning("storage works again")
        self.problem = ""
        return Kept(True, self._owing.due(self.spool.undeclared()))

    async def make_spare(self) -> None:
        """Prepare the next segment, between commits, before it is needed."""
        if self.spool.wants_spare:
            await self.on_thread(self.spool.make_spare)

    async def held(self, cls: int, epoch: int, ranges: Iterable[tuple[int, int]]) -> int:
        listed = list(ranges)
        return await self.on_thread(lambda: _as_os_error(lambda: self._held(cls, epoch, listed)))

    def _held(self, cls: int, epoch: int, ranges: list[tuple[int, int]]) -> int:
        news = self.spool.held(cls, epoch, ranges)
        self.spool.declared(self._owing.held(cls, epoch, ranges))
        return news

    async def lacked(self, cls: int, epoch: int, ranges: Iterable[tuple[int, int]]) -> tuple[int, int]:
        listed = list(ranges)
        return await self.on_thread(lambda: self.spool.lacked(cls, epoch, listed))

    async def backlog(self, limit_bytes: int, skip: Callable[[int, int, int], bool]) -> list[Stored]:
        return await self.on_thread(lambda: _as_os_error(lambda: self.spool.backlog(limit_bytes, skip)))

    async def readable_again(self) -> bool:
        return await self.on_thread(self.spool.readable_again)

    async def stat(self) -> Stat:
        return await self.on_thread(self.spool.stat)

    async def close(self) -> None:
        try:
            await self.on_thread(self.spool.close)
        except StorageError as error:
            log.error("storage fails why=%r hint=%r", str(error), error.hint)
        self._thread.shutdown()

    async def on_thread(self, work: Callable[[], T]) -> T:
        """What waits for a disk, one after the other: the calls to the spool, and others' between them."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _as_os_error(work: Callable[[], T]) -> T:
    """The uplink knows no spool: to it a disk that refuses is the system's error, counted and tried again."""
    try:
        return work()
    except StorageError as error:
        raise OSError(errno.EIO, str(error)) from error
