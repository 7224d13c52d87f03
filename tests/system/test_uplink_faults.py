"""The uplink against what networks, brokers and disks do: real mosquitto, TLS 1.3, a proxy in the middle."""

from __future__ import annotations

import asyncio
import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.uplink.lanes import Lane
from agent.uplink.link import Broker
from agent.uplink.pace import WINDOW_BYTES, WINDOW_LIMIT_BYTES
from agent.uplink.tls import context
from tests.system.broker_rig import Authority
from tests.system.uplink_rig import ADDRESS, Shelf, centre_of, envelope, proxy_of, running, uplink, worlds
from wire.topics import Class


@pytest.fixture
def build(tmp_path):
    with worlds(tmp_path) as make:
        yield make


def test_a_broker_that_dies_and_comes_back_empty_loses_nothing(build):
    """Two kinds come again: what had no PUBACK at the kill (perhaps a duplicate), and what was acknowledged but died
    with the broker, once the patience for its receipt is over. What the centre had said it holds comes once."""
    world, signer = build(), Ed25519PrivateKey.generate()
    for seq in range(300):
        world.shelf.put(*envelope(Class.WAVE, seq, size=4000))

    async def story():
        centre, proxy = await centre_of(world, signer), await proxy_of(world)
        up = uplink(
            world.at(proxy.port), world.shelf, world.bell, signer.public_key(), limits={"patience_least_s": 2.0}
        )
        async with running(up):
            await world.bell.until(lambda: len(world.shelf.kept) <= 200)
            proxy.is_refusing = True
            world.broker.kill()
            kept, unanswered = set(world.shelf.kept), up.stat().unanswered
            centre.subscribed.clear()
            world.broker.start()
            await centre.subscribed.wait()
            proxy.is_refusing = False
            await world.bell.until(lambda: len(centre.times()) == 300)
            centre.receipt()
            await world.bell.until(lambda: not world.shelf.kept)
        centre.stop()
        proxy.stop()
        return {seq for _, _, seq in kept}, unanswered, centre.times(), up.stat()

    kept, unanswered, times, stat = asyncio.run(story())
    assert 0 < len(kept) <= 200
    assert unanswered == 0 < stat.unanswered <= WINDOW_LIMIT_BYTES // 4000
    assert sorted(seq for _, seq in times) == list(range(300))
    assert all(times[Class.WAVE, seq] == 1 for seq in set(range(300)) - kept)
    sent, acked = stat.sent[Class.WAVE, Lane.BACKFILL].count, stat.acked[Class.WAVE, Lane.BACKFILL].count
    assert sent == acked + stat.unanswered
    assert stat.reconnects == 1


def test_what_the_broker_acknowledged_is_held_while_the_link_is_away(build):
    """Else a gateway killed in the outage would send it again."""
    world = build()
    for seq in range(3):
        world.shelf.put(*envelope(Class.WAVE, seq))

    async def story():
        centre, proxy = await centre_of(world), await proxy_of(world)
        up = uplink(world.at(proxy.port), world.shelf, world.bell)
        async with running(up):
            await world.bell.until(lambda: len(centre.times()) == 3)
            proxy.is_refusing = True
            world.broker.kill()
            await world.bell.until(lambda: not up.stat().state.connected)
            await world.bell.until(lambda: not world.shelf.kept)
            reconnects = up.stat().reconnects
        centre.stop()
        proxy.stop()
        return reconnects

    assert asyncio.run(story()) == 0


def test_a_broker_to_which_nobody_subscribes_is_not_given_the_backlog(build):
    """As after a broker lost its sessions: live goes on, and tells when the centre is back."""
    world, signer = build(), Ed25519PrivateKey.generate()
    for seq in range(300):
        world.shelf.put(*envelope(Class.WAVE, seq, size=4000))

    async def story():
        up = uplink(world.at(), world.shelf, world.bell, signer.public_key())
        async with running(up):
            await world.bell.until(lambda: "nobody listens" in up.stat().state.message)
            alone = up.stat()
            centre = await centre_of(world, signer)
            for cls in (Class.VITAL, Class.WAVE):
                up.offer(*envelope(cls, 1000))
            await world.bell.until(lambda: len(centre.times()) == 302)
        centre.stop()
        return alone, up.stat(), centre.times()

    alone, stat, times = asyncio.run(story())
    assert alone.sent[Class.WAVE, Lane.BACKFILL].bytes <= WINDOW_BYTES
    assert not alone.acked
    assert stat.state.message == ""
    assert set(times.values()) == {1}


