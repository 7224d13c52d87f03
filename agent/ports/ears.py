"""Who listens to a port that nobody pinned: the search, and then whoever was found.

Whoever was found stays only as long as he is understood: bytes in which there is no frame of his for some seconds mean
that another device stands at the other end of the cable, and the search begins again (REQUIREMENTS NUR-03).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from agent.ports.line import Cable
from agent.ports.seek import Found
from agent.ports.serial_port import Ear
from drivers.contract import Counts, Serial

CHANGED = "another device"
CHANGED_NS = 5_000_000_000
CHANGED_BYTES = 60
UNANSWERED = "it does not answer any more"
UNANSWERED_NS = 30_000_000_000
SETTLE_NS = 150_000_000  # what the adapter still held of the old settings has come by then


class Heard(Ear, Protocol):
    """An ear that can count."""

    @property
    def counts(self) -> Counts: ...


class Search(Protocol):
    """Finding out who is there: `Seek` listens, `Asker` may ask as well."""

    @property
    def line(self) -> Serial: ...
    @property
    def wake_at(self) -> int | None: ...
    @property
    def tried(self) -> tuple[str, ...]: ...
    def heard(self, data: bytes, now: int) -> Found | None: ...
    def woke(self, now: int) -> None: ...
    def misread(self, now: int) -> None: ...
    def words(self, now: int) -> str: ...
    def to_send(self) -> list[bytes]: ...


class Searching:
    """The ear of the search: listens, turns the line, says what the search wants said."""

    def __init__(self, search: Search, cable: Cable) -> None:
        self._search = search
        self._cable = cable
        self._line = search.line
        self._misread = cable.misread
        self._settled_ns = 0
        self.found: Found | None = None
        self.end: Callable[[], None] = lambda: None
        self.forget: Callable[[], None] = lambda: None

    @property
    def wake_at(self) -> int | None:
        return self._search.wake_at

    def opened(self, now: int) -> Iterable[bytes]:
        self._settled_ns = now + SETTLE_NS
        return ()

    def heard(self, data: bytes, now: int) -> Iterable[bytes]:
        misread, before = self._cable.misread, self._misread
        self.found = self._search.heard(data, now)
        if self.found is not None:
            self.end()
        elif now < self._settled_ns:
            self._misread = misread
        elif misread > before and self._search.line == self._line:
            self._search.misread(now)
        self._turn(now)
        return self._search.to_send()

    def woke(self, now: int) -> Iterable[bytes]:
        self._search.woke(now)
        self._turn(now)
        return self._search.to_send()

    def closed(self, now: int, reason: str) -> None:
        """Nobody was there."""

    def _turn(self, now: int) -> None:
        if self._search.line != self._line:
            self._line = self._search.line
            self.forget()
            self._cable.become(self._line)
            self._misread, self._settled_ns = self._cable.misread, now + SETTLE_NS


class Watched:
    """The ear of who was found. To a device whose identity is only evidence it says nothing (DESIGN 5, rule 6).

    `speaks`: an engineer allowed this driver to ask here. Then silence, too, means that somebody else is there.
    """

    def __init__(self, ear: Heard, now: int, speaks: bool = False) -> None:
        self._ear = ear
        self._frames = self._skipped = 0
        self._good_ns = now
        self._speaks = speaks
        self.greeting: Iterable[bytes] = ()
        self.end: Callable[[str], None] = lambda reason: None

    @property
    def wake_at(self) -> int | None:
        lost = self._good_ns + UNANSWERED_NS if self._speaks else None
        wakes = [wake for wake in (self._ear.wake_at, lost) if wake is not None]
        return min(wakes, default=None)

    def opened(self, now: int) -> Iterable[bytes]:
        return self._allowed(self.greeting)

    def heard(self, data: bytes, now: int) -> Iterable[bytes]:
        counts = self._ear.counts
        sends = self._ear.heard(data, now)
        if counts.frames > self._frames:
            self._frames, self._skipped, self._good_ns = counts.frames, counts.skipped, now
        elif counts.skipped - self._skipped >= CHANGED_BYTES and now - self._good_ns >= CHANGED_NS:
            self.end(CHANGED)
        return self._allowed(sends)

    def woke(self, now: int) -> Iterable[bytes]:
        wake_at = self._ear.wake_at
        sends = self._ear.woke(now) if wake_at is not None and now > wake_at else ()
        if self._speaks and now - self._good_ns >= UNANSWERED_NS:
            self.end(UNANSWERED)
        return self._allowed(sends)

    def _allowed(self, sends: Iterable[bytes]) -> Iterable[bytes]:
        return sends if self._speaks else ()

    def closed(self, now: int, reason: str) -> None:
        self._ear.closed(now, reason)
