"""`python -m bench.links.clocks P4`: how well a gateway knows the time by MQTT alone, on a simulated link.

A real broker with TLS and the centre's own subscriber on the far side, the gateway's link and exchange near.
Both have this machine's clock, so the truth is known. Each round is eight questions, a second apart here.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from agent import clock
from agent.exchange import LAST_COUNT, Exchange
from agent.lab import keyring
from agent.lab.keyring import Keyring
from agent.uplink.link import Broker, Link, Will
from agent.uplink.tls import context
from bench.links import rig
from bench.links.profiles import PROFILES
from bench.links.world import FAR, LinkMissingError, World, inside, world
from bench.results import Figure
from centre.config import Config
from centre.counts import Counts
from centre.subscriber import Subscriber
from centre.timing import Timing
from discipline.machine import Found
from wire import keys
from wire.records import Anchor
from wire.topics import Address

CENTRE_ERROR_US = 2000
ROUNDS = 10
EVERY_S = 1.0
READY_LIMIT_S = 120.0
COMMAND = "python -m bench.links.clocks"
TOLD = ("P4", "P1")
BARS = {"clock.p4.true_error_median": 50.0}  # ms, at most


def figures(profile: str, seed: int = 1, rounds: int = ROUNDS) -> Iterator[Figure]:
    """Median and worst of the true error, and of the bound that is said."""
    with tempfile.TemporaryDirectory(prefix="wardlink-clocks-") as name, ExitStack() as stack:
        folder = Path(name)
        ring = keyring.make(folder / "keys", FAR)
        link = stack.enter_context(world(profile, "calm", seed))
        rig._start(stack, link.far, rig._broker(folder, ring), folder / "mosquitto.log")
        rig.until(lambda: rig._answers(link, rig.BROKER_PORT), rig.START_S, "mosquitto")
        subscriber = _centre(link, ring)
        stack.callback(subscriber.stop)
        with inside(link.near):
            anchors = asyncio.run(_asked(ring, rounds))
    off = clock.unix_us() - clock.now() // 1000
    wrong = [abs(one.utc - one.t - off) / 1000 for one in anchors]
    said = [(one.error or 0) / 1000 for one in anchors]
    assert all(w <= s for w, s in zip(wrong, said, strict=True)), "the truth lies outside"
    word = profile.lower()
    yield Figure(f"clock.{word}.true_error_median", round(median(wrong), 1), "ms", COMMAND)
    yield Figure(f"clock.{word}.true_error_worst", round(max(wrong), 1), "ms", COMMAND)
    yield Figure(f"clock.{word}.said_error_median", round(median(said), 1), "ms", COMMAND)


def _centre(link: World, ring: Keyring) -> Subscriber:
    timing = Timing(
        keys.signer(_text(ring.centre / "centre.key")), Counts(), look=lambda utc: Found("", CENTRE_ERROR_US)
    )
    timing.look()
    config = Config(broker=f"mqtts://localhost:{rig.BROKER_PORT}", keys=str(ring.centre))
    subscriber = Subscriber(config, Counts(), timing)
    with inside(link.far):
        subscriber.start()
    return subscriber


async def _asked(ring: Keyring, rounds: int) -> list[Anchor]:
    """The best of the eight of each round."""
    verifier = keys.verifier(_text(ring.gateway / "centre.pub"))
    address = Address(rig.SITE, ring.gateway_id)
    exchange = Exchange("mqtt", address.gateway, [verifier], os.urandom)
    tls = context(ring.gateway / "ca.crt", ring.gateway / "gateway.crt", ring.gateway / "gateway.key")
    will = Will(address.topic("state"), b"{}")
    link = Link(
        Broker(FAR, rig.BROKER_PORT, tls),
        address.gateway,
        will,
        lambda: None,
        lambda topic, data: exchange.answered(data, clock.now()) and None,
    )
    await link.open()
    try:
        link.subscribe(address.topic("time"), 0)
        async with asyncio.timeout(READY_LIMIT_S):
            while not exchange.good:
                await _ask(link, address, exchange)
        found = []
        for _ in range(rounds):
            for _ in range(LAST_COUNT):
                await _ask(link, address, exchange)
            best = exchange.best(clock.now())
            assert best is not None
            found.append(best)
        return found
    finally:
        link.drop()


async def _ask(link: Link, address: Address, exchange: Exchange) -> None:
    link.tell(address.topic("clock"), exchange.question(clock.now()))
    link.flush()
    await asyncio.sleep(EVERY_S)


def _text(file: Path) -> str:
    return file.read_text("utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.links.clocks", description=__doc__)
    parser.add_argument("profiles", nargs="+", choices=sorted(PROFILES), metavar="P4")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    args = parser.parse_args()
    try:
        for profile in args.profiles:
            for figure in figures(profile, args.seed, args.rounds):
                print(figure.line(), flush=True)
    except LinkMissingError as error:
        print(f"error: {error}\n\nhint: run as root where /dev/net/tun is", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
