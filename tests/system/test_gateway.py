"""The gateway as a hospital has it: a process that is stopped, killed, starved and misled, and loses nothing."""

import asyncio
import datetime
import json
import resource
import subprocess
import sys
from collections import Counter

import pytest

from agent.health import causes
from agent.lab import keyring
from agent.spool import check_folder
from tests.system.bell import Bell
from tests.system.gateway_rig import Centre, Gateway, Mosquitto, scene
from wire.records import EnvelopeGap
from wire.statement import Ended, Grant, Manifest
from wire.topics import Class

START_LIMIT_S = 5.0  # generous, for a machine that does other things; what was measured is printed


def story(work) -> None:
    asyncio.run(asyncio.wait_for(work, 50))


def port_of(oximeter) -> str:
    return str(oximeter.path)


async def heard_whole(gateway, oximeter, envelopes) -> bool:
    """Wait until what the envelopes say is what the device said."""
    await Bell().until(lambda: gateway.opened(envelopes).heard("pleth", port_of(oximeter)) == oximeter.said)
    return True


def test_sigterm_ends_cleanly_with_everything_durable(tmp_path) -> None:
    async def work() -> None:
        async with scene(tmp_path) as (gateway, oximeter, mosquitto):
            centre = await Centre(mosquitto.port).ready()
            await gateway.start()
            await Bell().until(lambda: len(oximeter.said) > 60)
            await oximeter.fall_silent()
            await Bell().until(lambda: len(gateway.opened(centre.envelopes).heard("pleth", port_of(oximeter))) > 50)
            assert await gateway.end() == 0
            stored = gateway.stored()
            assert stored.heard("pleth", port_of(oximeter)) == oximeter.said
            assert gateway.opened(centre.envelopes).headers == stored.headers
            listed = Counter()
            for said in stored.statements.values():
                if isinstance(said, Manifest):
                    for sealed in said.sealed:
                        listed[Class(sealed.cls)] += sealed.count
            assert listed == Counter(header.cls for header in stored.headers), "each envelope is in one manifest"
            assert [json.loads(state)["state"] for state in centre.states] == ["online", "offline"]
            assert list((gateway.runtime / "tape").iterdir()) == []
            assert "STOPPING=1" in gateway.notified()
            centre.stop()

    story(work())


def test_kill_9_and_restart_lose_nothing_and_double_nothing(tmp_path) -> None:
    async def work() -> None:
        async with scene(tmp_path) as (gateway, oximeter, mosquitto):
            centre = await Centre(mosquitto.port).ready()
            for round_ in range(1, 4):
                await gateway.start()
                await Bell().until(lambda n=round_: len(oximeter.said) > 45 * n + 10 * n * n)
                gateway.kill()
            await gateway.start()
            await oximeter.fall_silent()
            await heard_whole(gateway, oximeter, centre.envelopes)
            assert await gateway.end() == 0
            assert gateway.stored().heard("pleth", port_of(oximeter)) == oximeter.said
            said = gateway.opened(centre.envelopes)
            assert {header.epoch for header in said.statements} == {1, 2, 3, 4}
            ended = {tail for one in said.statements.values() if isinstance(one, Ended) for tail in one.tails}
            for epoch in (1, 2, 3):
                grants = [h for h, one in said.statements.items() if h.epoch == epoch and isinstance(one, Grant)]
                assert len(grants) == 1
                top = max(header.seq for header in said.headers if (header.epoch, header.cls) == (epoch, Class.VITAL))
                assert any((e, cls) == (epoch, Class.VITAL) and following > top for e, cls, following in ended)
            centre.stop()

    story(work())


def test_what_was_stored_without_a_broker_arrives_later(tmp_path) -> None:
    async def work() -> None:
        async with scene(tmp_path, broker_runs=False) as (gateway, oximeter, mosquitto):
            await gateway.start()
            await Bell().until(lambda: len(oximeter.said) > 60)
            await oximeter.fall_silent()
            assert await gateway.end() == 0
            assert gateway.stored().heard("pleth", port_of(oximeter)) == oximeter.said
            mosquitto.start()
            centre = await Centre(mosquitto.port).ready()
            await gateway.start()
            await heard_whole(gateway, oximeter, centre.envelopes)
            centre.stop()

    story(work())


def test_a_damaged_segment_costs_what_it_held_and_is_declared(tmp_path) -> None:
    async def work() -> None:
        async with scene(tmp_path, broker_runs=False) as (gateway, oximeter, mosquitto):
            await gateway.start()
            await Bell().until(lambda: len(oximeter.said) > 150)
            await oximeter.fall_silent()
            assert await gateway.end() == 0
            before = gateway.stored().headers
            segment = next(gateway.spool.glob("2-*.seg"))
            data = bytearray(segment.read_bytes())
            data[4096 + 60] ^= 0xFF
            segment.write_bytes(data)
            mosquitto.start()
            centre = await Centre(mosquitto.port).ready()
            await gateway.start()
            lost = {header for header in before if header.cls is Class.WAVE and header.seq == 0}
            assert len(lost) == 1
            await Bell().until(lambda: gateway.opened(centre.envelopes).headers >= before - lost)
            gaps = [r for _, r in gateway.opened(centre.envelopes).records if isinstance(r, EnvelopeGap)]
            assert [(g.epoch, g.cls, g.first, g.last, g.cause) for g in gaps] == [(1, 2, 0, 0, "damaged")]
            await gateway.end()
            await gateway.start()
            await gateway.end()
            gaps = [r for _, r in gateway.opened(centre.envelopes).records if isinstance(r, EnvelopeGap)]
            assert len(gaps) == 1, "declared once, for ever"
            centre.stop()

    story(work())


