"""Commands over a real broker with the access list as it is shipped: what counts, and what changes nothing."""

from __future__ import annotations

import asyncio
import ssl
from itertools import product
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.uplink import commands
from tests.system.uplink_rig import ADDRESS, centre_of, envelope, running, uplink, worlds
from tests.told import START, held, told
from wire.command import Command, Resend, Wanted, sign
from wire.receipt import sign as sign_receipt
from wire.topics import Address, Class

ACL = Path(__file__).parents[2] / "config" / "mosquitto.acl"
UTC = 1_800_000_000_000_000
LIFE_US = 600_000_000
CENTRE = Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture
def build(tmp_path):
    with worlds(tmp_path) as make:
        yield make


def asks(issued: int, signer=CENTRE, gateway: str = ADDRESS.gateway, epoch: int = 1, ranges=((1, 2), (9, 9))) -> bytes:
    wanted = [Wanted(1, Class.WAVE, list(ranges))]
    return sign(signer, gateway, Command(UTC + issued, UTC + issued + LIFE_US, epoch, START, bytes(8), Resend(wanted)))


def test_an_ask_of_the_centre_is_answered_at_once_and_any_other_changes_nothing(build, monkeypatch):
    monkeypatch.setattr(commands, "COMMAND_LEAST_S", 0.0)
    world = build()
    for seq in range(4):
        world.shelf.put(*envelope(Class.WAVE, seq))
    everything = told(UTC, [held(1, Class.WAVE, [(0, 3)])])

    async def story():
        centre = await centre_of(world)

        def command(data: bytes) -> None:
            centre.client.publish(ADDRESS.topic("command"), data, qos=1)

        up = uplink(world.at(), world.shelf, world.bell, CENTRE.public_key())
        async with running(up):
            await world.bell.until(lambda: len(centre.heard) == 4)
            centre.say(sign_receipt(CENTRE, ADDRESS.gateway, everything))
            await world.bell.until(lambda: not world.shelf.kept)
            stranger = Ed25519PrivateKey.generate()
            refused = [asks(1, signer=stranger), asks(1, gateway="gw-0002"), asks(1, epoch=2), b"?", bytes(70_000)]
            refused.append(sign_receipt(CENTRE, ADDRESS.gateway, everything))
            expired = asks(-LIFE_US - 1)
            for data in [*refused, expired]:
                command(data)
            for data in (asks(1), asks(1), asks(2, ranges=[(3, 3)])):
                command(data)
            await world.bell.until(lambda: len(centre.heard) == 7)
            assert sorted(seq for _, _, seq in world.shelf.kept) == [1, 2, 3]
            centre.say(sign_receipt(CENTRE, ADDRESS.gateway, everything))  # true once, and older than the ask
            centre.say(sign_receipt(CENTRE, ADDRESS.gateway, told(UTC + 2, [held(1, Class.WAVE, [(3, 3)])])))
            await world.bell.until(lambda: len(world.shelf.kept) < 3)
        centre.stop()
        return [seq for _, seq, _ in centre.heard], sorted(seq for _, _, seq in world.shelf.kept), up.stat()

    heard, left, stat = asyncio.run(story())
    assert heard[4:] == [1, 2, 3]
    assert left == [1, 2]
    assert stat.commands_refused == {"signature": 3, "epoch": 1, "size": 2, "expired": 1, "replayed": 1}
    assert (stat.commands_taken, stat.sent_again, stat.absent) == (2, 3, 1)
    assert stat.receipts_refused == {"stale": 1}


def client(world, name: str, client_id: str = "") -> tuple[mqtt.Client, list[bytes], asyncio.Event]:
    """A connection by the certificate of `name`; what it hears."""
    heard: list[bytes] = []
    here = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id or name, protocol=mqtt.MQTTv5)
    tls = ssl.create_default_context(cafile=str(world.authority.path))
    tls.load_cert_chain(*map(str, world.authority.issue(name)))
    here.tls_set_context(tls)
    loop, subscribed = asyncio.get_running_loop(), asyncio.Event()
    here.on_connect = lambda c, *_: c.subscribe("wl/1/#", 1)
    here.on_subscribe = lambda *_: loop.call_soon_threadsafe(subscribed.set)
    here.on_message = lambda _c, _d, m: loop.call_soon_threadsafe(lambda: (heard.append(m.payload), world.bell.ring()))
    here.connect("127.0.0.1", world.broker.port)
    here.loop_start()
    return here, heard, subscribed


def test_a_gateway_hears_its_own_commands_only_and_writes_none(build, tmp_path):
    acl = tmp_path / "acl"
    acl.write_bytes(ACL.read_bytes())
    acl.chmod(0o600)
    world = build(acl=f"acl_file {acl}")
    other = Address(ADDRESS.site, "gw-0002")

    async def story():
        made = {name: client(world, name) for name in ("centre", ADDRESS.gateway, other.gateway)}
        forgers = [client(world, other.gateway, f"forger-{n}") for n in range(4)]  # refused, a broker may drop them
        for _, _, subscribed in [*made.values(), *forgers]:
            await asyncio.wait_for(subscribed.wait(), 10)
        for forger, (to, word) in zip(forgers, product((ADDRESS, other), ("command", "receipt")), strict=True):
            forger[0].publish(to.topic(word), b"forged", qos=1)
        for to in (ADDRESS, other, ADDRESS, other):
            made["centre"][0].publish(to.topic("command"), b"genuine", qos=1)
        await world.bell.until(lambda: len(made[ADDRESS.gateway][1]) >= 2 and len(made[other.gateway][1]) >= 2)
        for here, _, _ in [*made.values(), *forgers]:
            here.disconnect()
            here.loop_stop()
        return {name: heard for name, (_, heard, _) in made.items()}

    heard = asyncio.run(story())
    assert heard == {"centre": [], ADDRESS.gateway: [b"genuine"] * 2, other.gateway: [b"genuine"] * 2}
