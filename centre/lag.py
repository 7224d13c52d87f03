"""How far behind we are: seconds from arrival, and from the sample itself, to the commit; and what waits. For /metrics.

Each is the greatest of the last one to two half minutes, so that a scrape every 30 s misses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from centre import clock
from centre.counts import Counts
from centre.ingest import Arrival
from centre.live import Update
from wire.records import Anchor

WINDOW_S = 30.0


class Greatest:
    """The greatest value of this window and the one before, by key."""

    def __init__(self) -> None:
        self._begun_s = float("-inf")
        self._now: dict[str, float] = {}
        self._before: dict[str, float] = {}

    def add(self, key: str, value: float, now_s: float) -> None:
        self._turn(now_s)
        self._now[key] = max(value, self._now.get(key, value))

    def values(self, now_s: float) -> dict[str, float]:
        self._turn(now_s)
        keys = self._before.keys() | self._now.keys()
        return {key: max(part[key] for part in (self._before, self._now) if key in part) for key in keys}

    def _turn(self, now_s: float) -> None:
        if now_s - self._begun_s >= WINDOW_S:
            near = now_s - self._begun_s < 2 * WINDOW_S
            self._before, self._now, self._begun_s = (self._now if near else {}), {}, now_s


class Lag:
    """Of one consumer. The ingest thread calls it; /metrics reads what it last told `counts`."""

    def __init__(
        self,
        counts: Counts,
        consumer: str,
        now_s: Callable[[], float] = clock.monotonic_s,
        utc_us: Callable[[], int] = clock.utc_us,
    ) -> None:
        self._counts = counts
        self._consumer = consumer
        self._now_s = now_s
        self._utc_us = utc_us
        self._arrival, self._sample = Greatest(), Greatest()
        self._anchors: dict[str, tuple[int, int]] = {}  # of each gateway (epoch, UTC at its t 0), as said last
        self._sites: set[str] = set()

    def committed(self, arrivals: Iterable[Arrival]) -> None:
        """These have just been committed."""
        now_s, utc = self._now_s(), self._utc_us()
        for arrival in arrivals:
            self._arrival.add(arrival.address.site, max(0, utc - arrival.received) / 1e6, now_s)

    def hear(self, update: Update) -> None:
        """What is live was said by a gateway a moment ago: how long ago, where its clock is known."""
        for record in update.records:
            if isinstance(record, Anchor) and record.error is not None:
                self._anchors[update.gateway] = (update.epoch, record.utc - record.t)
        epoch, zero = self._anchors.get(update.gateway, (-1, 0))
        times = [said.t for said in (*update.records, *update.blocks)]
        if update.live and epoch == update.epoch and times:
            age_s = (self._utc_us() - zero - max(times)) / 1e6
            self._sample.add(update.address.site, max(0.0, age_s), self._now_s())

    def tell(self, **waiting: float) -> None:
        """Put it all where /metrics finds it; `waiting` are more values of this consumer."""
        now_s = self._now_s()
        arrival, sample = self._arrival.values(now_s), self._sample.values(now_s)
        for site in self._sites - arrival.keys() - sample.keys():
            for name in ("consumer_lag_seconds", "gateway_lag_seconds"):
                self._counts.forget(self._name(name, site))
        self._sites = arrival.keys() | sample.keys()
        for name, found in (("consumer_lag_seconds", arrival), ("gateway_lag_seconds", sample)):
            for site, value in found.items():
                self._counts.tell(self._name(name, site), round(value, 3))
        for name, value in waiting.items():
            self._counts.tell(self._name(name), value)

    def _name(self, name: str, site: str = "") -> str:
        where = f',site="{site}"' if site else ""
        return f'{name}{{consumer="{self._consumer}"{where}}}'
