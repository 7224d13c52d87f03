"""A noisy neighbour: what floods of hospital B's gateway cost hospital A on the same broker.

Each line: beats of A (10 publications each, both ways, each heard), and how long one publication took to be heard.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from centre.fleet.broker import FROM_CENTRE, FROM_GATEWAY, PACKET_LIMIT_BYTES, QUEUE_LIMIT_BYTES, Site
from tests.attack.hospitals import Broker, Hospital, Party, Trust
from tests.attack.speaker import PUBLISH, GoneError, Speaker, text

WORDS = len(FROM_GATEWAY) + len(FROM_CENTRE)
USUAL_LIMIT_S = 0.250  # 99 of 100 publications of A's
WORST_LIMIT_S = 2.0
MEMORY_LIMIT_BYTES = QUEUE_LIMIT_BYTES + 96 * 1024 * 1024
QUIET_BEATS = 100


class Flood(NamedTuple):
    """What B's gateway does: a number of times, from another process."""

    name: str
    run: Callable[[int, Party, int], None]
    times: int


def quiet(port: int, party: Party, times: int) -> None:
    """Alive, and no more."""
    with party.dial(port) as speaker:
        for _ in range(times):
            speaker.ping()


def small(port: int, party: Party, times: int, topic: str = "") -> None:
    """QoS 0, as fast as the broker takes them."""
    with party.dial(port) as speaker:
        for _ in range(times):
            speaker.say(PUBLISH, text(topic or f"wl/1/bravo/{party.name}/vital") + b"\0" + bytes(64))
        speaker.ping()


def denied(port: int, party: Party, times: int) -> None:
    small(port, party, times, "wl/1/alfa/x/vital")


def asking(port: int, party: Party, times: int) -> None:
    """Foreign subscriptions."""
    with party.dial(port) as speaker:
        for _ in range(times):
            speaker.subscribe("wl/1/alfa/+/vital")


def large(port: int, party: Party, times: int) -> None:
    """As large as a packet may be."""
    with party.dial(port) as speaker:
        topic = f"wl/1/bravo/{party.name}/wave"
        for _ in range(times):
            speaker.publish(topic, bytes(PACKET_LIMIT_BYTES - len(topic) - 16))


def too_large(port: int, party: Party, times: int) -> None:
    for _ in range(times):
        with contextlib.suppress(GoneError, OSError), party.dial(port) as speaker:
            speaker.publish(f"wl/1/bravo/{party.name}/wave", bytes(PACKET_LIMIT_BYTES))


def connects(port: int, party: Party, times: int) -> None:
    """Each time a handshake; each puts out the one before."""
    for _ in range(times):
        party.dial(port).close()


def strangers(port: int, _party: Party, times: int) -> None:
    """Connections that never say a word, held open together."""
    held: list[socket.socket] = []
    with contextlib.suppress(OSError):
        held.extend(socket.create_connection(("127.0.0.1", port)) for _ in range(times))
    for sock in held:
        sock.close()


FLOODS = (
    Flood("quiet", quiet, 5_000),
    Flood("10^5 publications", small, 100_000),
    Flood("10^5 refused publications", denied, 100_000),
    Flood("10^4 refused subscriptions", asking, 10_000),
    Flood("1000 publications of 1 MiB", large, 1_000),
    Flood("1000 packets over the limit", too_large, 1_000),
    Flood("10^4 connections", connects, 10_000),
    Flood("1000 silent connections", strangers, 1_000),
)


class Figures(NamedTuple):
    name: str
    seconds: float
    beats: int
    usual_s: float
    worst_s: float
    memory_bytes: int
    log_bytes: int

    @property
    def good(self) -> bool:
        return (
            self.usual_s <= USUAL_LIMIT_S and self.worst_s <= WORST_LIMIT_S and self.memory_bytes < MEMORY_LIMIT_BYTES
        )

    def told(self) -> dict[str, float]:
        """For docs/evidence."""
        return {
            "seconds": round(self.seconds, 1),
            "beats": self.beats,
            "usual_ms": round(self.usual_s * 1000, 1),
            "worst_ms": round(self.worst_s * 1000, 1),
            "broker_mib": self.memory_bytes >> 20,
        }

    def line(self) -> str:
        times = f"99%: {self.usual_s * 1000:6.1f} ms  worst: {self.worst_s * 1000:6.1f} ms"
        sizes = f"broker {self.memory_bytes >> 20:4} MiB  log {self.log_bytes >> 20:4} MiB"
        return f"{self.name:30} {self.seconds:6.1f} s {self.beats:6} beats  {times}  {sizes}"


def suffer(flood: Flood, times: int, broker: Broker, alfa: Hospital, neighbour: Party) -> Figures:
    """A's days while B floods."""
    log = broker.log.stat().st_size
    process = multiprocessing.Process(target=flood.run, args=(broker.port, neighbour, times))
    started = time.monotonic()
    process.start()
    alfa.took_s.clear()
    while process.is_alive() or not alfa.took_s:
        alfa.beat()
    process.join()
    assert process.exitcode == 0, f"{flood.name} broke off"
    took = sorted(alfa.took_s)
    usual = took[len(took) * 99 // 100]
    seconds, grown = time.monotonic() - started, broker.log.stat().st_size - log
    return Figures(flood.name, seconds, len(took) // WORDS, usual, took[-1], broker.memory_bytes(), grown)


def campaign(folder: Path, scale: float) -> list[Figures]:
    trust = Trust(folder / "certs")
    bed, neighbour = trust.gateway(), trust.gateway()
    desks = [trust.party(name) for name in ("centre-alfa", "centre-bravo")]
    sites = [Site("alfa", (bed.name,), ("centre-alfa",)), Site("bravo", (neighbour.name,), ("centre-bravo",))]
    broker = Broker(folder, trust, sites)
    try:
        alfa = Hospital(broker.port, "alfa", bed, desks[0])
        with Speaker.dial(broker.port, desks[1].shown) as away:  # B's centre is away, and the broker keeps for it
            away.connect(desks[1].name, lasts_s=3600)
            for word in FROM_GATEWAY:
                away.subscribe(f"wl/1/bravo/+/{word}")
        found = []
        for flood in FLOODS:
            found.append(suffer(flood, max(1, round(flood.times * scale)), broker, alfa, neighbour))
            print(found[-1].line(), flush=True)
        alfa.close()
        return found
    finally:
        broker.stop()
