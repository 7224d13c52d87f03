"""A gateway in this process with a scanner and an oximeter, and a page that talks to it through its socket."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from agent.binding import words
from agent.binding.words import ADT_SOCKET, BED_SOCKET, Answer, Bed, Proposal
from agent.config import Config, load
from agent.gateway import Gateway
from agent.lab import keyring
from agent.spool import read_folder
from agent.world import World
from tests.system.bell import Bell
from tests.system.gateway_rig import Opened, opened
from tests.system.test_serial_port import Cable
from wire import keys

READING = b"02/24/18 04:48:53 SN=0000070986 SPO2=097% BPM=064 PI=11.82% SPCO=--.-% ALARM=0000 EXC=000800\r\n"
TOLD = msgspec.json.Decoder(words.Told)


class Page:
    """`bed` is what was shown last."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, bell: Bell) -> None:
        self._reader, self._writer, self._bell = reader, writer, bell
        self.bed: Bed | None = None
        self.answers: list[Answer] = []
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while line := await self._reader.readline():
            said = TOLD.decode(line)
            if isinstance(said, Bed):
                self.bed = said
            else:
                self.answers.append(said)
            self._bell.ring()

    async def do(self, said: words.Said | words.Adt) -> Answer:
        count = len(self.answers)
        await self.say(msgspec.json.encode(said) + b"\n")
        await self._bell.until(lambda: len(self.answers) > count)
        return self.answers[-1]

    async def say(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def until(self, condition) -> Bed:
        await self._bell.until(lambda: self.bed is not None and condition(self.bed))
        assert self.bed is not None
        return self.bed

    async def proposal(self, source: str) -> Proposal:
        bed = await self.until(lambda bed: any(one.source == source and one.person.id for one in bed.proposals))
        return next(one for one in bed.proposals if one.source == source)

    async def leave(self) -> None:
        self._writer.close()
        self.task.cancel()


class Ward:
    """One bed's machine: configuration, devices, and as many runs of the gateway as wanted."""

    def __init__(self, folder: Path, more: str = "", port: int = 1) -> None:
        self.folder = folder
        self.ring = keyring.make(folder / "keys")
        self.scanner, self.oximeter = Cable(folder / "scanner"), Cable(folder / "oximeter")
        self.bell = Bell()
        self._file = folder / "gateway.toml"
        self._file.write_text(
            f'site = "north"\nbroker = "mqtt://127.0.0.1:{port}"\nconfirm = "broker"\nbed = "bed 3"\n'
            "interval_s = 0.25\n"
            f'keys = "{self.ring.gateway}"\nstate = "{folder / "state"}"\nruntime = "{folder / "run"}"\n'
            f'discover = false\n[[port]]\npath = "{self.scanner.path}"\ndriver = "barcode_reader"\n'
            f'[[port]]\npath = "{self.oximeter.path}"\ndriver = "masimo_ascii1"\n'
            f"[spool]\nkey_mib = 8\nvital_mib = 8\nwave_mib = 8\n[patient]\n{more}\n"
        )

    @property
    def config(self) -> Config:
        return load(self._file)

    @asynccontextmanager
    async def runs(self, world: World | None = None) -> AsyncIterator[Gateway]:
        gateway, stop = Gateway(self.config, world or World()), asyncio.Event()
        running = asyncio.create_task(gateway.run(stop))
        try:
            await self.bell.until(lambda: all(port.state == "open" for port, _ in gateway.ports))
            await self.bell.until((self.folder / "run" / ADT_SOCKET).exists)
            yield gateway
        finally:
            stop.set()
            await running

    @asynccontextmanager
    async def page(self, name: str = BED_SOCKET) -> AsyncIterator[Page]:
        reader, writer = await asyncio.open_unix_connection(path=None, sock=_connected(self.folder / "run" / name))
        page = Page(reader, writer, self.bell)
        try:
            yield page
        finally:
            await page.leave()

    def stored(self) -> Opened:
        """What the spool of the stopped gateway holds."""
        secret = keys.recipient_secret((self.ring.centre / "recipient.key").read_text())
        return opened(
            self.ring.gateway_id, secret, (stored.data for stored in read_folder(self.folder / "state/spool"))
        )

    def unplug(self) -> None:
        self.scanner.unplug()
        self.oximeter.unplug()


def _connected(path: Path) -> socket.socket:
    """Whatever the length of its name."""
    folder = os.open(path.parent, os.O_RDONLY)
    door = socket.socket(socket.AF_UNIX)
    try:
        door.connect(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
    door.setblocking(False)
    return door
