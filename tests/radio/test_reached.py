"""A device with a memory, killed and cut at every step between hearing and the disk: each record is said once.

The spool is a dictionary here; tape, marks, ear and radio are the product's own.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.ports.tape import TAPES
from drivers.capture import full
from drivers.contract import Ble, Driver, Info, Integrity, Masked, Numeric, Output, Reached, Send, Subscribe
from tests.radio.bed import Bed, Device, Face, named
from tests.radio.vtime import now, passing, run, until
from wire.envelope import Header
from wire.records import NumericAt
from wire.topics import Class

DATA, ASK = full("fe01"), full("fe02")
METER = Face("C0:11:11:11:11:07", "Meter", full("fe00"), (DATA, ASK))
RECORDS = 12


class Meter(Driver):
    """Asks for what comes after the mark. A record comes in two halves, so that half frames are on the tape too."""

    info = Info(
        "meter",
        ("a meter",),
        (Ble(full("fe00")),),
        ("gluc.cap_wb",),
        Integrity.NONE,
        "none",
        masked=(Masked(b"\x00", b"\xff"),),
    )

    def __init__(self, options=None) -> None:
        super().__init__(options)
        self._half = b""

    def pending(self) -> int:
        return len(self._half)

    def on_open(self, now: int) -> Iterable[Output]:
        return [Subscribe(DATA), Send(bytes([int(self.reached or "0")]), ASK)]

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        assert source == DATA
        if not self._half:
            self._half = data
            return ()
        number, self._half = int.from_bytes(self._half + data, "big"), b""
        return [Numeric("gluc.cap_wb", number, "mg/dL"), Reached(str(number))]


class Memory(Device):
    """Says a record after the other from where it is asked, two halves a second apart."""

    def __init__(self, ether) -> None:
        super().__init__(ether, METER, period_s=0)
        self.asked: list[int] = []
        self.wrote = lambda source, data: self.asked.append(data[0])

    async def tell(self) -> None:
        """All that was asked for last, unless the link is gone before."""
        await until(lambda: self.asked, 30)
        first = self.asked.pop() + 1
        for number in range(first, RECORDS + 1):
            for half in (bytes([0]), bytes([number])):
                if not self.is_connected:
                    return
                await self.say(DATA, half)
                await passing(0.3)


class KilledError(Exception):
    """Here the process ends."""


@dataclass
class Disk:
    """What is durable, by envelope, and what the present epoch is."""

    stored: dict[tuple[int, int, int], list] = field(default_factory=dict)
    epoch: int = 0

    def was_durable(self, sealed) -> bool:
        return tuple(sealed) in self.stored

    def numbers(self) -> list[int]:
        return [r.value for records in self.stored.values() for r in records if isinstance(r, NumericAt)]


async def beats(bed: Bed, disk: Disk, life: int, kill_at: tuple[int, str]) -> None:
    """As the gateway makes them; killed at one step of one beat."""
    disk.epoch = life
    for seq in range(60):
        await passing(1.0)
        pieces = bed.tapes.turn(now())
        records, _ = bed.ward.take(0)
        headers = [Header(life, Class.VITAL, seq, 0)]
        bed.tapes.sealed(pieces, headers)
        data = bed.marks.sealed(headers)
        for step in ("sealed", "marked", "committed", "freed"):
            if step == "marked" and data is not None:
                bed.marks.write(data)
            elif step == "committed":
                disk.stored[life, int(Class.VITAL), seq] = records
            elif step == "freed":
                bed.tapes.durable()
                bed.marks.durable()
            if kill_at == (seq, step):
                raise KilledError
        if disk.numbers().count(RECORDS):
            return


@pytest.mark.parametrize("how", ["kill", "cut"])
@pytest.mark.parametrize("step", ["sealed", "marked", "committed", "freed"])
def test_each_record_is_said_once(tmp_path: Path, how: str, step: str) -> None:
    async def story():
        disk, device, ether = Disk(), None, None
        for life in range(1, 6):
            bed = Bed(tmp_path, [named(METER, "meter")], ether, lambda name: Meter, disk.was_durable)
            ether = bed.ether
            if device is None:
                device = Memory(ether)
                await device.switch_on()
            async with bed.watched():
                job = asyncio.create_task(device.tell())
                try:
                    await beats(bed, disk, life, (2 + life % 2, step) if life < 4 else (-1, ""))
                except KilledError:
                    continue
                finally:
                    job.cancel()
                    await bed.radio.close()
                    ether.remove_controller(bed.stack.chip)
                    device.asked.clear()
                    await passing(1)
                    if how == "cut":
                        shutil.rmtree(tmp_path / "run" / TAPES, ignore_errors=True)
        device.switch_off()
        return disk

    disk = run(story())
    assert sorted(disk.numbers()) == list(range(1, RECORDS + 1))
