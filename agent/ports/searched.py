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
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.ports.ears import CHANGED, UNANSWERED, Heard, Search, Searching, Watched
from agent.ports.line import Cable, open_line
from agent.ports.plugs import Plug
from agent.ports.seek import Found, Seek
from agent.ports.serial_port import Paper, Reading, Rounds, said
from drivers.contract import Driver, Serial

if TYPE_CHECKING:
    from agent.ports.asking import Asked
    from drivers.lines import Kind

AGAIN = (CHANGED, UNANSWERED)
RETRY_S = 0.3
log = logging.getLogger("wardlink.port")


class Blank:
    """Nothing is kept while nobody is understood: the search itself holds it."""

    def write(self, data: bytes, now: int) -> None:
        """Gone."""


@dataclass(slots=True)
class Wish:
    """What is wanted of a search: all drivers there are, and those of them that an engineer allowed to ask here.

    `kinds` gives them for listening, mostly not loaded; `loaded` gives them where somebody is asked.

    `last`, `known`: the setting and the driver of last time; `talker`: who was understood here by listening since the
    adapter was plugged in. Nobody is asked where one was.
    """

    kinds: Callable[[], tuple[Kind, ...]]
    loaded: Callable[[], tuple[type[Driver], ...]]
    askable: tuple[type[Driver], ...] = ()
    last: Serial | None = None
    known: str = ""
    talker: str = ""


class SearchedPort:
    """`meet` gives the ear and the paper for a driver that was found.

    For people: `state`, `tried` (line settings at which nobody was understood), `asked` (what was sent), `why` (the
    evidence for who was found last) and the `plug`.

    `is_here` says whether its path is still the name of this adapter: when several come and go together the kernel
    gives names anew, and another patient's device has it.
    """

    def __init__(
        self,
        plug: Plug,
        wish: Wish,
        meet: Callable[[Found], tuple[Heard, Paper]],
        clock: Callable[[], int],
        rounds: Rounds,
        opener: Callable[[str, Serial], Cable] = open_line,
    ) -> None:
        self.plug = plug
        self.is_here: Callable[[], bool] = lambda: True
        self.why = ""
        self.asked: dict[tuple[str, str], Asked] = {}
        self._tried: dict[str, None] = {}
        self._state = "waiting"
        self._search: Search | None = None
        self._wish = wish
        self._meet = meet
        self._clock = clock
        self._rounds = rounds
        self._opener = opener

    @property
    def path(self) -> str:
        return self.plug.path

    @property
    def line(self) -> Serial | None:
        """At which somebody was understood last."""
        return self._wish.last

    @property
    def tried(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self._tried, *(self._search.tried if self._search else ()))))

    @property
    def state(self) -> str:
        if self._search is None:
            return self._state
        words = self._search.words(self._clock())
        talker = self._wish.talker if self._wish.askable else ""
        return (
            f"{words}; nobody is asked, for {talker} spoke here by itself: plug it in anew to ask" if talker else words
        )

    def speaks_to(self, kind: type[Driver]) -> bool:
        """Whether an engineer allowed this driver to speak here."""
        return kind in self._wish.askable

    async def run(self) -> None:
        """Until cancelled. A port that is gone or taken is tried again."""
        while True:
            try:
                await self._live()
            except (OSError, termios.error) as error:
                self._say(f"cannot open: {said(error)}")
            finally:
                self._over()
            await asyncio.sleep(RETRY_S)

    def _begin(self) -> Search:
        wish, now = self._wish, self._clock()
        if not wish.askable or wish.talker:
            return Seek(wish.kinds(), now, wish.last)
        from agent.ports.asking import Asker  # noqa: PLC0415  most gateways never ask

        return Asker(wish.loaded(), now, wish.last, wish.askable, wish.known, self.asked)

    def _over(self) -> None:
        if self._search is not None:
            self._tried |= dict.fromkeys(self._search.tried)
            self._search = None

    async def _live(self) -> None:
        """One plugging. Raises OSError, termios.error."""
        search = self._begin()
        self._stay_here()
        cable = await asyncio.to_thread(self._opener, self.path, search.line)
        try:
            self._stay_here()
            reason = CHANGED
            while reason in AGAIN:
                self._search = search
                found = await self._find(search, cable)
                self._over()
                if found is None:
                    return
                reason = await self._listen(found, cable)
                if reason in AGAIN:  # else there is no line any more that could be set
                    search = self._begin()
                    cable.become(search.line)
        finally:
            cable.close()

    def _stay_here(self) -> None:
        """Before it is opened, so that no other is disturbed; and after, when the name can be another's no more."""
        if not self.is_here():
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), self.path)

    async def _find(self, search: Search, cable: Cable) -> Found | None:
        """None: it was unplugged."""
        ear = Searching(search, cable)
        reading = Reading(cable, ear, self._clock, Blank(), self._rounds)
        ear.end = lambda: reading.end("found")
        ear.forget = reading.forget
        await reading.ended
        return ear.found

    async def _listen(self, found: Found, cable: Cable) -> str:
        """To who was found, from his first byte on; returns why it ended."""
        wish, who = self._wish, found.kind.info.id
        speaks = self.speaks_to(found.kind)
        wish.last, wish.known, wish.talker, self.why = found.line, who, "" if speaks else who, found.why
        inner, paper = self._meet(found)
        reason = "fault"
        try:
            ear = Watched(inner, self._clock(), speaks)
            greeting = inner.opened(found.heard[0][0])
            ear.greeting = () if found.is_asked else greeting  # else they were sent while asking, and were answered
            self._say("open")
            self._tell(found, ear, inner, paper)
            reading = Reading(cable, ear, self._clock, paper, self._rounds)
            ear.end = reading.end
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

    def _tell(self, found: Found, ear: Watched, inner: Heard, paper: Paper) -> None:
        """What was heard while searching, once more, to who was found; what he wants sent was sent then."""
        for at, data in found.heard:
            if data:
                paper.write(data, at)
                ear.heard(data, at)
            elif inner.wake_at is not None and at > inner.wake_at:
                inner.woke(at)

    def _say(self, state: str) -> None:
        if state != self._state:
            self._state = state
            log.info("port path=%s state=%r", self.path, state)
