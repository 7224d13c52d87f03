"""Row 25: one driver that raises for ever, floods, or talks without end. The others lose nothing and are not late.

What one process can promise: a driver that raises ends its own session alone; what it says is bounded by what a line
carries, what it may keep by its contract (`tests/fuzz` weighs each), what it counts is one more failure of one port.
What it cannot: drivers share one interpreter. One that never returned would stop the beat, and with it the watchdog:
systemd starts the gateway again, the tape is heard again. Memory and descriptors are the process's. docs/attacks.md
says so.
"""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import Iterable
from pathlib import Path

import pytest

from agent.config import load
from agent.gateway import Gateway
from agent.world import World
from drivers import registry
from drivers.contract import Driver, Info, Integrity, Numeric, Output, Serial
from tests.attack.long import long
from tests.system.bell import Bell
from tests.system.gateway_rig import scene


class Rogue(Driver):
    """As the drivers of a stranger may be."""

    info = Info("rogue", ("none",), (Serial(9600),), ("spo2",), Integrity.NONE, "none")
    way = ""

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        if self.way == "raises":
            raise RuntimeError("x" * 1_000_000)
        if self.way == "recurses":
            return self.on_bytes(data, now, source)
        if self.way == "says too much":
            return [Numeric("spo2", 97, "%")] * 2000
        if self.way == "forbidden":
            raise AssertionError("it sends what it may not")
        if self.way == "out of memory":
            raise MemoryError
        return [Numeric("spo2", 1 << 20_000, "%")]


def kinds(driver_id: str) -> type[Driver]:
    return Rogue if driver_id == "ivy_450c" else registry.driver(driver_id)


WAYS = ("raises", "recurses", "says too much", "forbidden", "out of memory", "a huge number")


@long
@pytest.mark.parametrize("way", WAYS)
def test_the_others_do_not_notice(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rogue, "way", way)

    async def story() -> tuple:
        async with scene(tmp_path) as (rig, oximeter, _):
            near, far = pty.openpty()
            tty.setraw(far)
            os.set_blocking(near, False)
            line = f'[[port]]\npath = "{os.ttyname(far)}"\ndriver = "ivy_450c"\n[spool]'
            rig.config.write_text(rig.config.read_text().replace("[spool]", line))
            stop = asyncio.Event()
            gateway = Gateway(load(rig.config), World(driver=kinds))
            running = asyncio.create_task(gateway.run(stop))
            spoken = 0
            while len(oximeter.said) < 150:
                try:
                    spoken += os.write(near, b"x" * 50)
                except BlockingIOError:
                    spoken += 0
                wanted = len(oximeter.said) + 1
                await Bell().until(lambda wanted=wanted: len(oximeter.said) >= wanted)
            await oximeter.fall_silent()
            failures = {task.name: task.failures for task in gateway.supervisor.watched if task.failures}
            stop.set()
            await running
            os.close(near)
            os.close(far)
            return rig.stored().heard("pleth", str(oximeter.path)), oximeter.said, failures, spoken

    stored, said, failures, spoken = asyncio.run(asyncio.wait_for(story(), 40))
    assert spoken
    assert stored == said
    assert all("port /dev" in name for name in failures), failures
    assert bool(failures) == (way in ("raises", "recurses", "forbidden", "out of memory"))
