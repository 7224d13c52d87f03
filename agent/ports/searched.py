"""A port that nobody pinned: searched until somebody is understood on it, then read until it is unplugged.

Whoever was found stays only as long as he is understood: bytes in which there is no frame of his for some seconds mean
that another device stands at the other end of the cable, and the search begins again (REQUIREMENTS NUR-03).
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import termios
from collections.abc import Callable, Iterable
from typing import Protocol

from agent.ports.line import Cable, open_line
from agent.ports.seek import Found, Seek
from agent.ports.serial_port import Ear, Paper, Reading, Rounds, said
from drivers.contract import Counts, Driver, Serial

CHANGED = "another device"
CHANGED_NS = 5_000_000_000
CHANGED_BYTES = 60
RETRY_S = 1.0
log = logging.getLogger("wardlink.port")


class Heard(Ear, Protocol):
    """An ear that can count."""

    @property
    def counts(self) -> Counts: ...


class Blank:
    """Nothing is kept while nobody is understood: the search itself holds it."""

    def write(self, data: bytes, now: int) -> None:
        """Gone."""


class Searching:
    """The ear of the search: listens, turns the line, says nothing."""

    def __init__(self, seek: Seek, cable: Cable) -> None:
        self._seek = seek
        self._cable = cable
        self._line = seek.line
        self.found: Found | None = None
        self.end: Callable[[], None] = lambda: None

    @property
    def wake_at(self) -> int | None:
        return self._seek.wake_at

    def opened(self, now: int) -> Iterable[bytes]:
        return ()

    def heard(self, data: bytes, now: int) -> Iterable[bytes]:
        self.found = self._seek.heard(data, now)
        if self.found is not None:
            self.end()
        self._turn()
        return ()

    def woke(self, now: int) -> Iterable[bytes]:
        self._seek.woke(now)
        self._turn()
        return ()

    def closed(self, now: int, reason: str) -> None:
        """Nobody was there."""

    def _turn(self) -> None:
        if self._seek.line != self._line:
            self._line = self._seek.line
            self._cable.become(self._line)


class Watched:
    """The ear of who was found. It says nothing to a device whose identity is only evidence (DESIGN 5, rule 6)."""

    def __init__(self, ear: Heard, now: int) -> None:
        self._ear = ear
        self._frames = self._skipped = 0
        self._good_ns = now
        self.end: Callable[[], None] = lambda: None

    @property
    def wake_at(self) -> int | None:
        return self._ear.wake_at

    def opened(self, now: int) -> Iterable[bytes]:
        return ()

    def heard(self, data: bytes, now: int) -> Iterable[bytes]:
        counts = self._ear.counts
        self._ear.heard(data, now)
        if counts.frames > self._frames:
            self._frames, self._skipped, self._good_ns = counts.frames, counts.skipped, now
        elif counts.skipped - self._skipped >= CHANGED_BYTES and now - self._good_ns >= CHANGED_NS:
            self.end()
        return ()

    def woke(self, now: int) -> Iterable[bytes]:
        self._ear.woke(now)
        return ()

    def closed(self, now: int, reason: str) -> None:
        self._ear.closed(now, reason)


class SearchedPort:
    """`last` is the setting at which somebody was understood before.

    `meet` gives the ear and the paper for a driver that was found. `is_here` says whether `path` is still the name of
    this adapter: when several come and go together the kernel gives names anew, and another patient's device has it.
    """

    def __init__(
        self,
        path: str,
        kinds: Callable[[], Iterable[type[Driver]]],
        meet: Callable[[Found], tuple[Heard, Paper]],
        clock: Callable[[], int],
        rounds: Rounds,
        opener: Callable[[str, Serial], Cable] = open_line,
        last: Serial | None = None,
    ) -> None:
        self.is_here: Callable[[], bool] = lambda: True
        self.path = path
        self._state = "waiting"
        self._seek: Seek | None = None
        self._last = last
        self._kinds = kinds
        self._meet = meet
        self._clock = clock
        self._rounds = rounds
        self._opener = opener

    @property
    def state(self) -> str:
        return self._state if self._seek is None else self._seek.words(self._clock())

    async def run(self) -> None:
        """Until cancelled. A port that is gone or taken is tried again."""
        while True:
            try:
                await self._live()
            except (OSError, termios.error) as error:
                self._say(f"cannot open: {said(error)}")
            finally:
                self._seek = None
            await asyncio.sleep(RETRY_S)

    async def _live(self) -> None:
        """One plugging. Raises OSError, termios.error."""
        seek = Seek(self._kinds(), self._clock(), self._last)
        self._stay_here()
        cable = await asyncio.to_thread(self._opener, self.path, seek.line)
        try:
            self._stay_here()
            reason = CHANGED
            while reason == CHANGED:
                self._seek = seek
                found = await self._search(seek, cable)
                self._seek = None
                if found is None:
                    return
                reason = await self._listen(found, cable)
                seek = Seek(self._kinds(), self._clock(), self._last)
                cable.become(seek.line)
        finally:
            cable.close()

    def _stay_here(self) -> None:
        """Before it is opened, so that no other is disturbed; and after, when the name can be another's no more."""
        if not self.is_here():
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), self.path)

    async def _search(self, seek: Seek, cable: Cable) -> Found | None:
        """None: it was unplugged."""
        ear = Searching(seek, cable)
        reading = Reading(cable, ear, self._clock, Blank(), self._rounds)
        ear.end = lambda: reading.end("found")
        await reading.ended
        return ear.found

    async def _listen(self, found: Found, cable: Cable) -> str:
        """To who was found, from his first byte on; returns why it ended."""
        self._last = found.line
        inner, paper = self._meet(found)
        reason = "fault"
        try:
            inner.opened(found.heard[0][0])
            self._say("open")
            ear = Watched(inner, self._clock())
            for at, data in found.heard:
                paper.write(data, at)
                ear.heard(data, at)
            reading = Reading(cable, ear, self._clock, paper, self._rounds)
            ear.end = lambda: reading.end(CHANGED)
            reason = await reading.ended
        except asyncio.CancelledError:
            reason = "stopped"
            raise
        except OSError as error:
            reason = said(error)
        finally:
            inner.closed(self._clock(), reason)
            self._say("waiting")
            log.warning("port closed path=%s reason=%r", self.path, reason)
        return reason

    def _say(self, state: str) -> None:
        if state != self._state:
            self._state = state
            log.info("port path=%s state=%r", self.path, state)
