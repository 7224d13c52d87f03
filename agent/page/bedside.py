"""The page's end of `bed.sock`: how the binding stands, as the gateway told it last, and deeds with their answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from agent.binding.words import BED_SOCKET, LINE_LIMIT_BYTES, Answer, Bed, Deed, Told

AGAIN_S = 1.0
ANSWER_LIMIT_S = 5.0
TOLD_LIMIT_BYTES = 16 * LINE_LIMIT_BYTES  # a bed with its history


class NoAnswerError(Exception):
    """The gateway did not answer: whether it was done will be seen."""


class Bedside:
    """`bed` is None while nobody tells: what was told over a connection that ended is not the present."""

    def __init__(self, runtime: Path) -> None:
        self.bed: Bed | None = None
        self._path = runtime / BED_SOCKET
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._n = 0

    async def run(self) -> None:
        """Until cancelled: connect, and connect again."""
        while True:
            try:
                await self._listen()
            except (OSError, ValueError, msgspec.DecodeError, UnicodeDecodeError):  # or a line beyond every limit
                self._forget()
            await asyncio.sleep(AGAIN_S)

    async def do(self, make: Callable[[int], Deed]) -> Answer:
        """Send a deed and await its answer. Raises NoAnswerError."""
        if self._writer is None:
            raise NoAnswerError
        self._n += 1
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[self._n] = waiting
        try:
            self._writer.write(msgspec.json.encode(make(self._n)) + b"\n")
            async with asyncio.timeout(ANSWER_LIMIT_S):
                await self._writer.drain()
                return await waiting
        except (OSError, TimeoutError) as error:
            raise NoAnswerError from error
        finally:
            self._waiting.pop(self._n, None)

    async def _listen(self) -> None:
        reader, writer = await asyncio.open_unix_connection(self._path, limit=TOLD_LIMIT_BYTES)
        self._writer = writer
        try:
            while line := await reader.readline():
                self._hear(msgspec.json.decode(line, type=Told))
        finally:
            self._forget()
            writer.close()

    def _hear(self, said: Bed | Answer) -> None:
        if isinstance(said, Bed):
            self.bed = said
        elif said.n in self._waiting and not self._waiting[said.n].done():
            self._waiting[said.n].set_result(said)

    def _forget(self) -> None:
        self.bed, self._writer = None, None
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(NoAnswerError())
        self._waiting.clear()
