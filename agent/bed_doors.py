"""The two doors of the bed: `bed.sock` for the page, `adt.sock` for what the hospital's system says.

What is said there: agent/binding/words.py. Unix sockets in the runtime folder, mode 660, of the groups `wardlink-page`
and `wardlink-adt` where systemd/tmpfiles.conf was obeyed. Lines are bounded and judged as a whole; who speaks
otherwise is let go.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from agent.binding.terms import ADT_SOCKET, BED_SOCKET, LINE_LIMIT_BYTES

if TYPE_CHECKING:
    from agent.binding.words import Answer
    from agent.people import People

VISITORS_LIMIT_COUNT = 8
UNSENT_LIMIT_BYTES = 256 * 1024
T = TypeVar("T")
# Since 3.13 asyncio looks a socket up by its name to remove it in the end. Ours was the folder's number, which by then
# is another file's, or nobody's: NotADirectoryError. We remove it ourselves.
ITS_END: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}


class Doors:
    """`people` is who answers; asked for once somebody comes."""

    def __init__(self, runtime: Path, people: Callable[[], People]) -> None:
        self._runtime = runtime
        self._people = people
        self._servers: list[asyncio.Server] = []
        self._pages: set[asyncio.StreamWriter] = set()
        self._count = 0

    async def open(self) -> None:
        """Raises OSError."""
        for name, visit in ((BED_SOCKET, self._page), (ADT_SOCKET, self._adt)):
            door = _bound(self._runtime, name)
            self._servers.append(await asyncio.start_unix_server(visit, sock=door, limit=LINE_LIMIT_BYTES, **ITS_END))

    @property
    def visited(self) -> bool:
        """Whether a page looks."""
        return bool(self._pages)

    def close(self) -> None:
        for server in self._servers:
            server.close()
        if self._servers:
            for name in (BED_SOCKET, ADT_SOCKET):
                (self._runtime / name).unlink(missing_ok=True)
        self._servers.clear()
        for page in self._pages:
            page.close()

    def show(self) -> None:
        """To all pages how it stands; one that does not read is let go."""
        bed = self._people().shown() + b"\n" if self._pages else b""
        for page in list(self._pages):
            if page.transport.get_write_buffer_size() > UNSENT_LIMIT_BYTES:
                page.transport.abort()
            else:
                page.write(bed)

    async def _page(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        people = self._people()
        self._pages.add(writer)
        try:
            self.show()
            await self._visit(reader, writer, people.said, people.do)
        finally:
            self._pages.discard(writer)

    async def _adt(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._visit(reader, writer, self._people().adt, self._people().told)

    async def _visit(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        decoder: msgspec.json.Decoder[T],
        answer: Callable[[T], Awaitable[Answer]],
    ) -> None:
        """Line by line; an answer is there before the next line is read."""
        self._count += 1
        try:
            with contextlib.suppress(ConnectionError, ValueError):  # gone, or a line longer than the limit
                while self._count <= VISITORS_LIMIT_COUNT and (line := await reader.readline()):
                    writer.write(msgspec.json.encode(await self._answered(decoder, line, answer)) + b"\n")
                    await writer.drain()
        finally:
            self._count -= 1
            writer.close()

    async def _answered(
        self, decoder: msgspec.json.Decoder[T], line: bytes, answer: Callable[[T], Awaitable[Answer]]
    ) -> Answer:
        try:
            said = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self._people().misspoken()
        return await answer(said)


def _bound(runtime: Path, name: str) -> socket.socket:
    """By the folder's number: a name of a socket has 107 letters at most. Raises OSError.

    The unit may not give a file to a group. So it is made in a folder that has the group, whose files inherit it
    (inode(7), S_ISGID), and then takes its place; where there is no such folder it stays ours.
    """
    made = runtime / f"{name}.d"
    place = made if made.is_dir() else runtime
    (place / name).unlink(missing_ok=True)
    folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        door.bind(f"/proc/self/fd/{folder}/{name}")
    finally:
        os.close(folder)
    (place / name).chmod(0o660)
    (place / name).replace(runtime / name)
    return door
