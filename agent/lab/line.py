"""A pseudo-terminal with a simulated device or a recording at its far end, at the device's real pace."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.lab.voice import Voice

READ_LIMIT_BYTES = 65536
IDLE_S = 0.5


class Line:
    """One device on one line. What the host does not take at once waits here, as in a device with a buffer."""

    def __init__(self, link: Path, clock: Callable[[], int]) -> None:
        self._host, self._device = os.openpty()
        tty.setraw(self._device)
        os.set_blocking(self._host, False)
        link.symlink_to(os.ttyname(self._device))
        self._clock = clock
        self._pending = bytearray()
        self.sent_bytes = 0
        self.stopping = False

    async def speak(self, voice: Voice) -> None:
        """Until `stopping` is set; then flush and return."""
        heard = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._host, heard.set)
        try:
            self._say(voice.on_open(self._clock()))
            while not self.stopping:
                if heard.is_set():
                    heard.clear()
                    self._say(voice.on_bytes(self._read(), self._clock()))
                if voice.wake_at is not None and self._clock() >= voice.wake_at:
                    self._say(voice.on_time(self._clock()))
                self._flush()
                await self._pause(heard, voice.wake_at)
        finally:
            loop.remove_reader(self._host)
        await self._drain()

    async def play(self, pieces: Sequence[tuple[int, bytes]]) -> None:
        """A recording: (nanoseconds since the start, bytes)."""
        start = self._clock()
        for at, data in pieces:
            await asyncio.sleep(max(0, at - (self._clock() - start)) / 1e9)
            if self.stopping:
                break
            self._say(data)
            self._flush()
        await self._drain()

    async def _pause(self, heard: asyncio.Event, wake_at: int | None) -> None:
        delay = IDLE_S if wake_at is None else max(0.0, (wake_at - self._clock()) / 1e9)
        try:
            async with asyncio.timeout(min(delay, IDLE_S)):
                await heard.wait()
        except TimeoutError:
            return

    async def _drain(self) -> None:
        while self._pending:
            self._flush()
            await asyncio.sleep(0.02)

    def _read(self) -> bytes:
        try:
            return os.read(self._host, READ_LIMIT_BYTES)
        except BlockingIOError:
            return b""

    def _say(self, data: bytes) -> None:
        self._pending += data

    def _flush(self) -> None:
        while self._pending:
            try:
                written = os.write(self._host, self._pending)
            except BlockingIOError:
                return
            self.sent_bytes += written
            del self._pending[:written]
