"""Errands to the spool: fetch backlog, say what is held. The only part of the uplink that waits for the disk."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Protocol

from agent.uplink.commands import Commands
from agent.uplink.flow import Flow, Stored
from agent.uplink.lanes import Parcel
from agent.uplink.receipts import Receipts, Starts
from wire.command import Command, Resend
from wire.ranges import Ranges
from wire.topics import Class

INBOX_LIMIT_COUNT = 64
log = logging.getLogger("wardlink.uplink")

Skip = Callable[[int, int, int], bool]


class Spool(Starts, Protocol):
    """What the uplink needs of the spool. An OSError is counted and tried again; anything else ends `run`."""

    async def backlog(self, limit_bytes: int, skip: Skip) -> Sequence[Stored]:
        """Durable envelopes that are not held and that `skip(cls, epoch, seq)` does not refuse.

        `skip` may be called from any thread. At least one envelope if there is any, whatever its size.
        """
        ...

    async def held(self, cls: int, epoch: int, ranges: list[tuple[int, int]]) -> int:
        """These are held; returns how many were not before."""
        ...

    async def lacked(self, cls: int, epoch: int, ranges: list[tuple[int, int]]) -> tuple[int, int]:
        """The centre lacks these: what is here is backlog again, the rest is owed a statement; how many of each."""
        ...


class Errands:
    """Runs when poked. `receipts` None means that an envelope the broker acknowledged counts as held.

    `utc`: microseconds since 1970 that have surely passed, None where nobody knows.
    """

    def __init__(
        self,
        spool: Spool,
        flow: Flow,
        receipts: Receipts | None,
        commands: Commands | None,
        clock: Callable[[], int],
        utc: Callable[[], int | None],
        on_backlog: Callable[[], None],
    ) -> None:
        self._spool = spool
        self._flow = flow
        self._receipts = receipts
        self._commands = commands
        self._clock = clock
        self._utc = utc
        self._on_backlog = on_backlog
        self.on_time: Callable[[bytes], None] = lambda data: None  # it does not wait here
        self._inbox: deque[tuple[str, bytes]] = deque()
        self._confirmed: dict[tuple[Class, int], Ranges] = {}
        self._report_due = False
        self._silent = False
        self._poked = asyncio.Event()
        self._last_round = False
        self.dropped: Counter[str] = Counter()  # what came and was not even read
        self.on_command: Callable[[Command, str], None] = lambda command, came: None  # taken; what came of a resend

    def poke(self) -> None:
        self._poked.set()

    def begin(self) -> None:
        self._last_round = False

    def finish(self) -> None:
        """One more round, then `run` returns."""
        self._last_round = self._report_due = True
        self._poked.set()

    def receive(self, topic: str, data: bytes) -> None:
        """Something came from the broker. Only receipts, commands and the time should."""
        word = topic.rpartition("/")[2]
        if word == "time":
            self.on_time(data)
        elif self._receipts is None or word not in ("receipt", "command"):
            self.dropped["topic"] += 1
        elif len(self._inbox) >= INBOX_LIMIT_COUNT:
            self.dropped["overflow"] += 1
        else:
            self._inbox.append((word, data))
            self._poked.set()

    def confirm(self, parcel: Parcel) -> None:
        """The broker acknowledged an envelope."""
        if self._receipts is None:
            self._confirmed.setdefault((parcel.cls, parcel.epoch), Ranges()).add(parcel.seq)

    def tick(self) -> None:
        """Once a second: what was confirmed goes to the spool in one batch."""
        if self._confirmed:
            self._report_due = True
            self._poked.set()

    async def run(self) -> None:
        while True:
            await self._poked.wait()
            self._poked.clear()
            is_last = self._last_round
            try:
                await self._report_confirmed()
                await self._read_inbox()
                await self._fetch()
                self._silent = False
            except OSError as error:
                self._failed(error)
            if is_last:
                return

    def _failed(self, error: OSError) -> None:
        self._flow.account.spool_errors += 1
        self._flow.refill((), self._clock())
        if not self._silent:
            log.warning("uplink spool=failing error=%r", str(error))
        self._silent = True

    async def _report_confirmed(self) -> None:
        if not self._report_due:
            return
        self._report_due = False
        for cls, epoch in list(self._confirmed):
            ranges = self._confirmed.pop((cls, epoch))
            try:
                self._flow.account.held[cls] += await self._spool.held(cls, epoch, ranges.pairs())
            except OSError:
                for first, last in ranges:
                    self._confirmed.setdefault((cls, epoch), Ranges()).add(first, last)
                raise

    async def _read_inbox(self) -> None:
        while self._inbox and self._receipts is not None and self._commands is not None:
            word, data = self._inbox.popleft()
            if word == "receipt":
                await self._read_receipt(self._receipts, self._commands, data)
            else:
                await self._obey(self._receipts, self._commands, data)

    async def _read_receipt(self, receipts: Receipts, commands: Commands, data: bytes) -> None:
        held = receipts.take(data, self._utc())
        commands.heard(receipts.utc, self._clock())
        for said in held:
            fresh = await self._spool.held(said.cls, said.epoch, said.ranges)
            self._flow.account.held[Class(said.cls)] += fresh
            self._flow.held(said, self._clock())
            if fresh:
                self._flow.heard(Class(said.cls), self._clock())

    async def _obey(self, receipts: Receipts, commands: Commands, data: bytes) -> None:
        """What the centre asks for goes again, here; what else it wants is for those who can."""
        command = commands.take(data, self._clock(), self._utc())
        if command is None:
            return
        if isinstance(command.said, Resend):
            receipts.asked(command.issued)  # it names all that the centre lacks: what it said before is not true now
            self.on_command(command, await self._resend(commands, command.said))
        else:
            self.on_command(command, "")

    async def _resend(self, commands: Commands, said: Resend) -> str:
        """What came of it, in words. Should the disk refuse, the centre asks again."""
        again = absent = 0
        for wanted in said.wanted:
            here, gone = await self._spool.lacked(wanted.cls, wanted.epoch, wanted.ranges)
            again += here
            absent += gone
            self._flow.lacked(wanted, self._clock())
        commands.again += again
        commands.absent += absent
        log.info("uplink command=resend again=%d absent=%d", again, absent)
        return f"{again} go again, {absent} are not here"

    async def _fetch(self) -> None:
        now = self._clock()
        if self._flow.wants_backlog(now):
            found = await self._spool.backlog(self._flow.trip.fetch_bytes(), self._flow.busy(now))
            self._flow.refill(found, self._clock())
            self._on_backlog()
            await asyncio.sleep(0)
