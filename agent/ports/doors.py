"""Where devices call us: one listening socket for each port number, whoever of the pinned devices comes there.

Who is not expected is let go at once, and named in the log the first time. A device that calls while an earlier
connection of it still stands has lost that one, whatever the kernel says: the new call counts.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.ports.place import Place

BACKLOG = 8
STRANGERS_LIMIT = 64
log = logging.getLogger("wardlink.port")


@dataclass(slots=True)
class Expected:
    """A device that may call; `knocked` is called when it does, and its newest call waits here."""

    knocked: Callable[[], None]
    call: socket.socket | None = None
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, call: socket.socket) -> None:
        if self.call is not None:
            self.call.close()
        self.call = call
        self.came.set()
        self.knocked()


class Door:
    """One listening socket. Raises OSError where the port cannot be had."""

    def __init__(self, family: socket.AddressFamily, port: int) -> None:
        self.expected: dict[str, Expected] = {}
        self._strangers: set[str] = set()
        self._socket = socket.create_server(("", port), family=family, backlog=BACKLOG)
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            call, address = self._socket.accept()
        except OSError:  # the caller was gone before we came
            return
        host = str(address[0])
        expected = self.expected.get(host)
        if expected is not None:
            expected.take(call)
            return
        call.close()
        if host not in self._strangers and len(self._strangers) < STRANGERS_LIMIT:
            self._strangers.add(host)
            log.warning("call refused from=%s", host)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()


class Doors:
    """All of them, by family and port number."""

    def __init__(self) -> None:
        self._doors: dict[tuple[socket.AddressFamily, int], Door] = {}

    async def call(self, place: Place, knocked: Callable[[], None]) -> socket.socket:
        """Wait until this device calls. Raises OSError."""
        key = (place.family, place.port)
        if key not in self._doors:
            self._doors[key] = Door(*key)
        expected = self._doors[key].expected.setdefault(place.host, Expected(knocked))
        await expected.came.wait()
        expected.came.clear()
        call, expected.call = expected.call, None
        assert call is not None, "came, and is not there"
        return call

    def forget(self, place: Place) -> None:
        """It is not expected any more; a door where nobody is expected is closed."""
        door = self._doors.get((place.family, place.port))
        expected = door.expected.pop(place.host, None) if door else None
        if expected is not None and expected.call is not None:
            expected.call.close()
        if door is not None and not door.expected:
            del self._doors[place.family, place.port]
            door.close()
