"""The page as a process of its own, before a runtime folder that a test fills: status, setup, and the bed's socket."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from agent import clock
from agent.binding.words import BED_SOCKET, Answer, Bed, Deed, Refusal, Said
from agent.health.status import STATUS_FILE, Status, pack
from agent.page.told import SETUP_FILE, Setup
from tests.page.beds import NOW_NS
from tests.system.bell import until

Judge = Callable[[Deed], tuple[Refusal, Bed | None]]


def accept(_deed: Deed) -> tuple[Refusal, Bed | None]:
    return "", None


class Bench:
    """`deeds` is what came at the socket; `judge` says why not, and how it stands afterwards."""

    def __init__(self, folder: Path) -> None:
        self.runtime = folder / "run"
        self.runtime.mkdir()
        self.deeds: list[Deed] = []
        self.judge: Judge = accept
        self.bed: Bed | None = None
        self._loop = asyncio.new_event_loop()
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = 0
        self.pid = 0

    def write(self, status: Status | None, age_s: float = 0.0) -> None:
        path = self.runtime / STATUS_FILE
        if status is None:
            path.unlink(missing_ok=True)
            return
        aside = path.with_suffix(".new")
        aside.write_bytes(pack(msgspec.structs.replace(status, written_ns=clock.now() - int(age_s * 1e9))))
        aside.replace(path)

    def set_up(self, setup: Setup | None) -> None:
        path = self.runtime / SETUP_FILE
        if setup is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(msgspec.json.encode(setup))

    def tell(self, bed: Bed | None) -> None:
        """From now on it stands so; None: nobody tells."""
        asyncio.run_coroutine_threadsafe(self._tell(bed), self._loop).result(5)

    async def _tell(self, bed: Bed | None) -> None:
        self.bed = bed
        if bed is None:
            await self._shut()
            return
        if self._server is None:
            self._server = await asyncio.start_unix_server(self._serve, self.runtime / BED_SOCKET)
        for writer in self._writers:
            writer.write(msgspec.json.encode(moved(bed)) + b"\n")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        if self.bed is not None:
            writer.write(msgspec.json.encode(moved(self.bed)) + b"\n")
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                deed = msgspec.json.decode(line, type=Said)
                self.deeds.append(deed)
                why, bed = self.judge(deed)
                writer.write(msgspec.json.encode(Answer(deed.n, not why, why)) + b"\n")
                if bed is not None:
                    await self._tell(bed)
        self._writers.remove(writer)
        writer.close()

    async def _shut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        (self.runtime / BED_SOCKET).unlink(missing_ok=True)
        for writer in self._writers:
            writer.close()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result(5)
        until(lambda: not self._writers)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], str]:
        return self.ask("GET", path, None, headers)

    def ask(
        self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, names, answer.read().decode("utf-8")
        finally:
            connection.close()


def moved(bed: Bed) -> Bed:
    """The times of tests/page/beds.py, as if NOW_NS were now."""
    shift = clock.now() - NOW_NS

    def at(ns: int | None) -> int | None:
        return None if ns is None else ns + shift

    replace = msgspec.structs.replace

    def episode(one: object) -> object:
        return replace(  # type: ignore[type-var]
            one, begin_ns=at(one.begin_ns), end_ns=at(one.end_ns), correct_until_ns=at(one.correct_until_ns)
        )

    return replace(
        bed,
        episode=episode(bed.episode),
        history=[episode(one) for one in bed.history],
        confirm_until_ns=at(bed.confirm_until_ns),
        transport_until_ns=at(bed.transport_until_ns),
        unplugged_until_ns=at(bed.unplugged_until_ns),
    )


@contextlib.contextmanager
def bench(language: str = "en", config: str = "") -> Iterator[Bench]:
    """The page before an empty runtime folder, answering."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one = Bench(folder)
        file = folder / "gateway.toml"
        file.write_text(
            f'site = "lokossa"\nbroker = "mqtt://localhost"\nruntime = "{one.runtime}"\n'
            f'[page]\nlanguage = "{language}"\n{config}'
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            one.port = free.getsockname()[1]
        command = [sys.executable, "-m", "agent.cli.entry", "page", "--config", str(file)]
        started = subprocess.Popen(
            [*command, "--listen", f"127.0.0.1:{one.port}"], env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        )
        one.pid = started.pid
        try:
            until(lambda: started.poll() is not None or socket.socket().connect_ex(("127.0.0.1", one.port)) == 0)
            assert started.poll() is None, "the page did not start"
            yield one
        finally:
            started.terminate()
            started.wait(10)
            one.close()
