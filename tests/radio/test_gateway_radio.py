"""The whole gateway with a device by radio: what it said is in the spool, and at the next start it says the rest."""

from __future__ import annotations

import asyncio
import sys

from agent.config import Config, SpoolSizes
from agent.gateway import Gateway
from agent.lab import keyring
from agent.spool import read_folder
from agent.world import World
from tests.radio.bed import named
from tests.radio.test_reached import METER, RECORDS, Memory, Meter
from tests.radio.vtime import passing
from tests.system.bell import Bell
from tests.system.gateway_rig import opened
from wire import keys
from wire.records import Catalogue, NumericAt, SessionAt


class Quick(Memory):
    """Says what is asked for at once, and only `most` of it at a visit."""

    most = RECORDS

    async def tell_all(self) -> None:
        while True:
            await self.wants.wait()
            while not self.asked:
                await passing(0.02)
            first = self.asked.pop() + 1
            for number in range(first, min(RECORDS, first + self.most - 1) + 1):
                await self.say(METER.characteristics[0], bytes([0]))
                await self.say(METER.characteristics[0], bytes([number]))


def test_a_gateway_reads_by_radio_and_goes_on_where_it_was(tmp_path) -> None:
    from agent.lab.ether import Ether
    from tests.radio.bumble_bus import air
    from tests.radio.stack import Stack

    ring = keyring.make(tmp_path / "keys")
    sizes = SpoolSizes(key_mib=8, vital_mib=8, wave_mib=8)
    state = tmp_path / "state"
    config = Config(
        "north",
        "mqtt://127.0.0.1:1",
        keys=str(ring.gateway),
        state=str(state),
        runtime=str(tmp_path / "run"),
        spool=sizes,
        discover=False,
        interval_s=0.25,
        radio=[named(METER, "meter")],
    )
    secret = keys.recipient_secret((ring.centre / "recipient.key").read_text())

    async def life(ether, device, until: int):
        bell, stop = Bell(), asyncio.Event()
        stack = Stack(ether)
        gateway = Gateway(config, World(progress=bell.ring, driver=lambda name: Meter, air=lambda: air(stack)))
        running = asyncio.create_task(gateway.run(stop))
        reach = gateway.radio.marks.reach(f"meter {METER.address}")
        await bell.until(lambda: int(reach() or 0) >= until)
        shown = gateway.radio.picture(gateway.world.now())
        stop.set()
        await running
        ether.remove_controller(stack.chip)
        assert not [task for task in gateway.supervisor.watched if task.failures]
        return gateway.address.gateway, shown

    async def story():
        ether = Ether()
        device = Quick(ether)
        device.most = 7
        await device.switch_on()
        telling = asyncio.create_task(device.tell_all())
        lives = [await life(ether, device, until) for until in (7, RECORDS)]
        telling.cancel()
        return lives[-1]

    name, shown = asyncio.run(story())
    stored = opened(name, secret, [one.data for one in read_folder(state / "spool")])
    assert [r.value for _, r in stored.records if isinstance(r, NumericAt)] == list(range(1, RECORDS + 1))
    assert [r.phase for _, r in stored.records if isinstance(r, SessionAt)] == ["open", "closed"] * 2
    assert {r.port for _, r in stored.records if isinstance(r, Catalogue)} == {f"ble {METER.address}"}
    assert (shown.devices[0].state, shown.state) == ("open", "listening")
    assert not list((tmp_path / "run" / "tape").iterdir())


def test_a_gateway_without_radio_does_not_load_it(tmp_path) -> None:
    ring = keyring.make(tmp_path / "keys")
    config = Config(
        "north",
        "mqtt://127.0.0.1:1",
        keys=str(ring.gateway),
        state=str(tmp_path / "state"),
        runtime=str(tmp_path / "run"),
        spool=SpoolSizes(key_mib=8, vital_mib=8, wave_mib=8),
        discover=False,
    )
    import subprocess

    code = (
        "import asyncio, msgspec, sys; from agent.config import Config; from agent.gateway import Gateway\n"
        f"gateway = Gateway(msgspec.json.decode({msgspec_json(config)!r}, type=Config)); gateway._look_by_radio()\n"
        "names = ('bleak', 'dbus_fast', 'agent.ports.radio', 'bumble')\n"
        "print([name for name in sys.modules if name.startswith(names)])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert out.stdout.strip() == "[]"


def msgspec_json(config: Config) -> bytes:
    import msgspec

    return msgspec.json.encode(config)
