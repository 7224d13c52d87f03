"""A serial port: opened, read in gathered chunks, lost and found again.

Bytes are gathered for a tenth of a second before they are read: at 500 frames a second the cost is the wake-up, not
the work. A stamp is therefore up to GATHER_S later than the last byte; waves are timed by count, so they do not
suffer. What the kernel holds when the port is opened is kept. An unplugged device is an event; the port waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import termios
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from agent.ports.line import Cable, Cord, open_line
from agent.ports.tape import Tape
from drivers.contract import Serial

GATHER_S = 0.1
TTY_BYTES = 4095  # what one read of a tty gives at most; the kernel then has more
RETRY_S = 0.5
READ_LIMIT_BYTES = 65536
WRITE_LIMIT_BYTES = 65536
log = logging.getLogger("wardlink.port")


class Ear(Protocol):
    """Who listens to a port. Times are monotonic nanoseconds; what is returned is sent."""

    @property
    def wake_at(self) -> int | None: ...
    def opened(self, now: int) -> Iterable[bytes]: ...
    def heard(self, data: bytes, now: int) -> Iterable[bytes]: ...
    def woke(self, now: int) -> Iterable[bytes]: ...
    def closed(self, now: int, reason: str) -> None: ...


class Paper(Protocol):
    """What is read is written on it before it is heard: a tape."""

    def write(self, data: bytes, now: int) -> None: ...


class Rounds:
    """Reads of all ports in one wake-up: each waking costs more than its reads.

    `every_s` 0: at once, for a port of which the kernel keeps little.
    """

    def __init__(self, every_s: float = GATHER_S) -> None:
        self._every_s = every_s
        self._steps: list[Callable[[], None]] = []
        self._is_due = False

    def join(self, step: Callable[[], None]) -> None:
        """Call `step` in the next round."""
        if not self._is_due:
            self._is_due = True
            loop = asyncio.get_running_loop()
            loop.call_later(self._every_s - loop.time() % self._every_s if self._every_s else 0.0, self._turn)
        self._steps.append(step)

    def leave(self, step: Callable[[], None]) -> None:
        """Do not call it after all."""
        if step in self._steps:
            self._steps.remove(step)

    def _turn(self) -> None:
        self._is_due = False
        steps, self._steps = self._steps, []
        for step in steps:
            step()


class KeptPort:
    """Keeps one way to a device open and feeds one ear. `state` is for status: waiting, open, or why it is not.

    `opening` opens it, or raises OSError; `reading` reads what was opened until it is lost.
    """

    def __init__(
        self,
        path: str,
        opening: Callable[[], Awaitable[Cord]],
        reading: Callable[[Cord], Reading],
        ear: Ear,
        clock: Callable[[], int],
    ) -> None:
        self.path = path
        self.state = "waiting"
        self._opening = opening
        self._reading = reading
        self._ear = ear
        self._clock = clock

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            cord = await self._open()
            reason = "fault"
            try:
                reason = await self._reading(cord).ended
            except asyncio.CancelledError:
                reason = "stopped"
                raise
            except OSError as error:
                reason = said(error)
            finally:
                cord.close()
                self.state = "waiting"
                self._ear.closed(self._clock(), reason)
                log.warning("port closed path=%s reason=%r", self.path, reason)

    async def _open(self) -> Cord:
        """Wait until it is there and opens."""
        while True:
            try:
                cord = await self._opening()
            except (OSError, termios.error) as error:
                state = f"cannot open: {said(error)}"
                if state != self.state:
                    self.state = state
                    log.warning("port waits path=%s why=%r", self.path, state)
                await asyncio.sleep(RETRY_S)
            else:
                self.state = "open"
                log.info("port open path=%s", self.path)
                return cord


class SerialPort(KeptPort):
    """A path and how its line is set."""

    def __init__(
        self,
        path: str,
        line: Serial,
        ear: Ear,
        clock: Callable[[], int],
        tape: Tape,
        rounds: Rounds,
        opener: Callable[[str, Serial], Cable] = open_line,
    ) -> None:
        async def opening() -> Cord:
            return await asyncio.to_thread(opener, path, line)

        super().__init__(path, opening, lambda cord: Reading(cord, ear, clock, tape, rounds), ear, clock)


class Reading:
    """Reads one open port every GATHER_S while bytes come, and waits for the first byte where they do not.

    Callbacks, not a task: a task's bookkeeping would cost more than the work. Whatever is raised ends the reading and
    comes out of `ended`, whose result is why the port was lost.
    """

    gone = "unplugged"  # why it was lost where the other end is not there any more

    def __init__(self, port: Cord, ear: Ear, clock: Callable[[], int], tape: Paper, rounds: Rounds) -> None:
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[str] = self._loop.create_future()
        self.ended.add_done_callback(lambda _: self._stop())
        self._port = port
        self._fd = port.fileno()
        self._ear = ear
        self._clock = clock
        self._tape = tape
        self._rounds = rounds
        self._unsent = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._waits = False
        self._told = False
        self._full = False
        self._step(lambda: self._send(ear.opened(clock())))

    def _step(self, work: Callable[[], None]) -> None:
        """One piece of work, then whatever must come next."""
        if self.ended.done():
            return
        try:
            work()
            self._plan()
        except Exception as error:  # noqa: BLE001  handed on to whoever awaits `ended`
            self.ended.set_exception(error)

    def _plan(self) -> None:
        """What comes next: a read in the next round while bytes come, else a timer for when the driver wants one."""
        self._cancel_timer()
        if not self._waits:
            if self._full:
                self._loop.call_soon(self._next)
            else:
                self._rounds.join(self._next)
            return
        wake_at = self._ear.wake_at
        delay = None if wake_at is None else max(0.0, (wake_at - self._clock()) / 1e9 + 0.001)
        if self._unsent:
            delay = GATHER_S if delay is None else min(delay, GATHER_S)
        if delay is not None:
            self._timer = self._loop.call_later(delay, self._next)

    def _next(self) -> None:
        self._step(self._work)

    def _work(self) -> None:
        now = self._clock()
        if self._ear.wake_at is not None and now > self._ear.wake_at:
            self._send(self._ear.woke(now))
        elif self._unsent:
            self._send(())
        if not self._waits:
            self._read()

    def _read(self) -> None:
        """What is there. Nothing is no news (VMIN is 0), unless the kernel had just said that there is something."""
        told, self._told = self._told, False
        try:
            data = self._port.read(READ_LIMIT_BYTES)
        except BlockingIOError:
            data, told = b"", False
        self._full = len(data) >= TTY_BYTES
        if not data and told:
            self.ended.set_result(self.gone)
            return
        if not data:
            self._wait()
            return
        now = self._clock()
        self._tape.write(data, now)
        self._send(self._ear.heard(data, now))

    def _wait(self) -> None:
        """For the first byte."""
        self._waits = True
        self._loop.add_reader(self._fd, self._step, self._bytes_came)

    def _bytes_came(self) -> None:
        self._waits = False
        self._told = True
        self._loop.remove_reader(self._fd)

    def _send(self, frames: Iterable[bytes]) -> None:
        for frame in frames:
            self._unsent += frame
        if len(self._unsent) > WRITE_LIMIT_BYTES:
            log.warning("port does not take what is sent dropped_bytes=%d", len(self._unsent))
            self._unsent.clear()
        if self._unsent:
            try:
                del self._unsent[: self._port.write(self._unsent)]
            except BlockingIOError:
                return

    def forget(self) -> None:
        """What has not been sent yet is not sent."""
        self._unsent.clear()

    def end(self, reason: str) -> None:
        """No more is read, for our own reason."""
        if not self.ended.done():
            self.ended.set_result(reason)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop(self) -> None:
        self._cancel_timer()
        self._rounds.leave(self._next)
        if self._waits:
            self._loop.remove_reader(self._fd)


def said(error: Exception) -> str:
    """The system's own words; termios keeps its number in its arguments."""
    number = getattr(error, "errno", None) or next(iter(error.args), None)
    return os.strerror(number) if isinstance(number, int) else str(error)
