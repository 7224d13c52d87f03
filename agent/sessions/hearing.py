"""The ear of a port: gives its bytes to a fresh driver for each session, and takes what the driver says.

Only bytes on the driver's own allow-list leave here (DESIGN 5, rule 6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from agent.sessions.session import Session
from agent.sessions.ward import Ward
from drivers.contract import (
    Counts,
    DeviceTime,
    Driver,
    Identity,
    Numeric,
    Output,
    PatientId,
    Reached,
    Read,
    Send,
    Subscribe,
    Wave,
)
from wire.topics import Class

TAIL_LIMIT_BYTES = 70_000
Asked = Subscribe | Read | Send | Reached  # what the host of a radio does itself
SAID_ONCE = {Class.VITAL: (Numeric, DeviceTime, PatientId), Class.WAVE: (Wave,)}


class Hearing:
    """One port, pinned to one kind of driver. Times are monotonic nanoseconds.

    `ask` is told what the driver asks for, with the characteristic, and how far it came; a serial line needs neither.
    """

    def __init__(
        self,
        ward: Ward,
        make: Callable[[], Driver],
        port: str,
        hurry: Callable[[], None] = lambda: None,
        ask: Callable[[Asked], None] = lambda asked: None,
    ) -> None:
        self.port = port
        self.session: Session | None = None
        self._ward = ward
        self._make = make
        self._hurry = hurry
        self._ask = ask
        self._driver = make()
        self._tail = b""

    @property
    def driver(self) -> Driver:
        return self._driver

    @property
    def driver_id(self) -> str:
        return self._driver.info.id

    @property
    def counts(self) -> Counts:
        return self._driver.counts

    @property
    def wake_at(self) -> int | None:
        return self._driver.wake_at

    def opened(self, now: int) -> list[bytes]:
        if self.session is None:
            self._begin(now)
        return self._take(self._driver.on_open(now), now)

    def heard(self, data: bytes, now: int, source: str = "") -> list[bytes]:
        self._tail = (self._tail + data)[-TAIL_LIMIT_BYTES:]
        answers = self._take(self._driver.on_bytes(data, now, source), now)
        self._tail = self.half_frame()
        return answers

    def resume(
        self, data: bytes, now: int, is_safe: Callable[[int, int], bool] = lambda now, cls: False, source: str = ""
    ) -> None:
        """Hear again what an earlier process had read and not made durable; the session goes on when the port opens.

        `is_safe(now, class)`: that class of it was durable, so its samples or readings are not said again; states are,
        as at the start of every session. Where the driver fails the session ends, as it did then.
        """
        if self.session is None:
            self._begin(now)
        good = False
        try:
            self._tail = (self._tail + data)[-TAIL_LIMIT_BYTES:]
            said = list(self._driver.on_bytes(data, now, source))
            told = [kinds for cls, kinds in SAID_ONCE.items() if is_safe(now, cls)]
            self._take([one for one in said if not any(isinstance(one, kinds) for kinds in told)], now)
            self._tail = self.half_frame()
            good = True
        finally:
            if not good:
                self.closed(now, "fault")

    def half_frame(self) -> bytes:
        """The bytes that wait in the driver for the rest of their frame."""
        pending = min(self._driver.pending(), len(self._tail)) if self.session else 0
        return self._tail[len(self._tail) - pending :]

    def woke(self, now: int) -> list[bytes]:
        return self._take(self._driver.on_time(now), now)

    def closed(self, now: int, reason: str) -> None:
        if self.session is not None:
            self._ward.close(self.session, now // 1000, reason)
            self.session = None

    def _begin(self, now: int) -> None:
        self._driver = self._make()
        self._tail = b""
        self.session = self._ward.open(self._driver, self.port, now // 1000)

    def _take(self, outputs: Iterable[Output], now: int) -> list[bytes]:
        assert self.session is not None, "a port speaks before it is open"
        outputs = list(outputs)  # the driver counts as it goes: all of it first
        asked = [one for one in outputs if isinstance(one, Asked)]
        sends = self._split(outputs, now) if any(type(one) is Identity for one in outputs) else []
        sends += self.session.hear(outputs, now // 1000)
        if self.session.urgent:
            self._hurry()
        allowed = [self._allowed(send) for send in sends]
        for one in asked:
            self._ask(one)
        return allowed

    def _split(self, outputs: list[Output], now: int) -> list[Send]:
        """Who gives another serial number is another device: what comes after it is of a session of its own.

        The driver goes on: it has begun to read the other's frames. What stands is said again, for a driver says a
        state when it changes, and it holds what the line says now. Leaves in `outputs` what is of the last device.
        """
        assert self.session is not None
        sends: list[Send] = []
        before: list[Output] = []
        for one in outputs:
            if isinstance(one, Identity) and self.session.is_other(one):
                sends += self.session.hear(before, now // 1000)
                before = self.session.standing()
                self._ward.close(self.session, now // 1000, "another device")
                self.session = self._ward.open(self._driver, self.port, now // 1000)
            before.append(one)
        outputs[:] = before
        return sends

    def _allowed(self, send: Send) -> bytes:
        assert self._driver.info.allows(send.data), f"{self.driver_id}: {send.data.hex()} is not on its allow-list"
        return send.data
