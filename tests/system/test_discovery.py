"""Devices that nobody configured, on real pseudo-terminals: found by what they say, and never mistaken for another."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent import clock
from agent.cli.entry import main
from agent.config import Config, SpoolSizes
from agent.discovery import Discovery, Rules
from agent.gateway import Gateway
from agent.lab import keyring
from agent.ports.ears import CHANGED_BYTES, CHANGED_NS
from agent.ports.plugs import LOOKS_LIMIT, Plug, Plugs, plug_of
from agent.ports.plugs import Bell as DevBell
from agent.ports.serial_port import Rounds
from agent.sessions.ward import Ward
from agent.spool import read_folder
from agent.supervisor import Supervisor
from agent.tapes import Tapes
from agent.world import World
from drivers import capture, registry
from tests.system.bell import Bell
from tests.system.gateway_rig import opened
from tests.system.test_serial_port import Cable
from wire import codec, keys
from wire.records import Catalogue, NumericAt, PatientIdAt, SessionAt

CAPTURES = Path(__file__).parents[1] / "captures"


def said_by(driver: str, story: str) -> bytes:
    text = (CAPTURES / driver / f"{story}.cap").read_text(encoding="utf-8")
    return b"".join(data for _, data in capture.parse(text).chunks())


def frames_in(driver: str, data: bytes) -> int:
    whole = registry.driver(driver)()
    assert list(whole.on_bytes(data, 0))
    return whole.counts.frames


MASIMO = said_by("masimo_ascii1", "rad8-2018")
DINAMAP = said_by("dinamap_pro1000", "native-stream")
LINES = frames_in("masimo_ascii1", MASIMO)
WRISTBAND = b"]C18018350123456789012349\r\n"


class Ward2(Ward):
    """Rings when a session begins or ends."""

    def __init__(self, bell: Bell) -> None:
        super().__init__(lambda: codec.Encoder().encode)
        self.bell = bell

    def open(self, *given):
        self.bell.ring()
        return super().open(*given)

    def close(self, *given):
        self.bell.ring()
        return super().close(*given)


class Bench:
    """A discovery over cables that the test plugs in and out; `late_ns` puts its clock forward."""

    def __init__(self, folder: Path) -> None:
        self.bell = Bell()
        self.late_ns = 0
        self.plugs: tuple[Plug, ...] = ()
        self.ward = Ward2(self.bell)
        self.tapes = Tapes()
        self.supervisor = Supervisor()
        world = World(now=lambda: clock.now() + self.late_ns, plugged=self._plugged)
        self.discovery = Discovery(
            self.ward, self.tapes, world, folder, Rules(), self.bell.ring, Rounds(), self.supervisor.once
        )

    def _plugged(self) -> tuple[Plug, ...]:
        self.bell.ring()
        return self.plugs

    def drivers(self) -> list[str]:
        return [session.driver.info.id for session in self.ward.sessions]

    def states(self) -> list[str]:
        return [port.state for port, _ in self.discovery.heard()]

    def records(self, kind):
        return [record for record in self.ward.take(clock.now() // 1000)[0] if isinstance(record, kind)]


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path / "run")


@asynccontextmanager
async def looking(bench: Bench):
    bench.discovery.resume(lambda sealed: False)
    bench.discovery.look()
    try:
        yield
    finally:
        await bench.discovery.close()


def test_a_device_is_found_nothing_is_sent_and_not_a_byte_is_lost(bench, tmp_path) -> None:
    async def story():
        cable = Cable(tmp_path / "ttyUSB0")
        bench.plugs = (Plug(str(cable.path), "usb-1-1.2:1.0", "FTDI FT232R"),)
        async with looking(bench):
            cable.say(MASIMO)
            await bench.bell.until(lambda: bench.drivers() == ["masimo_ascii1"])
            await bench.bell.until(lambda: bench.ward.sessions[0].driver.counts.frames == LINES)
            states = bench.states()
            os.set_blocking(cable.host, False)
            with pytest.raises(BlockingIOError):
                os.read(cable.host, 1)
            cable.unplug()
        return states

    assert asyncio.run(story()) == ["open"]
    (catalogue,) = bench.records(Catalogue)
    assert (catalogue.driver, catalogue.port) == ("masimo_ascii1", "usb-1-1.2:1.0")


def test_another_device_at_the_same_cable_is_another_session(bench, tmp_path) -> None:
    async def story():
        cable = Cable(tmp_path / "ttyUSB0")
        bench.plugs = (Plug(str(cable.path), "usb-1"),)
        async with looking(bench):
            cable.say(MASIMO)
            await bench.bell.until(lambda: bench.drivers() == ["masimo_ascii1"])
            bench.late_ns += CHANGED_NS
            cable.say(DINAMAP[: CHANGED_BYTES * 4])
            await bench.bell.until(lambda: bench.drivers() == [])
            cable.say(DINAMAP)
            await bench.bell.until(lambda: bench.drivers() == ["dinamap_pro1000"])
            cable.unplug()

    asyncio.run(story())
    ends = [(record.session, record.phase, record.reason) for record in bench.records(SessionAt)]
    assert (0, "closed", "another device") in ends
    assert all(session in (0, 1) for session, _, _ in ends)


def test_scans_before_a_reader_is_found_are_told_with_their_own_times_and_the_next_device_names_nobody(
    bench, tmp_path
) -> None:
    async def story():
        cable = Cable(tmp_path / "ttyUSB0")
        bench.plugs = (Plug(str(cable.path), "usb-1"),)
        async with looking(bench):
            for number in (1, 2):
                cable.say(WRISTBAND)
                words = f"barcode_reader is understood: {number} of 3 good frames so far"
                await bench.bell.until(lambda words=words: bench.states() == [words])
                bench.late_ns += 600_000_000_000
            cable.say(WRISTBAND)
            await bench.bell.until(lambda: bench.drivers() == ["barcode_reader"])
            bench.late_ns += CHANGED_NS
            cable.say(b"SPO2 097 PR 061\r\n" * 5)
            await bench.bell.until(lambda: bench.drivers() == [])
            cable.unplug()

    asyncio.run(story())
    said = bench.records(PatientIdAt)
    assert [one.code for one in said] == 3 * ["350123456789012349"]
    assert [round((one.t - said[0].t) / 60e6) for one in said] == [0, 10, 20], "minutes"


def test_two_of_a_kind_are_told_apart_by_their_places_and_found_again_there(bench, tmp_path) -> None:
    """Twin adapters have one serial number, and the kernel gives names as it likes."""

    async def story():
        one, two = Cable(tmp_path / "ttyUSB0"), Cable(tmp_path / "ttyUSB1")
        bench.plugs = (Plug(str(one.path), "usb-1"), Plug(str(two.path), "usb-2"))
        async with looking(bench):
            one.say(MASIMO)
            two.say(MASIMO)
            await bench.bell.until(lambda: len(bench.drivers()) == 2)
            two.unplug()
            await bench.bell.until(lambda: len(bench.drivers()) == 1)
            bench.plugs = bench.plugs[:1]
            bench.discovery.look()
            again = Cable(tmp_path / "ttyUSB7")
            bench.plugs = (*bench.plugs, Plug(str(again.path), "usb-2"))
            bench.discovery.look()
            assert len(bench.states()) == 2
            again.say(MASIMO)
            await bench.bell.until(lambda: len(bench.drivers()) == 2)
            for cable in (one, again):
                cable.unplug()

    asyncio.run(story())
    ports = [catalogue.port for catalogue in bench.records(Catalogue)]
    assert sorted(ports) == ["usb-1", "usb-2", "usb-2"]


def test_a_name_that_another_adapter_has_now_is_not_opened(bench, tmp_path) -> None:
    """The kernel gives names anew when several adapters come back together; nobody is heard under another's place."""

    async def story():
        cable = Cable(tmp_path / "ttyUSB0")
        bench.plugs = (Plug(str(cable.path), "usb-1"),)
        async with looking(bench):
            cable.say(MASIMO)
            await bench.bell.until(lambda: bench.drivers() == ["masimo_ascii1"])
            cable.unplug()
            await bench.bell.until(lambda: bench.drivers() == [])
            bench.plugs = (Plug(str(cable.path), "usb-2"),)
            another = Cable(tmp_path / "ttyUSB0")
            another.say(MASIMO)
            await bench.bell.until(lambda: bench.states() == ["cannot open: No such device"])
            another.unplug()

    asyncio.run(story())
    assert {catalogue.port for catalogue in bench.records(Catalogue)} == {"usb-1"}


