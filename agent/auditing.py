"""The audit log of the running daemon: entries are said at once and written on the thread that waits for the disk.

What is refused is counted and said in one entry: the first at once, then at most one an hour, so that a flood of forged
commands cannot push out what happened before it. A disk that refuses keeps the entries waiting, and is tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from agent.audit import Audit
from wire.audit import Head

REFUSALS_NS = 3_600_000_000_000
RETRY_S = 30.0
WAITING_LIMIT_COUNT = 256
OnThread = Callable[[Callable[[], None]], Awaitable[None]]
log = logging.getLogger("wardlink.audit")


class Auditing:
    """`on_thread` runs what waits for a disk; `now` is monotonic nanoseconds; `told` hears each new head."""

    def __init__(self, audit: Audit, on_thread: OnThread, now: Callable[[], int], told: Callable[[Head], None]) -> None:
        self._audit = audit
        self._on_thread = on_thread
        self._now = now
        self._told = told
        self._waiting: deque[tuple[str, str, dict[str, str]]] = deque()
        self._dropped = 0
        self._refused: Counter[str] = Counter()
        self._refused_at = 0
        self._due = asyncio.Event()
        self.problem = ""

    def say(self, who: str, what: str, **detail: str) -> None:
        """No patient data and no secret; texts of others are escaped and cut."""
        if len(self._waiting) >= WAITING_LIMIT_COUNT:
            self._dropped += 1
            return
        self._waiting.append((who, what, detail))
        self._due.set()

    def refused(self, reason: str) -> None:
        """A command that changes nothing: counted."""
        self._refused[reason] += 1
        self._due.set()

    async def run(self) -> None:
        """Write what is said, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._wait_s()):
                    await self._due.wait()
            self._due.clear()
            await self.write()

    async def write(self, last: bool = False) -> None:
        """All that waits, durably; `last`: the counts too, however new they are."""
        self._say_counts(last)
        if not self._waiting:
            return
        try:
            await self._on_thread(self._append)
        except OSError as error:
            if not self.problem:
                log.error("audit log cannot be written why=%r", str(error))
            self.problem = f"the audit log cannot be written: {error.strerror or error}"
            return
        self.problem = ""

    def _append(self) -> None:
        while self._waiting:
            who, what, detail = self._waiting[0]
            head = self._audit.append(who, what, **detail)
            self._waiting.popleft()
            self._told(head)

    def _say_counts(self, last: bool) -> None:
        if self._refused and (last or self._now() >= self._refused_at):
            self._refused_at = self._now() + REFUSALS_NS
            self.say("centre", "refused", **{word: str(count) for word, count in self._refused.items()})
            self._refused.clear()
        if self._dropped and len(self._waiting) < WAITING_LIMIT_COUNT:
            dropped, self._dropped = self._dropped, 0
            self.say("audit", "dropped", entries=str(dropped))

    def _wait_s(self) -> float | None:
        if self.problem:
            return RETRY_S
        return max(0.0, (self._refused_at - self._now()) / 1e9) if self._refused else None
