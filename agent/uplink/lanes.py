"""Lanes: which envelope goes next. Live key, vital, wave, then backfill. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from wire.topics import Class

LIVE_LIMIT_BYTES = 65_536
AROUND_BYTES = 120  # what MQTT (48: a topic of 40), TLS 1.3 (22) and TCP/IP (52) put around a small envelope


class Lane(StrEnum):
    LIVE = "live"
    BACKFILL = "backfill"


@dataclass(frozen=True, slots=True)
class Parcel:
    """One envelope on its way to the broker."""

    lane: Lane
    cls: Class
    epoch: int
    hour: int
    seq: int
    data: bytes

    @property
    def name(self) -> tuple[int, int, int]:
        """(class, epoch, seq): which envelope it is, whatever lane it goes by."""
        return self.cls, self.epoch, self.seq

    @property
    def wire_bytes(self) -> int:
        """What it takes of the link, nearly: on a thin one small envelopes are mostly what is around them."""
        return len(self.data) + AROUND_BYTES

    def turn(self) -> tuple[bool, int, int, int, int]:
        """Sorts backfill: what is ours, then what is relayed (epochs below zero); of each grants, vitals, waves;
        within a class the newest hour first, and an hour in its own order."""
        return self.epoch < 0, self.cls, -self.epoch, -self.hour, self.seq


class Lanes:
    """Live queues by class under one limit of bytes, and what was fetched from the backlog.

    Over the limit the oldest live wave leaves first, then the oldest vital, then the oldest key; whoever leaves is
    in the spool. A single envelope over the limit stays as long as it is alone.
    """

    def __init__(self, live_limit_bytes: int = LIVE_LIMIT_BYTES) -> None:
        self._live_limit_bytes = live_limit_bytes
        self._live: dict[Class, deque[Parcel]] = {cls: deque() for cls in Class}
        self._backfill: deque[Parcel] = deque()
        self.live_bytes = 0
        self.backfill_bytes = 0

    def offer(self, parcel: Parcel) -> list[Parcel]:
        """Queue a live envelope; return those that left for it."""
        self._live[parcel.cls].append(parcel)
        self.live_bytes += len(parcel.data)
        left = []
        while self.live_bytes > self._live_limit_bytes and sum(map(len, self._live.values())) > 1:
            queue = next(self._live[cls] for cls in reversed(Class) if self._live[cls])
            left.append(queue.popleft())
            self.live_bytes -= len(left[-1].data)
        return left

    def refill(self, parcels: Iterable[Parcel]) -> None:
        """Add to what was fetched. What is left of the last fetch and what is new go in one order."""
        self._backfill = deque(sorted([*self._backfill, *parcels], key=Parcel.turn))
        self.backfill_bytes = sum(len(parcel.data) for parcel in self._backfill)

    def head(self) -> Parcel | None:
        """The one that goes next. Backfill never passes a live one that waits for room."""
        for queue in self._live.values():
            if queue:
                return queue[0]
        return self._backfill[0] if self._backfill else None

    def take(self) -> Parcel:
        """Remove and return the head; there must be one."""
        for queue in self._live.values():
            if queue:
                self.live_bytes -= len(queue[0].data)
                return queue.popleft()
        self.backfill_bytes -= len(self._backfill[0].data)
        return self._backfill.popleft()

    def park(self) -> list[Parcel]:
        """The link is down: empty all lanes, return the live ones that left."""
        left = [parcel for queue in self._live.values() for parcel in queue]
        for queue in self._live.values():
            queue.clear()
        self._backfill.clear()
        self.live_bytes = self.backfill_bytes = 0
        return left

    def drop_backfill(self, unwanted: Callable[[Parcel], bool]) -> None:
        """Forget fetched envelopes that need not go any more."""
        self._backfill = deque(parcel for parcel in self._backfill if not unwanted(parcel))
        self.backfill_bytes = sum(len(parcel.data) for parcel in self._backfill)

    def __iter__(self) -> Iterator[Parcel]:
        for queue in self._live.values():
            yield from queue
        yield from self._backfill