def test_an_adapter_whose_place_is_not_told_yet_is_left_out_and_looked_at_again(tmp_path) -> None:
    (tmp_path / "ttyUSB0").touch()
    told = SimpleNamespace(device="/dev/ttyUSB0", name="ttyUSB0", location=None, manufacturer="FTDI", product="FT232R")
    plugs = Plugs(tmp_path, lambda: [told])
    assert plugs() == plugs() == ()
    told.location = "1-1.2"
    assert plugs() == (Plug("/dev/ttyUSB0", "usb-1-1.2", "FTDI FT232R"),)
    told.location = None
    (tmp_path / "ttyUSB1").touch()
    seen = [plugs() for _ in range(LOOKS_LIMIT)]
    assert seen[:-1] == [()] * (LOOKS_LIMIT - 1)
    assert seen[-1] == (Plug("/dev/ttyUSB0", "ttyUSB0", "FTDI FT232R"),)


def test_what_a_killed_process_had_read_is_heard_again_by_the_right_driver(bench, tmp_path) -> None:
    async def before():
        cable = Cable(tmp_path / "ttyUSB0")
        bench.plugs = (Plug(str(cable.path), "usb-1"),)
        async with looking(bench):
            cable.say(MASIMO)
            await bench.bell.until(lambda: bench.drivers() == ["masimo_ascii1"])
            await bench.bell.until(lambda: bench.ward.sessions[0].driver.counts.frames == LINES)
            cable.unplug()

    asyncio.run(before())
    after = Bench(tmp_path / "run")
    after.discovery.resume(lambda sealed: False)
    assert len(after.records(NumericAt)) == len(bench.records(NumericAt)) > 0


