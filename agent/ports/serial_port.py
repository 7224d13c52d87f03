"""A serial port: opened, read in gathered chunks, lost and found again.

Bytes are gathered for some milliseconds before they are read: at 500 frames a second the cost is the wake-up, not the
work. What the kernel holds when the port is opened is kept. An unplugged device is an event; the port waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import termios
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import serial

from agent.ports.tape import Tape
from drivers.contract import Serial

GATHER_S = 0.04
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


class _Line(serial.Serial):
    """pyserial throws away what the kernel holds when it opens a port; those are a patient's samples."""

    def _reset_input_buffer(self) -> None:
        """Keep it."""


def open_line(path: str, line: Serial) -> serial.Serial:
    """Open a port with these line settings, for us alone. Raises OSError, termios.error."""
    if not Path(path).exists():
        raise FileNotFoundError(2, "no such port")
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
                reason = await self._listen(port)
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

    async def _listen(self, port: serial.Serial) -> str:
        """Read until the port is lost; returns why it was."""
        loop = asyncio.get_running_loop()
        fd: int = port.fileno()
        ready = asyncio.Event()
        pending = bytearray()
        self._send(fd, pending, self._ear.opened(self._clock()))
        while True:
            loop.add_reader(fd, ready.set)
            try:
                await self._wait(ready, pending)
            finally:
                loop.remove_reader(fd)
            woken = self._ear.wake_at
            if woken is not None and self._clock() > woken:
                self._send(fd, pending, self._ear.woke(self._clock()))
            if ready.is_set():
                ready.clear()
                await asyncio.sleep(GATHER_S)
                try:
                    data = os.read(fd, READ_LIMIT_BYTES)
                except BlockingIOError:
                    continue
                if not data:
                    return "unplugged"
                now = self._clock()
                self._tape.write(data, now)
                self._send(fd, pending, self._ear.heard(data, now))
            elif pending:
                self._send(fd, pending, ())

    async def _wait(self, ready: asyncio.Event, pending: bytearray) -> None:
        """Until bytes are there, the driver wants to be woken, or what could not be sent should be tried again."""
        delay = RETRY_S if pending else None
        if self._ear.wake_at is not None:
            until = max(0.0, (self._ear.wake_at - self._clock()) / 1e9 + 0.001)
            delay = until if delay is None else min(delay, until)
        try:
            async with asyncio.timeout(delay):
                await ready.wait()
        except TimeoutError:
            return

    def _send(self, fd: int, pending: bytearray, frames: Iterable[bytes]) -> None:
        for frame in frames:
            pending += frame
        if len(pending) > WRITE_LIMIT_BYTES:
            log.warning("port does not take what is sent path=%s dropped_bytes=%d", self.path, len(pending))
            pending.clear()
        if pending:
            try:
                del pending[: os.write(fd, pending)]
            except BlockingIOError:
                return


def _said(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) else str(error)
