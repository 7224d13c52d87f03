"""The ear of a radio device: its tape and its hearing, joined. Each notification keeps its characteristic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from agent.ports.radio.packing import pack, unpack
from agent.ports.tape import Tape
from agent.sessions.hearing import Asked, Hearing
from agent.sessions.ward import Ward
from drivers.contract import Driver, Reached, Read, Send, Subscribe

OPENED = pack([("", b"")])  # on the tape: what comes now is of a new connection
RESTARTED = "the gateway was started again"


class Reach(Protocol):
    """How far one device came in its memory."""

    def __call__(self, mark: str | None = None) -> str:
        """The last mark that was said; `mark` is said now."""


class Ear:
    """Hears one device. Times are monotonic nanoseconds, and no two notifications have the same: the tape needs that.

    With a process its connections end, so no session goes on after a crash. What waits in the driver for the rest of
    its frame is told by characteristic, from how `pending` moves.
    """

    def __init__(
        self,
        ward: Ward,
        kind: Callable[[], Driver],
        port: str,
        tape: Tape,
        reach: Reach,
        hurry: Callable[[], None] = lambda: None,
    ) -> None:
        self.tape = tape
        self._kind = kind
        self._reach = reach
        self._asked: list[Subscribe | Read | Send] = []
        self._waiting: dict[str, bytes] = {}
        self._at = 0
        self.hearing = Hearing(ward, self._make, port, hurry, self._ask)

    def _make(self) -> Driver:
        driver = self._kind()
        driver.reached = self._reach()
        return driver

    def _ask(self, asked: Asked) -> None:
        if isinstance(asked, Reached):
            self._reach(asked.mark)
        else:
            self._asked.append(asked)

    def _taken(self) -> list[Subscribe | Read | Send]:
        asked, self._asked = self._asked, []
        return asked

    @property
    def wake_at(self) -> int | None:
        return self.hearing.wake_at

    def opened(self, now: int) -> list[Subscribe | Read | Send]:
        self._at = max(now, self._at + 1)
        self.tape.write(OPENED, self._at)
        self.hearing.opened(self._at)
        return self._taken()

    def heard(self, data: bytes, now: int, source: str) -> list[Subscribe | Read | Send]:
        self._at = max(now, self._at + 1)
        self.tape.write(pack([(source, data)]), self._at)
        self.hearing.heard(data, self._at, source)
        self._keep_waiting(source, data)
        return self._taken()

    def resume(self, chunk: bytes, now: int) -> None:
        """Hear again what an earlier process had on its tape. Nothing is sent."""
        for source, data in unpack(chunk):
            if not source:
                self.closed(now, RESTARTED)
                continue
            self.hearing.resume(data, now, self.tape.is_safe, source)
            self._keep_waiting(source, data)
        self._at = max(self._at, now)
        self._asked.clear()

    def woke(self, now: int) -> list[Subscribe | Read | Send]:
        self.hearing.woke(now)
        return self._taken()

    def closed(self, now: int, reason: str) -> None:
        self._waiting.clear()
        self.hearing.closed(now, reason)

    def half_frame(self) -> bytes:
        """For the tape: what waits in the driver."""
        return pack(self._waiting.items()) if self.hearing.session else b""

    def _keep_waiting(self, source: str, data: bytes) -> None:
        """The other characteristics wait with what they waited with; the rest is this one's."""
        before = self._waiting.pop(source, b"")
        others = sum(map(len, self._waiting.values()))
        size = min(max(0, self.hearing.driver.pending() - others), len(before) + len(data))
        if size:
            self._waiting[source] = (before + data)[-size:]