def test_a_device_that_nobody_understands_is_named_after_twenty_seconds(bench, tmp_path) -> None:
    async def story():
        cable = Cable(tmp_path / "ttyUSB0")
        bench.plugs = (Plug(str(cable.path), "usb-1"),)
        async with looking(bench):
            await bench.bell.until(lambda: bench.states() == ["listening: nothing is heard"])
            cable.say(b"\x00" * 700)
            await bench.bell.until(lambda: bench.states() == ["listening"])
            bench.late_ns += 20_000_000_000
            await bench.bell.until(lambda: bench.states()[0].startswith("unknown device: it speaks"))
            cable.unplug()

    asyncio.run(story())
    assert bench.drivers() == []


def test_pinned_ports_are_left_to_their_drivers(bench, tmp_path) -> None:
    cable = Cable(tmp_path / "ttyUSB0")
    found = replace(bench.discovery, rules=Rules(frozenset({str(cable.path)})))
    bench.plugs = (Plug(str(cable.path.resolve()), "usb-1"),)
    found.look()
    assert list(found.heard()) == []
    cable.unplug()


def test_an_adapter_is_named_by_where_it_is() -> None:
    class Port:
        device, name, location, manufacturer, product = "/dev/ttyUSB0", "ttyUSB0", "1-1.2:1.0", "FTDI", "FT232R"

    assert plug_of(Port()) == Plug("/dev/ttyUSB0", "usb-1-1.2:1.0", "FTDI FT232R")
    Port.location = Port.manufacturer = None
    assert plug_of(Port()) == Plug("/dev/ttyUSB0", "ttyUSB0", "FT232R")