def first_complaint(world, broker_of):
    """The state that the uplink tells, once it has tried twice."""

    async def story():
        states, proxy = [], await proxy_of(world)
        up = uplink(broker_of(proxy.port), world.shelf, world.bell, on_state=states.append)
        async with running(up):
            await world.bell.until(lambda: proxy.accepted >= 2)
        proxy.stop()
        return states

    states = asyncio.run(story())
    assert len(states) == 1
    assert not states[0].connected
    return states[0].message, states[0].hint


def test_an_expired_server_certificate_is_named_and_retried(build):
    world = build(server_until=datetime.datetime(2021, 1, 1))  # noqa: DTZ001
    message, hint = first_complaint(world, world.at)
    assert message == "the broker's certificate has expired"
    assert "clock" in hint


def test_a_foreign_server_certificate_is_named_and_retried(build):
    world = build()
    stranger = Authority(world.folder, "stranger")
    message, hint = first_complaint(
        world, lambda port: Broker("127.0.0.1", port, context(stranger.path, *world.own), connect_limit_s=5)
    )
    assert message == "the broker's certificate is from an authority we do not trust"
    assert "CA file" in hint


def test_a_gateway_certificate_that_the_broker_does_not_trust_is_named(build):
    world = build()
    stranger = Authority(world.folder, "stranger").issue("gw-0666")
    message, hint = first_complaint(
        world, lambda port: Broker("127.0.0.1", port, context(world.authority.path, *stranger), connect_limit_s=5)
    )
    assert message == "the broker does not know who issued the gateway's certificate"
    assert "cafile" in hint


def test_a_half_open_link_is_torn_down_and_made_again(build):
    world = build()

    async def story():
        states = []

        def on_state(state):
            states.append(state)
            world.bell.ring()

        centre, proxy = await centre_of(world), await proxy_of(world)
        up = uplink(world.at(proxy.port), world.shelf, world.bell, on_state=on_state, limits={"stall_least_s": 1.0})
        async with running(up):
            await world.bell.until(lambda: states and states[-1].connected)
            proxy.freeze()
            world.shelf.put(*envelope(Class.VITAL, 0))
            up.offer(*envelope(Class.VITAL, 0))
            await world.bell.until(lambda: not states[-1].connected)
            proxy.thaw()
            await world.bell.until(lambda: centre.heard and not world.shelf.kept)
        centre.stop()
        proxy.stop()
        return [(state.connected, state.message) for state in states], up.stat()

    states, stat = asyncio.run(story())
    assert states == [(True, ""), (False, "the broker has stopped answering"), (True, "")]
    assert (stat.unanswered, stat.reconnects, stat.held) == (1, 1, {Class.VITAL: 1})


def test_a_spool_that_never_answers_does_not_silence_live(build):
    world = build()

    class Dying(Shelf):
        async def backlog(self, limit_bytes, skip):
            await asyncio.Event().wait()

    async def story():
        centre = await centre_of(world)

        def catalogue():
            for seq in range(20):
                up.offer(*envelope(Class.VITAL, seq, size=4000))

        up = uplink(
            world.at(), Dying(world.bell), world.bell, on_connect=catalogue, limits={"live_limit_bytes": 1 << 20}
        )
        async with running(up):
            await world.bell.until(lambda: len(centre.heard) == 20)
        centre.stop()
        return [seq for _, seq, _ in centre.heard]

    assert asyncio.run(story()) == list(range(20))


def test_a_broker_that_refuses_is_named_and_the_spool_keeps_all(build, tmp_path):
    """mosquitto 2.0.11 answers a denied PUBLISH with 0x87 and drops the connection, which may swallow the answer."""
    acl = tmp_path / "acl"
    acl.write_text(f"user {ADDRESS.gateway}\ntopic readwrite wl/1/{ADDRESS.site}/{ADDRESS.gateway}/state\n")
    acl.chmod(0o600)
    world = build(acl=f"acl_file {acl}")
    for seq in range(5):
        world.shelf.put(*envelope(Class.WAVE, seq))

    async def story():
        up = uplink(world.at(), world.shelf, world.bell)
        async with running(up):
            await world.bell.until(lambda: up.stat().state.connected and up.stat().state.message)
        return up.stat()

    stat = asyncio.run(story())
    assert stat.state.message == "the broker refuses our envelopes: link-broke"
    assert sum(stat.refused.values()) >= 3
    assert len(world.shelf.kept) == 5
