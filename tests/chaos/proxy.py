"""A bad network between two programs on one machine: TCP in the middle that delays, cuts, swallows and stalls.

What it does to one connection it does in pumps, one for each direction; `Mood` is how it feels at present.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field

UP, DOWN = "up", "down"  # towards the broker, and back
READ_LIMIT_BYTES = 65536
PIECE_LIMIT_BYTES = 37
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER of no time at all: the other side gets a RST


@dataclass(slots=True)
class Mood:
    """How the line treats what comes. What a connection says in a direction of `swallows` vanishes from then on."""

    delay_s: float = 0.0
    in_pieces: bool = False
    refuses: bool = False
    swallows: set[str] = field(default_factory=set)
    sever_after_bytes: int | None = None


async def pause(seconds: float, unless: asyncio.Event | None = None) -> None:
    """Let time pass, unless something comes first."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await (unless or asyncio.Event()).wait()


class Proxy:
    """Listens on `port` and connects to `there`; `dice` chooses the sizes of pieces."""

    def __init__(self, there: int, dice: random.Random) -> None:
        self._there = there
        self._dice = dice
        self._lines: set[_Line] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._server: asyncio.Server | None = None
        self._running: set[asyncio.Task[None]] = set()
        self.mood = Mood()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=READ_LIMIT_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None, "not started"
        self._server.close()
        self.heal()
        self.reset()
        await asyncio.gather(*self._running, return_exceptions=True)

    def stall(self) -> None:
        """Nothing goes either way; nothing is lost."""
        self._flows.clear()

    def heal(self) -> None:
        """A good line again. A connection whose bytes were swallowed stays dead until one end gives it up."""
        self.mood = Mood()
        self._flows.set()

    def cut(self) -> None:
        """Both ends see the other close."""
        for line in list(self._lines):
            line.close()

    def reset(self) -> None:
        """Both ends see a RST."""
        for line in list(self._lines):
            line.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        if self.mood.refuses:
            writer.close()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._there, limit=READ_LIMIT_BYTES)
        except OSError:  # the broker is down
            writer.transport.abort()
            return
        line = _Line(writer, far_writer)
        self._lines.add(line)
        try:
            await asyncio.gather(self._pump(line, UP, reader, far_writer), self._pump(line, DOWN, far_reader, writer))
        finally:
            self._lines.discard(line)
            line.close()

    async def _pump(self, line: _Line, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(READ_LIMIT_BYTES):
                await self._flows.wait()
                if way in self.mood.swallows or way in line.swallowed:
                    line.swallowed.add(way)
                    continue
                if self.mood.delay_s:
                    await pause(self.mood.delay_s)
                left = self.mood.sever_after_bytes
                if left is not None and len(data) >= left:
                    self.mood.sever_after_bytes = None
                    writer.write(data[:left])
                    await writer.drain()
                    line.abort()
                    return
                for piece in self._pieces(data):
                    if writer.is_closing():
                        return
                    writer.write(piece)
                    await writer.drain()
        if way not in line.swallowed:
            line.close()

    def _pieces(self, data: bytes) -> list[bytes]:
        if not self.mood.in_pieces:
            return [data]
        out: list[bytes] = []
        at = 0
        while at < len(data):
            size = self._dice.randint(1, PIECE_LIMIT_BYTES)
            out.append(data[at : at + size])
            at += size
        return out


class _Line:
    """One connection, both halves."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self._ends = (near, far)
        self.swallowed: set[str] = set()
        for end in self._ends:
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        for end in self._ends:
            end.close()

    def abort(self) -> None:
        for end in self._ends:
            if not end.is_closing():
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            end.transport.abort()