def test_a_gateway_reads_what_is_plugged_in_though_nobody_configured_it(tmp_path) -> None:
    ring = keyring.make(tmp_path / "keys")
    sizes = SpoolSizes(key_mib=8, vital_mib=8, wave_mib=8)
    state, runtime = tmp_path / "state", tmp_path / "run"
    config = Config(
        "north", "mqtt://127.0.0.1:1", keys=str(ring.gateway), state=str(state), runtime=str(runtime), spool=sizes
    )
    secret = keys.recipient_secret((ring.centre / "recipient.key").read_text())

    async def story():
        bell, stop = Bell(), asyncio.Event()
        cable = Cable(tmp_path / "ttyUSB0")
        plug = Plug(str(cable.path), "usb-1")
        gateway = Gateway(config, World(plugged=lambda: (plug,), progress=bell.ring))
        running = asyncio.create_task(gateway.run(stop))
        cable.say(MASIMO)
        await bell.until(lambda: [session.driver.counts.frames for session in gateway.ward.sessions] == [LINES])
        (shown,) = (hearing for _, hearing in gateway.discovery.heard())
        stop.set()
        await running
        cable.unplug()
        return gateway.address.gateway, shown.driver_id

    name, driver = asyncio.run(story())
    assert driver == "masimo_ascii1"
    assert list((runtime / "tape").iterdir()) == []
    stored = opened(name, secret, [one.data for one in read_folder(state / "spool")])
    assert [r.phase for _, r in stored.records if isinstance(r, SessionAt)] == ["open", "closed"]
    assert {r.driver for _, r in stored.records if isinstance(r, Catalogue)} == {"masimo_ascii1"}
    assert sum(isinstance(r, NumericAt) for _, r in stored.records) == 3 * LINES


def test_probing_by_hand_says_who_it_is_or_what_was_tried(tmp_path, capsys) -> None:
    cable = Cable(tmp_path / "ttyUSB0")
    cable.say(MASIMO)
    assert main(["probe", str(cable.path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["driver"], said["line"], said["bytes"]) == ("masimo_ascii1", "9600 8N1", len(MASIMO))
    cable.say(b"\x00" * 700)
    assert main(["probe", str(cable.path), "--seconds", "0.3", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["tried"] == ["9600 8N1"]
    cable.unplug()


def test_the_bell_rings_when_a_name_comes_may_be_opened_and_goes(tmp_path) -> None:
    async def story():
        awaited, rung = Bell(), []

        def ring() -> None:
            rung.append(sorted(node.name for node in tmp_path.iterdir()))
            awaited.ring()

        bell = DevBell(ring, tmp_path)
        node = tmp_path / "ttyUSB0"
        for change in (node.touch, lambda: node.chmod(0o660), node.unlink):
            before = len(rung)
            change()
            await awaited.until(lambda before=before: len(rung) > before)
        bell.close()
        return rung

    rung = asyncio.run(story())
    assert (rung[0], rung[-1]) == (["ttyUSB0"], [])


def test_an_adapter_that_leaves_while_it_is_looked_at_is_looked_for_again(tmp_path) -> None:
    """pyserial makes a number of what /sys no longer says."""
    told = [SimpleNamespace(device="/dev/ttyUSB0", location="1-1.2", name="ttyUSB0", manufacturer="", product="")]
    leaves = [True]

    def ports():
        if leaves:
            int(leaves.pop() and None)
        return told

    (tmp_path / "ttyUSB0").touch()
    plugs = Plugs(tmp_path, ports)
    assert plugs() == ()
    assert [plug.place for plug in plugs()] == ["usb-1-1.2"]
