"""The links that a hospital has, as data. Sizes in bytes, times in seconds, rates in bit/s of IP packets.

Rates, delays, losses and outages model what field reports and operators say; what nobody measured (how deep a queue is,
how often a burst comes) is chosen here and said so. They are to be replaced by a site's own measurements.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Way:
    """One direction. `queue_s` is how much the bottleneck holds before it drops the newest: deep, as radio links are.

    `delay_s` is one way, uniform within +- `jitter_s`; packets keep their order, but for a share of `reorder`. Losses
    happen behind the bottleneck, so what is lost has used the air.
    """

    rate_bit_s: float = 0.0  # 0: no bottleneck
    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    queue_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Weather:
    """What befalls both directions at once. `every_s` 0 is never.

    Bursts come at random, on average one in `burst_every_s`, and lose everything for `burst_s`. Outages are regular:
    `outage_s` of silence at the end of each `outage_every_s`.
    """

    burst_every_s: float = 0.0
    burst_s: float = 0.0
    outage_every_s: float = 0.0
    outage_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Profile:
    """A link. `rebind_s`: how often a translator on the way forgets its flows and gives them new addresses."""

    name: str
    models: str
    up: Way
    down: Way
    weather: Weather = field(default_factory=Weather)
    mtu_bytes: int = 1500
    rebind_s: float = 0.0

    def in_weather(self, weather: str) -> Profile:
        """`whole`: as it is; `calm`: between its outages; `still`: without bursts either."""
        calm = self.calm() if weather != "whole" else self
        return replace(calm, weather=Weather()) if weather == "still" else calm

    def calm(self) -> Profile:
        """The same link between its outages; bursts stay."""
        return replace(self, weather=replace(self.weather, outage_every_s=0.0, outage_s=0.0), rebind_s=0.0)


def _both(up_kbit_s: float, down_kbit_s: float, rtt_s: float, jitter_s: float, **more: float) -> tuple[Way, Way]:
    """Half of the round trip and of its jitter each way."""
    way = Way(delay_s=rtt_s / 2, jitter_s=jitter_s / 2, **more)
    return replace(way, rate_bit_s=up_kbit_s * 1000), replace(way, rate_bit_s=down_kbit_s * 1000)


def _profiles() -> tuple[Profile, ...]:
    """Queue depths: several seconds on 2G and 3G (their schedulers hold what they cannot send), less elsewhere."""
    return (
        Profile("P0", "LAN", *_both(100_000, 100_000, 0.001, 0, queue_s=0.1)),
        Profile(
            "P1",
            "GPRS: 5 % loss, and bursts of 2 s once a minute; 30 s of silence in ten minutes",
            *_both(32, 40, 0.8, 0.4, loss=0.05, queue_s=4.0),
            Weather(burst_every_s=60, burst_s=2, outage_every_s=600, outage_s=30),
        ),
        Profile(
            "P2",
            "EDGE, weak 3G: 5 minutes of silence in an hour",
            *_both(90, 150, 0.45, 0.2, loss=0.03, queue_s=3.0),
            Weather(outage_every_s=3600, outage_s=300),
        ),
        Profile(
            "P3",
            "3G, loaded 4G: a minute of silence ten times a day",
            *_both(350, 1000, 0.18, 0.08, loss=0.01, queue_s=2.0),
            Weather(outage_every_s=8640, outage_s=60),
        ),
        Profile(
            "P4",
            "4G in Benin, the centre 250 ms further away: 3 hours of silence a day",
            *_both(4700, 10_000, 0.311, 0.02, loss=0.005, queue_s=0.5),
            Weather(outage_every_s=86_400, outage_s=10_800),
        ),
        Profile(
            "P5",
            "geostationary satellite: rain for 20 minutes",
            *_both(256, 1024, 0.65, 0.05, loss=0.01, queue_s=1.5),
            Weather(outage_every_s=14_400, outage_s=1200),
        ),
        Profile(
            "P6",
            "hostile: duplicates, reordering, small packets, addresses that change, 20 s on and 40 s off",
            *_both(64, 64, 1.5, 1.0, loss=0.10, duplicate=0.02, reorder=0.05, queue_s=3.0),
            Weather(outage_every_s=60, outage_s=40),
            mtu_bytes=576,
            rebind_s=60,
        ),
    )


PROFILES = {profile.name: profile for profile in _profiles()}
