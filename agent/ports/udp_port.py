"""A device that answers datagrams at one address; the kernel lets nobody else's through.

Each datagram is on the tape, and heard, by itself. There is no connection that could be lost: that nobody answers is
said in the state and costs no session, and the driver goes on asking in its own time.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from agent.ports.line import Cord
from agent.ports.place import Place
from agent.ports.serial_port import READ_LIMIT_BYTES, Ear, KeptPort, Paper, Reading, Rounds, said

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

ROUND_LIMIT_DATAGRAMS = 256
BUFFER_BYTES = 1 << 20  # what the kernel holds while we are busy
NOBODY_THERE = (errno.ECONNREFUSED, errno.EHOSTUNREACH)  # the network's answer to an earlier datagram
log = logging.getLogger("wardlink.port")


class UdpCord:
    """A socket that knows one peer; `state` is told whether it answers."""

    def __init__(self, place: Place, state: Callable[[str], None]) -> None:
        self._socket = socket.socket(place.family, socket.SOCK_DGRAM)
        self._state = state
        self.fileno = self._socket.fileno
        self.close = self._socket.close
        with ExitStack() as undo:
            undo.callback(self.close)
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
            self._socket.connect((place.host, place.port))
            undo.pop_all()

    def read(self, size: int = 1, /) -> bytes:
        """One datagram. BlockingIOError where there is none."""
        with self._answered():
            data = self._socket.recv(size)
            self._state("open")
            return data

    def write(self, data: ReadableBuffer, /) -> int:
        """One datagram. What an earlier one left behind as an error is not this one's: it is tried again."""
        try:
            return self._socket.send(data)
        except OSError as error:
            if error.errno not in NOBODY_THERE:
                raise
        with self._answered():
            return self._socket.send(data)

    @contextmanager
    def _answered(self) -> Iterator[None]:
        """That nobody is there is said, and is no error."""
        try:
            yield
        except OSError as error:
            if error.errno not in NOBODY_THERE:
                raise
            self._state(f"no answer: {said(error)}")
            raise BlockingIOError(errno.EAGAIN, "nobody there") from error


class Datagrams(Reading):
    """Reads one by one what came since the last round, and sends one by one."""

    _last = 0

    def _read(self) -> None:
        for _ in range(ROUND_LIMIT_DATAGRAMS):
            try:
                data = self._port.read(READ_LIMIT_BYTES)
            except BlockingIOError:
                self._wait()
                return
            if data:
                self._last = now = max(self._clock(), self._last + 1)  # on a tape the time is its name
                self._tape.write(data, now)
                self._send(self._ear.heard(data, now))

    def _send(self, frames: Iterable[bytes]) -> None:
        for frame in frames:
            try:
                self._port.write(frame)
            except BlockingIOError:
                log.warning("datagram not sent size_bytes=%d", len(frame))


class UdpPort(KeptPort):
    """One device at one place."""

    def __init__(
        self, place: Place, path: str, ear: Ear, clock: Callable[[], int], tape: Paper, rounds: Rounds
    ) -> None:
        async def opening() -> Cord:
            return UdpCord(place, self._told)

        super().__init__(path, opening, lambda cord: Datagrams(cord, ear, clock, tape, rounds), ear, clock)

    def _told(self, state: str) -> None:
        if state != self.state:
            self.state = state
            log.info("port path=%s state=%r", self.path, state)
