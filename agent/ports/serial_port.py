"""A serial port: opened, read in gathered chunks, lost and found again.

Bytes are gathered for a tenth of a second before they are read: at 500 frames a second the cost is the wake-up, not
the work. A stamp is therefore up to GATHER_S later than the last byte; waves are timed by count, so they do not
suffer. What the kernel holds when the port is opened is kept. An unplugged device is an event; the port waits for it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import termios
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import serial

from agent.ports.tape import Tape
from drivers.contract import Serial

GATHER_S = 0.1
TTY_BYTES = 4095  # what one read of a tty gives at most; the kernel then has more
RETRY_S = 0.5
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


class _Line(serial.Serial):
    """pyserial throws away what the kernel holds when it opens a port; those are a patient's samples."""

    def _reset_input_buffer(self) -> None:
        """Keep it."""


def open_line(path: str, line: Serial) -> serial.Serial:
    """Open a port with these line settings, for us alone. Raises OSError, termios.error."""
    if not Path(path).exists():
        raise FileNotFoundError(errno.ENOENT, "no such port", path)
    port = _Line(None, line.baud, line.bits, line.parity, line.stop, timeout=0, write_timeout=0, exclusive=True)
    port.port = path
    port.dtr, port.rts = line.dtr, line.rts
    port.open()
    return port


class SerialPort:
    """Keeps one path open and feeds one ear. `state` is for status: waiting, open, or why it could not be opened."""

    def __init__(self, path: str, line: Serial, ear: Ear, clock: Callable[[], int], tape: Tape) -> None:
        self.path = path
        self.state = "waiting"
        self._line = line
        self._ear = ear
        self._clock = clock
        self._tape = tape

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            port = await self._open()
            reason = "fault"
            try:
                reason = await Reading(port.fileno(), self._ear, self._clock, self._tape).ended
            except asyncio.CancelledError:
                reason = "stopped"
                raise
            except OSError as error:
                reason = _said(error)
            finally:
                port.close()
                self.state = "waiting"
                self._ear.closed(self._clock(), reason)
                log.warning("port closed path=%s reason=%r", self.path, reason)

    async def _open(self) -> serial.Serial:
        """Wait until the path is there and opens."""
        while True:
            try:
                port = await asyncio.to_thread(open_line, self.path, self._line)
            except (OSError, termios.error) as error:
                state = f"cannot open: {_said(error)}"
                if state != self.state:
                    self.state = state
                    log.warning("port waits path=%s why=%r", self.path, state)
                await asyncio.sleep(RETRY_S)
            else:
                self.state = "open"
                log.info("port open path=%s baud=%d", self.path, self._line.baud)
                return port


class Reading:
    """Reads one open port every GATHER_S while bytes come, and waits for the first byte where they do not.

    Callbacks, not a task: a task's bookkeeping would cost more than the work. Whatever is raised ends the reading and
    comes out of `ended`, whose result is why the port was lost.
    """

    def __init__(self, fd: int, ear: Ear, clock: Callable[[], int], tape: Tape) -> None:
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[str] = self._loop.create_future()
        self.ended.add_done_callback(lambda _: self._stop())
        self._fd = fd
        self._ear = ear
        self._clock = clock
        self._tape = tape
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
        """Set the one timer: soon while bytes come, else when the driver wants to be woken."""
        if self._waits:
            wake_at = self._ear.wake_at
            delay = None if wake_at is None else max(0.0, (wake_at - self._clock()) / 1e9 + 0.001)
            if self._unsent:
                delay = GATHER_S if delay is None else min(delay, GATHER_S)
        else:
            delay = 0.0 if self._full else GATHER_S - self._loop.time() % GATHER_S  # all ports in one wake-up
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if delay is None else self._loop.call_later(delay, self._step, self._work)

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
        now = self._clock()
        try:
            data = self._tape.read(self._fd, now)
        except BlockingIOError:
            data, told = b"", False
        self._full = len(data) >= TTY_BYTES
        if not data and told:
            self.ended.set_result("unplugged")
            return
        if not data:
            self._waits = True
            self._loop.add_reader(self._fd, self._step, self._bytes_came)
            return
        self._send(self._ear.heard(data, now))

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
                del self._unsent[: os.write(self._fd, self._unsent)]
            except BlockingIOError:
                return

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._waits:
            self._loop.remove_reader(self._fd)


def _said(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) else str(error)
