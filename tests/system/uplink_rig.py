"""What the uplink's system tests stand on: a list instead of a spool, and a centre that signs receipts."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.uplink.flow import Limits
from agent.uplink.link import Broker
from agent.uplink.tls import context
from agent.uplink.uplink import Origin, Seams, Uplink
from tests.system.broker_rig import FAR_AWAY, Authority, Bell, Mosquitto, Proxy
from tests.told import START, held, told
from wire.envelope import Header
from wire.ranges import Ranges
from wire.receipt import sign
from wire.topics import Address, Class, parse

ADDRESS = Address("ward-7", "gw-0001")
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Kept:
    cls: int
    epoch: int
    hour: int
    seq: int
    data: bytes


class Shelf:
    """A spool in memory: what is not held is backlog, key first, newest hour first; `gone` is held."""

    def __init__(self, bell: Bell) -> None:
        self.bell = bell
        self.kept: dict[tuple[int, int, int], Kept] = {}
        self.gone: dict[tuple[int, int, int], Kept] = {}
        self.fetches = 0

    def start(self, epoch: int) -> bytes:
        return START

    def used(self, epoch: int) -> None:
        self.used_epoch = epoch

    def put(self, header: Header, data: bytes) -> None:
        self.kept[header.cls, header.epoch, header.seq] = Kept(header.cls, header.epoch, header.hour, header.seq, data)

    async def backlog(self, limit_bytes, skip):
        self.fetches += 1
        out, size = [], 0
        for one in sorted(self.kept.values(), key=lambda one: (one.cls, -one.hour, one.seq)):
            if skip(one.cls, one.epoch, one.seq):
                continue
            if out and size + len(one.data) > limit_bytes:
                break
            out.append(one)
            size += len(one.data)
        return out

    async def held(self, cls, epoch, ranges) -> int:
        gone = [key for key in self.kept if key[:2] == (cls, epoch) and any(a <= key[2] <= b for a, b in ranges)]
        for key in gone:
            self.gone[key] = self.kept.pop(key)
        self.bell.ring()
        return len(gone)

    async def lacked(self, cls, epoch, ranges) -> tuple[int, int]:
        asked = [(cls, epoch, seq) for first, last in ranges for seq in range(first, last + 1)]
        back = [key for key in asked if key in self.gone]
        self.kept.update({key: self.gone.pop(key) for key in back})
        return len(back), sum(key not in self.kept for key in asked)


class Centre:
    """Subscribes to one gateway on the plain listener, notes what comes in order, and signs receipts if it may."""

    def __init__(self, bell: Bell, port: int, signer: Ed25519PrivateKey | None) -> None:
        self.bell = bell
        self.signer = signer
        self.loop = asyncio.get_running_loop()
        self.heard: list[tuple[Class, int, float]] = []  # class, seq, when
        self.bytes = 0
        self.presence: list[str] = []
        self.ranges: dict[Class, Ranges] = {}
        self.subscribed = asyncio.Event()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self.client.on_connect = lambda client, *_: client.subscribe(f"wl/1/{ADDRESS.site}/{ADDRESS.gateway}/#", 1)
        self.client.on_subscribe = lambda *_: self.loop.call_soon_threadsafe(self.subscribed.set)
        self.client.on_message = lambda _c, _d, m: self.loop.call_soon_threadsafe(self.hear, m.topic, m.payload)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def hear(self, topic: str, data: bytes) -> None:
        word = parse(topic)[1]
        if word == "state":
            self.presence.append(data.decode())
        elif word in ("key", "vital", "wave"):
            cls, seq = Class[word.upper()], int.from_bytes(data[:4], "big")
            self.heard.append((cls, seq, time.monotonic()))
            self.bytes += len(data)
            self.ranges.setdefault(cls, Ranges()).add(seq)
            if self.signer is not None and len(self.heard) % 10 == 0:
                self.receipt()
        self.bell.ring()

    def receipt(self) -> None:
        self.say(sign(self.signer, ADDRESS.gateway, told(0, [held(1, c, r) for c, r in self.ranges.items()])))

    def say(self, data: bytes) -> None:
        self.client.publish(ADDRESS.topic("receipt"), data, qos=1, retain=True)

    def times(self) -> Counter:
        """How often each envelope was heard."""
        return Counter((cls, seq) for cls, seq, _ in self.heard)

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def envelope(cls: Class, seq: int, hour: int = 0, size: int = 200) -> tuple[Header, bytes]:
    """Not sealed: the uplink does not look inside. The test finds the seq in the first four bytes."""
    return Header(1, cls, seq, hour), seq.to_bytes(4, "big") + bytes(size - 4)


def uplink(broker: Broker, shelf: Shelf, bell: Bell, centre_key=None, **given) -> Uplink:
    limits = Limits(**{"patience_least_s": PATIENCE_S, "look_every_s": 1.0} | given.pop("limits", {}))
    seams = Seams(
        given.get("on_state", bell.ring),
        given.get("on_connect", bell.ring),
        time.monotonic_ns,
        random.Random(7).uniform,
    )
    return Uplink(Origin(ADDRESS, 1, START), broker, [centre_key] if centre_key else [], shelf, seams, limits)


class World:
    """One authority, one gateway certificate, one broker."""

    def __init__(self, folder, given="max_inflight_messages 0", acl="", server_until=FAR_AWAY) -> None:
        self.folder = folder
        self.authority = Authority(folder, "authority")
        self.own = self.authority.issue(ADDRESS.gateway)
        server = self.authority.issue("broker", server_until)
        self.broker = Mosquitto(folder, self.authority, server, given, acl)
        self.bell = Bell()
        self.shelf = Shelf(self.bell)

    def at(self, port: int | None = None) -> Broker:
        tls = context(self.authority.path, *self.own)
        return Broker("127.0.0.1", port or self.broker.port, tls, connect_limit_s=5)


@asynccontextmanager
async def running(up):
    task = asyncio.create_task(up.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@contextmanager
def worlds(folder):
    """Gives a function that makes a world and starts its broker; ends them all."""
    made = []

    def make(**given) -> World:
        world = World(folder, **given)
        world.broker.start()
        made.append(world)
        return world

    yield make
    for world in made:
        world.broker.kill()


async def centre_of(world, signer=None) -> Centre:
    centre = Centre(world.bell, world.broker.plain_port, signer)
    await centre.subscribed.wait()
    return centre


async def proxy_of(world) -> Proxy:
    proxy = Proxy(world.broker.port, world.bell)
    await proxy.start()
    return proxy
