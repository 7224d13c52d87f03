"""What is said to whoever waits, on stderr; and the JSON lines by which the guest's players are told what to do."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.system.bell import until

STARTING_S = 30.0


def tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


async def answer_lines(path: str, obey: Callable[[dict[str, Any]], Awaitable[Any]]) -> None:
    """Obey everybody who calls at this Unix socket, for ever. What fails is answered as {"error": words}."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while asked := await reader.readline():
            try:
                said = await obey(json.loads(asked))
            except Exception as error:  # noqa: BLE001  whoever asked is told
                said = {"error": f"{type(error).__name__}: {error}"}
            writer.write(json.dumps(said).encode() + b"\n")
            await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(talk, path) as listening:
        await listening.serve_forever()


class Player:
    """A process that plays devices, and the line to it."""

    def __init__(self, module: str, folder: Path, *words: str) -> None:
        path = folder / f"{module.rpartition('.')[2]}.sock"
        self._process = subprocess.Popen([sys.executable, "-m", module, str(path), *words])
        self._call = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        until(lambda: path.exists() or self._process.poll() is not None, STARTING_S)
        until(lambda: self._call.connect_ex(str(path)) == 0, STARTING_S)
        self._file = self._call.makefile("rw", encoding="utf-8")

    def do(self, do: str, name: str = "", **more: Any) -> Any:
        """Raises AssertionError with its words where it could not be done."""
        self._file.write(json.dumps({"do": do, "name": name, **more}) + "\n")
        self._file.flush()
        said = json.loads(self._file.readline())
        assert not (isinstance(said, dict) and "error" in said), said
        return said

    def end(self) -> None:
        self._file.close()
        self._call.close()
        self._process.terminate()
        self._process.wait(10)