def test_a_disk_that_refuses_does_not_silence_live_and_is_shown(tmp_path) -> None:
    """A limit on the size of files stands in for a disk that fails while the daemon runs: each commit is refused.

    (A disk that is only full does not get there: segments are written beforehand.)
    """

    async def work() -> None:
        async with scene(tmp_path) as (gateway, oximeter, mosquitto):
            centre = await Centre(mosquitto.port).ready()
            await gateway.start()
            await Bell().until(lambda: len(gateway.opened(centre.envelopes).headers) > 2)
            sizes = resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
            await Bell().until(lambda: gateway.status().spool.problem)
            assert "refused" in gateway.status().spool.problem
            before = len(gateway.opened(centre.envelopes).heard("pleth", port_of(oximeter)))
            await Bell().until(
                lambda: len(gateway.opened(centre.envelopes).heard("pleth", port_of(oximeter))) > before + 60
            )
            assert causes.of(gateway.status(), 0)[0].what.startswith("storage: the disk refused")
            resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, sizes)
            await oximeter.fall_silent()
            await Bell().until(lambda: not gateway.status().spool.problem)
            await heard_whole(gateway, oximeter, centre.envelopes)
            assert await gateway.end() == 0
            assert check_folder(gateway.spool) == []
            centre.stop()

    story(work())


def test_a_disk_without_room_is_an_error_with_a_hint(tmp_path) -> None:
    disk = tmp_path / "state"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=9m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        gateway = Gateway(tmp_path, "mqtt://127.0.0.1:1")
        words = [sys.executable, "-m", "agent.cli.entry", "run", "--config", str(gateway.config)]
        ended = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
        gateway.close()
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert ended.returncode == 1
    assert "error: there is no room for the first segment of class 2" in ended.stderr
    assert "hint: free 4194304 bytes" in ended.stderr


def test_a_foreign_or_expired_broker_is_named_in_the_status(tmp_path, monkeypatch) -> None:
    """Each gateway's authority is its own, so a broker certified by another one is a stranger."""

    async def work() -> None:
        gateways, brokers = [], []
        for name, words in (("foreign", "the broker's certificate is "), ("expired", "has expired")):
            folder = tmp_path / name
            folder.mkdir()
            gateway = Gateway(folder, "mqtt://unset")
            if name == "expired":
                monkeypatch.setattr(keyring, "EARLY", datetime.timedelta(days=9))
            others = folder / ("keys" if name == "expired" else "strangers")
            broker = Mosquitto(folder, keyring.make(others).broker)
            text = gateway.config.read_text().replace("mqtt://unset", f"mqtts://localhost:{broker.port}")
            gateway.config.write_text(text)
            broker.start()
            await gateway.start()
            gateways.append((gateway, words))
            brokers.append(broker)
        try:
            for gateway, words in gateways:
                await Bell().until(lambda g=gateway, w=words: g.status() and w in g.status().link.problem)
                assert gateway.status().link.hint
                assert not gateway.status().link.connected
                assert await gateway.end() == 0
        finally:
            for gateway, _ in gateways:
                gateway.close()
            for broker in brokers:
                broker.stop()

    story(work())


def test_it_is_ready_soon_and_ready_means_that_the_first_envelopes_are_durable(tmp_path, record_property) -> None:
    async def work() -> None:
        async with scene(tmp_path, broker_runs=False) as (gateway, _, _):
            first = await gateway.start()
            gateway.kill()
            stored = gateway.stored()
            assert any(isinstance(said, Grant) for said in stored.statements.values())
            assert any(header.cls is Class.VITAL for header in stored.headers)
            warm = await gateway.start()
            gateway.kill()
            record_property("ready_s", warm)
            print(f"ready after {first:.2f} s on a new spool, {warm:.2f} s on an old one")
            assert warm < START_LIMIT_S

    story(work())


def test_a_gateway_without_ports_runs_and_shows_itself(tmp_path) -> None:
    async def work() -> None:
        gateway = Gateway(tmp_path, "mqtt://127.0.0.1:1")
        try:
            await gateway.start()
            await Bell().until(lambda: gateway.status() is not None)
            assert [task.failures for task in gateway.status().tasks] == [0] * len(gateway.status().tasks)
            assert await gateway.end() == 0
        finally:
            gateway.close()

    story(work())


def test_reaching_the_broker_is_a_beat(tmp_path) -> None:
    """With an interval of 10 s the centre does not wait that long to hear how the devices are."""

    async def work() -> None:
        async with scene(tmp_path, more="interval_s = 10") as (gateway, _, mosquitto):
            centre = await Centre(mosquitto.port).ready()
            await gateway.start()
            async with asyncio.timeout(8):
                await Bell().until(lambda: sum(data[1] == Class.VITAL for data in centre.envelopes) >= 2)
            assert await gateway.end() == 0
            centre.stop()

    story(work())
