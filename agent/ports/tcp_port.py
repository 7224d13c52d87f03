"""A device at the other end of a TCP connection: we call it, or it calls us. Read like a serial port.

A connection whose other end has vanished looks open for ever. So the kernel asks after KEEP_IDLE_S of silence, and
what we send must be taken within the same time: after some 20 s the port is lost, waited for and called again.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from agent.ports.doors import Doors
from agent.ports.line import Cord
from agent.ports.place import Place
from agent.ports.serial_port import RETRY_S, Ear, KeptPort, Paper, Reading, Rounds

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

CALL_LIMIT_S = 5.0
KEEP_IDLE_S, KEEP_EVERY_S, KEEP_COUNT = 10, 3, 3
UNTAKEN_LIMIT_MS = 20_000
SHORT_S = 5.0  # a connection that lived no longer than this is not made again at once
PAUSE_S = 2.0


class TcpCord:
    """An open connection."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        for level, option, value in (
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEP_IDLE_S),
            (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEP_EVERY_S),
            (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEP_COUNT),
            (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNTAKEN_LIMIT_MS),
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        ):
            connection.setsockopt(level, option, value)
        self._connection = connection
        self.fileno = connection.fileno
        self.close = connection.close

    def read(self, size: int = 1, /) -> bytes:
        return self._connection.recv(size)

    def write(self, data: ReadableBuffer, /) -> int:
        return self._connection.send(data)


class Connection(Reading):
    gone = "hung up"


class TcpPort(KeptPort):
    """One device at one place; `doors` are where devices call us."""

    def __init__(
        self, place: Place, path: str, ear: Ear, clock: Callable[[], int], tape: Paper, rounds: Rounds, doors: Doors
    ) -> None:
        super().__init__(path, self._opened, self._begun, ear, clock)
        self._place = place
        self._doors = doors
        self._tape = tape
        self._rounds = rounds
        self._now: Reading | None = None
        self._began_s = -SHORT_S

    async def run(self) -> None:
        """Until cancelled."""
        try:
            await super().run()
        finally:
            self._doors.forget(self._place)

    async def _opened(self) -> Cord:
        if self._place.scheme == "tcp-from":
            self.state = f"waiting for {self._place.host} to call"
            return TcpCord(await self._doors.call(self._place, self._knocked))
        if asyncio.get_running_loop().time() - self._began_s < SHORT_S:
            await asyncio.sleep(PAUSE_S - RETRY_S)
        return TcpCord(await called(self._place))

    def _begun(self, cord: Cord) -> Reading:
        self._began_s = asyncio.get_running_loop().time()
        self._now = Connection(cord, self._ear, self._clock, self._tape, self._rounds)
        return self._now

    def _knocked(self) -> None:
        if self._now is not None:
            self._now.end("it called again")


async def called(place: Place) -> socket.socket:
    """A connection that we made. Raises OSError."""
    with ExitStack() as undo:
        connection = socket.socket(place.family, socket.SOCK_STREAM)
        undo.callback(connection.close)
        connection.setblocking(False)
        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                await asyncio.get_running_loop().sock_connect(connection, (place.host, place.port))
        except TimeoutError:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)) from None
        undo.pop_all()
    return connection
