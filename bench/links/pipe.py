"""What a link does to a packet. Pure: times (seconds) come in and go out, chance is a seeded generator.

packet -> queue, bounded by time, tail drop -> bottleneck -> air (loss, weather) -> delay, jitter -> packet, or two
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from random import Random

from bench.links.profiles import Way, Weather


@dataclass(slots=True)
class Counts:
    """Since the start. `carried_bytes` went through the bottleneck, lost ones too: they used the link."""

    entered: int = 0
    carried: int = 0
    carried_bytes: int = 0
    dropped_queue: int = 0
    lost_air: int = 0
    lost_weather: int = 0

    def told(self) -> dict[str, int]:
        return asdict(self)


class Sky:
    """Weather over time: one for both directions. Ask with times that only grow, or nearly."""

    def __init__(self, weather: Weather, seed: int, now: float) -> None:
        self._weather = weather
        self._rng = Random(seed)
        self._began = now
        self._burst = now
        self._burst_end = now
        self.cut = False
        self._next_burst(now)

    def is_down(self, now: float) -> bool:
        if self.cut:
            return True
        while self._weather.burst_every_s and now >= self._burst_end:
            self._next_burst(self._burst_end)
        return self._burst <= now < self._burst_end or self._is_out(now)

    def _is_out(self, now: float) -> bool:
        weather = self._weather
        if not weather.outage_every_s:
            return False
        return (now - self._began) % weather.outage_every_s >= weather.outage_every_s - weather.outage_s

    def _next_burst(self, after: float) -> None:
        if self._weather.burst_every_s:
            self._burst = after + self._rng.expovariate(1 / self._weather.burst_every_s)
            self._burst_end = self._burst + self._weather.burst_s


class Wander:
    """A delay that wanders within +- `jitter_s`, slower than time passes, so that it reorders nothing by itself."""

    def __init__(self, jitter_s: float, rng: Random) -> None:
        self._jitter_s = jitter_s
        self._step_s = 4 * jitter_s  # so at most half a second more for each second
        self._rng = rng
        self._at = 0.0
        self._from = self._to = self._drawn()

    def _drawn(self) -> float:
        return self._rng.uniform(-self._jitter_s, self._jitter_s)

    def at(self, now: float) -> float:
        if not self._step_s:
            return 0.0
        if now - self._at > 2 * self._step_s:
            self._at = now
        while now - self._at >= self._step_s:
            self._at += self._step_s
            self._from, self._to = self._to, self._drawn()
        return self._from + (self._to - self._from) * max(0.0, now - self._at) / self._step_s


class Pipe:
    """One direction."""

    def __init__(self, way: Way, sky: Sky, seed: int) -> None:
        self.way = way
        self._sky = sky
        self._rng = Random(seed)
        self._wander = Wander(way.jitter_s, Random(seed + 1000))
        self._free_at = 0.0  # when the bottleneck has sent what it was given
        self.counts = Counts()

    def enter(self, size_bytes: int, now: float) -> list[float]:
        """When the packet arrives: never, once, or twice."""
        way, counts, chance = self.way, self.counts, self._rng.random
        counts.entered += 1
        waits_s = max(0.0, self._free_at - now)
        if waits_s > way.queue_s:
            counts.dropped_queue += 1
            return []
        takes_s = size_bytes * 8 / way.rate_bit_s if way.rate_bit_s else 0.0
        self._free_at = now + waits_s + takes_s
        counts.carried += 1
        counts.carried_bytes += size_bytes
        if self._sky.is_down(self._free_at):
            counts.lost_weather += 1
            return []
        if chance() < way.loss:
            counts.lost_air += 1
            return []
        arrives = self._free_at + max(0.0, way.delay_s + self._wander.at(self._free_at))
        if chance() < way.reorder:
            arrives += 2 * way.jitter_s  # it falls behind those that follow
        return [arrives, arrives] if chance() < way.duplicate else [arrives]
