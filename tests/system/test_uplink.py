"""The uplink against a real mosquitto over TLS 1.3."""

from __future__ import annotations

import asyncio
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.uplink.lanes import AROUND_BYTES
from tests.system.uplink_rig import ADDRESS, centre_of, envelope, proxy_of, running, uplink, worlds
from tests.told import held, told
from wire import presence
from wire.receipt import sign
from wire.topics import Class


@pytest.fixture
def build(tmp_path):
    with worlds(tmp_path) as make:
        yield make


def test_live_goes_before_backlog_and_newest_hour_first(build):
    world = build()
    for hour in range(3):
        for seq in range(hour * 10, hour * 10 + 10):
            world.shelf.put(*envelope(Class.WAVE, seq, hour))
    world.shelf.put(*envelope(Class.VITAL, 0))
    world.shelf.put(*envelope(Class.KEY, 0))

    async def story():
        def catalogue():
            up.offer(*envelope(Class.WAVE, 100))
            up.offer(*envelope(Class.VITAL, 100))

        centre = await centre_of(world)
        up = uplink(world.at(), world.shelf, world.bell, on_connect=catalogue)
        async with running(up):
            await world.bell.until(lambda: len(centre.heard) == 34 and not world.shelf.kept)
        centre.stop()
        return [(cls, seq) for cls, seq, _ in centre.heard], up.stat()

    heard, stat = asyncio.run(story())
    waves = [(Class.WAVE, seq) for hour in (2, 1, 0) for seq in range(hour * 10, hour * 10 + 10)]
    live = [(Class.VITAL, 100), (Class.WAVE, 100)]
    assert heard == [*live, (Class.KEY, 0), (Class.VITAL, 0), *waves]
    assert stat.held == {Class.KEY: 1, Class.VITAL: 1, Class.WAVE: 30}


def test_a_forged_receipt_frees_nothing(build):
    world, signer = build(), Ed25519PrivateKey.generate()
    for seq in range(5):
        world.shelf.put(*envelope(Class.WAVE, seq))
    everything = told(0, [held(1, Class.WAVE, [(0, 4)])])

    async def story():
        centre = await centre_of(world)
        up = uplink(world.at(), world.shelf, world.bell, signer.public_key())
        async with running(up):
            await world.bell.until(lambda: len(centre.heard) == 5)
            centre.say(sign(Ed25519PrivateKey.generate(), ADDRESS.gateway, everything))
            centre.say(sign(signer, "gw-0002", everything))
            centre.say(b"nonsense")
            centre.say(sign(signer, ADDRESS.gateway, told(0, [held(1, Class.WAVE, [(1, 2)])])))
            await world.bell.until(lambda: len(world.shelf.kept) < 5)
        centre.stop()
        return sorted(one.seq for one in world.shelf.kept.values()), up.stat()

    left, stat = asyncio.run(story())
    assert left == [0, 3, 4]
    assert stat.receipts_refused == {"signature": 2, "size": 1}
    assert (stat.receipts_good, stat.held) == (1, {Class.WAVE: 2})


def test_live_stays_fast_while_three_megabytes_drain(build):
    world = build()
    for seq in range(750):
        world.shelf.put(*envelope(Class.WAVE, seq, size=4000))

    async def story():
        centre, offered = await centre_of(world), []
        up = uplink(world.at(), world.shelf, world.bell)
        loop = asyncio.get_running_loop()

        def speak():
            header, data = envelope(Class.VITAL, len(offered), size=600)
            offered.append(time.monotonic())
            up.offer(header, data)
            if world.shelf.kept:
                loop.call_later(0.05, speak)

        async with running(up):
            await world.bell.until(lambda: centre.heard)
            speak()
            await world.bell.until(lambda: len(centre.heard) == 750 + len(offered) and not world.shelf.kept, 20)
        centre.stop()
        return [at - offered[seq] for cls, seq, at in centre.heard if cls is Class.VITAL], centre.bytes

    delays, size = asyncio.run(story())
    assert size > 3_000_000
    assert len(delays) >= 5
    assert max(delays) < 0.5


def test_presence_is_online_then_offline_and_the_will_when_cut(build):
    world = build()

    async def story():
        centre, proxy = await centre_of(world), await proxy_of(world)
        up = uplink(
            world.at(proxy.port), world.shelf, world.bell, on_connect=lambda: up.offer(*envelope(Class.VITAL, 0))
        )
        async with running(up) as task:
            await world.bell.until(lambda: len(centre.presence) == 1)
            proxy.cut()
            await world.bell.until(lambda: len(centre.presence) == 3)
            await up.close()
            await world.bell.until(lambda: len(centre.presence) == 4)
            await task
        centre.stop()
        proxy.stop()
        return [presence.read(data.encode()).state for data in centre.presence], up.stat()

    words, stat = asyncio.run(story())
    assert words == ["online", "offline", "online", "offline"]
    assert (stat.state.message, stat.outstanding_bytes) == ("closed", 0)


def test_the_brokers_receive_maximum_is_kept(build):
    world = build(given="max_inflight_messages 2")
    for seq in range(60):
        world.shelf.put(*envelope(Class.WAVE, seq, size=200))

    async def story():
        outstanding = []

        def is_done():
            outstanding.append(up.stat().outstanding_bytes)
            return len(centre.heard) == 60 and not world.shelf.kept

        centre = await centre_of(world)
        up = uplink(world.at(), world.shelf, world.bell)
        async with running(up):
            await world.bell.until(is_done)
        centre.stop()
        return outstanding

    assert max(asyncio.run(story())) in (200 + AROUND_BYTES, 400 + 2 * AROUND_BYTES)
