"""What the simulator makes of a profile: round trips and losses of small packets, and the rate of many large ones."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import mean, median

from bench.links.profiles import PROFILES
from bench.links.world import FAR, World, inside, world
from bench.results import Figure

PORT = 7
PROBE_EVERY_S = 0.05
PROBES = 200
FLOOD_S = 6.0
FLOOD_BYTES = 1000
LATE_S = 5.0
_STAMP = struct.Struct(">Id")


@dataclass(slots=True)
class Seen:
    """What came back, and what arrived over there."""

    trips_s: list[float]
    sent: int
    flood_bit_s: float


def figures(profile: str, seed: int, probes: int = PROBES, flood_s: float = FLOOD_S) -> Iterator[Figure]:
    """The measured check of one profile, without bursts and outages."""
    command = f"python -m bench.links profile {profile}"
    with world(profile, weather="still", seed=seed) as link:
        seen = measured(link, probes, flood_s)
    name = f"links.{profile.lower()}"
    lost = 1 - len(seen.trips_s) / seen.sent
    yield Figure(f"{name}.rtt_median", round(median(seen.trips_s) * 1000), "ms", command)
    yield Figure(f"{name}.rtt_least", round(min(seen.trips_s) * 1000), "ms", command)
    yield Figure(f"{name}.rtt_most", round(max(seen.trips_s) * 1000), "ms", command)
    yield Figure(f"{name}.rtt_mean", round(mean(seen.trips_s) * 1000), "ms", command)
    yield Figure(f"{name}.lost_both_ways", round(100 * lost, 1), "%", command)
    yield Figure(f"{name}.rate_up", round(seen.flood_bit_s / 1000, 1), "kbit/s", command)


def promised(profile: str) -> str:
    """One line: what the profile says."""
    wanted = PROFILES[profile]
    up = wanted.up
    return (
        f"{profile} {wanted.models}: up {up.rate_bit_s / 1000:g} kbit/s, round trip {2000 * up.delay_s:g} "
        f"+- {2000 * up.jitter_s:g} ms, loss {100 * up.loss:g} % each way"
    )


def measured(link: World, probes: int, flood_s: float) -> Seen:
    """UDP: probes are echoed, the flood is only counted over there."""
    ended = threading.Event()
    heard: list[tuple[float, int]] = []
    with inside(link.far):
        echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        echo.bind((FAR, PORT))
    echoing = threading.Thread(target=_echo, args=(echo, ended, heard))
    echoing.start()
    try:
        with inside(link.near):
            probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with probe:
            trips, sent = _probe(probe, probes)
            _flood(probe, flood_s)
    finally:
        ended.set()
        echoing.join()
        echo.close()
    later = heard[len(heard) // 4 :]  # the queue is filled by then
    took = later[-1][0] - later[0][0]
    return Seen(trips, sent, 8 * sum(size for _, size in later[1:]) / took)


def _echo(echo: socket.socket, ended: threading.Event, heard: list[tuple[float, int]]) -> None:
    while not ended.is_set():
        if select.select([echo], [], [], 0.1)[0]:
            data, address = echo.recvfrom(2048)
            if len(data) == _STAMP.size:
                echo.sendto(data, address)
            else:
                heard.append((time.monotonic(), len(data) + 28))


def _probe(probe: socket.socket, count: int) -> tuple[list[float], int]:
    """Round trips in seconds of those that came back (once each), and how many went."""
    trips: dict[int, float] = {}
    until = [time.monotonic() + PROBE_EVERY_S * at for at in range(count)] + [time.monotonic() + count * PROBE_EVERY_S]
    until[-1] += LATE_S
    for at, moment in enumerate(until):
        while (wait_s := moment - time.monotonic()) > 0 and len(trips) < count:
            if select.select([probe], [], [], wait_s)[0]:
                number, stamp = _STAMP.unpack(probe.recv(64))
                trips.setdefault(number, time.monotonic() - stamp)
        if at < count:
            probe.sendto(_STAMP.pack(at, time.monotonic()), (FAR, PORT))
    return list(trips.values()), count


def _flood(probe: socket.socket, seconds: float) -> None:
    """More than the link carries, for a while, and long enough to see it arrive."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for _ in range(16):
            probe.sendto(bytes(FLOOD_BYTES), (FAR, PORT))
        time.sleep(0.02)
    time.sleep(1.0)
