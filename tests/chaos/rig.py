"""The cast of the campaign: real mosquitto, centre and gateways, each behind a line of its own, and live devices."""

from __future__ import annotations

import asyncio
import fcntl
import importlib
import os
import random
import shutil
import sqlite3
import termios
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from agent import clock
from agent.health import status
from agent.health.status import Status
from agent.lab import keyring, programs
from agent.lab.keyring import Keyring
from agent.lab.line import Line
from agent.lab.programs import Program
from tests.chaos.proxy import Proxy
from tests.system.bell import Bell

SITE = "demo"  # what the programs of the lab are configured with
INTERVALS_S = (0.25, 0.5, 1.0)
PLETH_SAMPLES = 100_000
READ_LIMIT_S = START_LIMIT_S = 60.0
SUBSCRIBED = "broker connected"  # so the centre's log says


@dataclass(slots=True)
class Bedside:
    """One gateway with its line to the broker, and a device that speaks for as long as it may."""

    folder: Path
    ring: Keyring
    proxy: Proxy
    program: Program
    line: Line
    said: list[int] = field(default_factory=list)
    speaking: asyncio.Task[None] | None = None

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def port(self) -> str:
        return str(self.folder / "device")

    def status(self) -> Status | None:
        try:
            return status.read(self.folder / "run")
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def speak(self, dice: random.Random) -> None:
        """The device begins; what it says is remembered."""
        kind = importlib.import_module("agent.lab.voices.contec_v7").ContecV7Voice
        pleth = dice.choices(range(128), k=PLETH_SAMPLES)
        voice = kind({"pleth": pleth}, lambda _, samples: self.said.extend(samples))
        self.speaking = asyncio.create_task(self.line.speak(voice))

    async def hush(self) -> None:
        """The device says nothing more, and the gateway has read all it said."""
        self.line.stopping = True
        if self.speaking is not None:
            await self.speaking
        terminal = os.open(self.port, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            await Bell().until(lambda: fcntl.ioctl(terminal, termios.FIONREAD, bytes(4)) == bytes(4), READ_LIMIT_S)
        finally:
            os.close(terminal)


class Rig:
    """Everything, made under `folder`; nothing runs before `start`."""

    def __init__(self, folder: Path, gateways: int, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        self.rings = keyring.many(folder / "keys", gateways)
        self.broker_port = programs.free_port()
        self.page_port = programs.free_port()
        self.broker = _broker(folder, self.rings[0], self.broker_port)
        self.centre_line = Proxy(self.broker_port, random.Random(f"{seed} centre line"))
        self.beds: list[Bedside] = []
        self.centre: Program
        self.store = folder / "centre.db"

    def place(self, number: int) -> Path:
        return self.folder / f"gateway-{number}"

    async def start(self) -> None:
        """Broker, lines, centre, gateways, devices. A broker keeps nothing for a centre that never subscribed."""
        await self.start_broker()
        await self.centre_line.start()
        self.centre = _centre(self.folder, self.rings, self.centre_line.port, self.page_port)
        await self.centre.start()
        await Bell().until(lambda: SUBSCRIBED in self.centre.log.read_text(), START_LIMIT_S)
        for number, ring in enumerate(self.rings):
            dice = random.Random(f"{self.seed} gateway {number}")
            proxy = Proxy(self.broker_port, dice)
            await proxy.start()
            bed = _bedside(self.place(number), ring, proxy, INTERVALS_S[number % len(INTERVALS_S)])
            self.beds.append(bed)
            bed.speak(dice)
            await bed.program.start()

    def programs(self) -> list[Program]:
        return [self.broker, self.centre, *(bed.program for bed in self.beds)]

    def lines(self) -> list[Proxy]:
        return [self.centre_line, *(bed.proxy for bed in self.beds)]

    async def start_broker(self) -> None:
        await self.broker.start()
        await programs.listening(self.broker, self.broker_port)

    def wipe_broker(self) -> None:
        """What it kept is gone: sessions, queues, retained packets."""
        shutil.rmtree(self.folder / "broker-memory", ignore_errors=True)
        (self.folder / "broker-memory").mkdir()

    async def stop_gateways(self) -> None:
        await asyncio.gather(*(bed.program.end() for bed in self.beds))

    async def stop(self) -> None:
        """End whatever runs."""
        for bed in self.beds:
            bed.line.stopping = True
            if bed.speaking is not None:
                bed.speaking.cancel()
        ending = [bed.program.end() for bed in self.beds]
        if hasattr(self, "centre"):
            ending.append(self.centre.end())
        await asyncio.gather(*ending)
        await self.broker.end()
        for proxy in self.lines():
            await proxy.stop()

    def stored(self) -> int:
        """How many envelopes the centre has."""
        return sum(row[0] for row in self._ask("SELECT count(*) FROM envelope"))

    def duplicates(self) -> int:
        """How many copies its ledger has dropped."""
        return sum(row[0] for row in self._ask("SELECT duplicates FROM sequence"))

    def counts(self) -> dict[tuple[str, int, int], int]:
        """(gateway, epoch, class) -> how many the store has."""
        asked = "SELECT gateway, epoch, cls, count(*) FROM envelope JOIN gateway USING (gw) GROUP BY gw, epoch, cls"
        return {(gateway, epoch, cls): count for gateway, epoch, cls, count in self._ask(asked)}

    def _ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the centre's store, read only; none before it has tables."""
        if not self.store.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=10)) as store:
            try:
                return store.execute(sql).fetchall()
            except sqlite3.OperationalError:
                return []


def _broker(folder: Path, ring: Keyring, port: int) -> Program:
    """As it ships, with its memory on the disk."""
    program = programs.broker(folder, ring, port)
    memory = folder / "broker-memory"
    memory.mkdir()
    conf = folder / "mosquitto.conf"
    kept = f"persistence true\nautosave_interval 5\npersistence_location {memory}/\n"
    conf.write_text(conf.read_text().replace("persistence false\n", kept))
    return program


def _centre(folder: Path, rings: list[Keyring], broker_port: int, page_port: int) -> Program:
    program = programs.centre(folder, rings[0], broker_port, page_port, "bed 1")
    config = folder / "centre.toml"
    more = [f'\n[[gateways]]\nid = "{r.gateway_id}"\nsite = "{SITE}"\nbed = "bed"\n' for r in rings[1:]]
    config.write_text(config.read_text() + "".join(more))
    return program


def _bedside(folder: Path, ring: Keyring, proxy: Proxy, interval_s: float) -> Bedside:
    folder.mkdir(parents=True, exist_ok=True)
    device = folder / "device"
    program = programs.gateway(folder, ring, proxy.port, "bed", {str(device): "contec_v7"})
    config = folder / "gateway.toml"
    config.write_text(f"interval_s = {interval_s}\n" + config.read_text())
    return Bedside(folder, ring, proxy, program, Line(device, clock.now))
