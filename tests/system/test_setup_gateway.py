"""A setup with the real gateway and a real broker: reached is good, and five minutes without it is back."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

from agent import config
from agent.gateway import Gateway
from agent.health import status
from agent.lab import keyring
from agent.setting import Machine
from agent.setup import standing
from agent.setup.render import GATEWAY
from agent.watching import Watch
from agent.world import World
from config import codes
from tests.system.bell import Bell
from tests.system.gateway_rig import Mosquitto, free_port

SECOND = 10**9


@contextlib.asynccontextmanager
async def runs(machine: Machine):
    """As the unit would, with the configuration that was rendered."""
    gateway, stop = Gateway(config.load(machine.root / GATEWAY), World()), asyncio.Event()
    running = asyncio.create_task(gateway.run(stop))
    try:
        yield
    finally:
        stop.set()
        await running
        (machine.runtime / "status.json").unlink(missing_ok=True)


def problem(machine: Machine) -> str:
    file = machine.runtime / status.STATUS_FILE
    return status.read(machine.runtime).link.problem if file.exists() else ""


def test_reached_is_good_and_not_reached_goes_back(tmp_path: Path) -> None:
    ring, broker = keyring.make(tmp_path / "keys"), Mosquitto(tmp_path)
    (tmp_path / "root/etc/wardlink").mkdir(parents=True)
    (tmp_path / "boot").mkdir()
    machine = Machine(tmp_path / "root", tmp_path / "boot")
    made = {"keys": str(ring.gateway), "confirm": "broker", "discover": False}
    made |= {"state": str(tmp_path / "state"), "runtime": str(machine.runtime)}
    extra = "[gateway]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in made.items())
    sizes = "[gateway.spool]\nkey_mib = 8\nvital_mib = 8\nwave_mib = 8\n"

    def apply(port: int) -> standing.Standing:
        text = f'site = "north"\nbroker = "mqtt://127.0.0.1:{port}"\n{extra}{sizes}'
        (machine.boot / "wardlink.txt").write_text(text)
        return machine.apply()

    async def work() -> None:
        assert apply(broker.port).state == "busy"
        async with runs(machine):
            await Bell().until(lambda: Watch(machine, 0).step(SECOND))
        assert standing.read(machine.runtime).state == "done"
        assert apply(free_port()).state == "busy"
        watch = Watch(machine, 0)
        async with runs(machine):
            await Bell().until(lambda: "refuses" in problem(machine))
            assert not watch.step(299 * SECOND)
            assert watch.step(300 * SECOND)
        told = standing.read(machine.runtime)
        assert (told.code, told.inforce) == (codes.ROLLED_BACK, "good")
        assert "refuses connections" in told.cause
        assert str(broker.port) in (machine.root / GATEWAY).read_text()

    broker.start()
    try:
        asyncio.run(work())
    finally:
        broker.stop()
