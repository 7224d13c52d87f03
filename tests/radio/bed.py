"""A bed with a gateway's radio and devices round it, on virtual time. The gateway has no spool and no uplink."""

from __future__ import annotations

import asyncio
import struct
from contextlib import asynccontextmanager
from pathlib import Path

from agent import window
from agent.config import Config
from agent.config import Radio as Named
from agent.lab.ether import Chip, Ether
from agent.lab.peripheral import Face, Peripheral
from agent.marks import MARKS_FILE, Marks
from agent.radio import Radio
from agent.sessions.ward import Ward
from agent.spool.files import Disk
from agent.supervisor import Supervisor
from agent.tapes import Tapes
from agent.world import World
from drivers import registry
from drivers.capture import full
from tests.radio.bumble_bus import air
from tests.radio.stack import Stack
from tests.radio.vtime import now, passing
from wire import codec
from wire.records import NumericAt, Record, SessionAt

OXIMETER = Face("C0:11:11:11:11:01", "PLX 1", full("1822"), (full("2a5f"), full("2a5e")))
THERMOMETER = Face("C0:11:11:11:11:02", "Thermo 2", full("1809"), (full("2a1c"),))


def sfloat(value: int) -> bytes:
    return struct.pack("<H", value & 0x0FFF)


def saturation(value: int, rate: int = 60) -> bytes:
    """A continuous PLX measurement."""
    return b"\x00" + sfloat(value) + sfloat(rate)


def temperature(tenths: int) -> bytes:
    """36.6 Cel of the body, as 366."""
    return b"\x04" + tenths.to_bytes(3, "little") + b"\xff\x02"


class Device(Peripheral):
    """A peripheral in an ether; `speaks` seconds apart when it is subscribed to, 0: only when told."""

    def __init__(self, ether: Ether, face: Face, period_s: float = 1.0, value=saturation) -> None:
        self.chip = Chip(face.name, link=ether)
        super().__init__(face, self.chip, self.chip)
        self.ether = ether
        self.period_s = period_s
        self.value = value
        self.said: list[int] = []
        self._job = None
        self._task: asyncio.Task[None] | None = None

    async def switch_on(self) -> None:
        await self.start()
        await self.show()
        if self.period_s:
            self._task = asyncio.create_task(self._speak())

    async def _speak(self) -> None:
        count = 0
        while True:
            await self.wants.wait()
            await passing(self.period_s)
            if self.is_connected and self.wants.is_set():
                count += 1
                await self.say(self.face.characteristics[0], self.value(50 + count % 50))

    def switch_off(self) -> None:
        """Its battery is taken out."""
        self.ether.leave(self.chip)
        if self._task is not None:
            self._task.cancel()


class Bed:
    def __init__(
        self,
        folder: Path,
        named: list[Named] | None = None,
        ether: Ether | None = None,
        driver=registry.driver,
        was_durable=lambda sealed: False,
        stack: Stack | None = None,
    ) -> None:
        self.stack = stack or Stack(ether or Ether())
        self.ether = self.stack.ether
        self.config = Config(
            "north",
            "mqtt://127.0.0.1:1",
            state=str(folder / "state"),
            runtime=str(folder / "run"),
            radio=named or [],
        )
        (folder / "state").mkdir(parents=True, exist_ok=True)
        (folder / "run").mkdir(parents=True, exist_ok=True)
        self.runtime = folder / "run"
        self.supervisor = Supervisor()
        self.ward = Ward(lambda: codec.Encoder().encode)
        self.tapes = Tapes()
        self.world = World(now=now, air=lambda: air(self.stack), driver=driver)
        self.marks = Marks(Disk(direct=False), folder / "state" / MARKS_FILE, was_durable)
        self.radio = Radio(
            self.config, self.world, self.ward, self.tapes, self.marks, lambda: None, self.supervisor.once
        )
        self.radio.resume(was_durable)
        self.records: list[Record] = []

    @property
    def host(self):
        assert self.radio.host is not None
        return self.radio.host

    def readings(self) -> list[NumericAt]:
        """All so far."""
        self.records += self.ward.take(0)[0]
        return [record for record in self.records if isinstance(record, NumericAt)]

    def sessions(self) -> list[str]:
        self.readings()
        return [record.phase for record in self.records if isinstance(record, SessionAt)]

    def peer(self, face: Face):
        return self.host.peers[face.address]

    def open_window(self, seconds: float = 60.0) -> None:
        window.write(self.runtime, window.Window(now() + int(seconds * 1e9)))

    async def _look(self) -> None:
        while True:
            self.radio.look()
            await passing(1.0)

    @asynccontextmanager
    async def watched(self):
        """As the gateway does with each beat."""
        looking = asyncio.create_task(self._look())
        try:
            yield self
        finally:
            looking.cancel()
            await self.radio.close()
            failed = [one for one in self.supervisor.watched if one.failures]
            assert not failed, failed


def named(face: Face, driver: str = "gatt_oximeter", passkey: str = "") -> Named:
    return Named(face.address, driver, passkey)
