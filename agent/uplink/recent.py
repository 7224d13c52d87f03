"""What is on its way, and what went lately: both are not backlog. Pure; times are monotonic nanoseconds.

An envelope is sent when the broker acknowledged it and held when the centre has it. In between it rests here for
`patience`, then it is backlog again. Memory is bounded: past the limit the oldest rest is cut short, which costs
duplicates.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.uplink.lanes import Parcel
from wire.ranges import Ranges
from wire.topics import Class

RUNS_LIMIT_COUNT = 4096
_SHARDS = 8  # a rest ends up to 1/8 late

Key = tuple[int, int]  # (class, epoch)


@dataclass(slots=True)
class Rest:
    """The numbers that began to rest between two moments."""

    first_ns: int
    last_ns: int
    numbers: dict[Key, Ranges] = field(default_factory=dict)

    @property
    def runs(self) -> int:
        return sum(ranges.runs for ranges in self.numbers.values())


class Recent:
    """Envelopes that rest: sent and not known to be held, or refused by the broker."""

    def __init__(self, runs_limit_count: int = RUNS_LIMIT_COUNT) -> None:
        self._runs_limit_count = runs_limit_count
        self._rests: deque[Rest] = deque()
        self.cut_short = 0

    def add(self, parcel: Parcel, now: int, patience_ns: int) -> None:
        if not self._rests or now - self._rests[-1].first_ns >= patience_ns // _SHARDS:
            self._expire(now, patience_ns)
            self._rests.append(Rest(now, now))
        rest = self._rests[-1]
        rest.last_ns = now
        rest.numbers.setdefault((parcel.cls, parcel.epoch), Ranges()).add(parcel.seq)

    def merged(self, now: int, patience_ns: int) -> dict[Key, Ranges]:
        """A copy of all that rests now."""
        self._expire(now, patience_ns)
        whole: dict[Key, Ranges] = {}
        for rest in self._rests:
            for key, ranges in rest.numbers.items():
                into = whole.setdefault(key, Ranges())
                for first, last in ranges:
                    into.add(first, last)
        return whole

    def forget(self, key: Key, gone: Sequence[tuple[int, int]]) -> None:
        """These need not rest: the centre has said that it lacks them."""
        for rest in self._rests:
            numbers = rest.numbers.get(key, Ranges())
            for first, last in gone:
                numbers.remove(first, last)
            if not numbers:
                rest.numbers.pop(key, None)

    def _expire(self, now: int, patience_ns: int) -> None:
        while self._rests and now - self._rests[0].last_ns >= patience_ns:
            self._rests.popleft()
        while len(self._rests) > 1 and sum(rest.runs for rest in self._rests) > self._runs_limit_count:
            self.cut_short += sum(map(len, self._rests.popleft().numbers.values()))


@dataclass(frozen=True, slots=True)
class Busy:
    """What must not be fetched, frozen at one moment: the spool asks from a thread of its own."""

    numbers: Mapping[Key, Ranges]
    classes: frozenset[int] = frozenset()  # all of these
    asked: Mapping[Key, Ranges] | None = None  # of our own waves only these; None: all. What is relayed has epochs < 0

    def __call__(self, cls: int, epoch: int, seq: int) -> bool:
        if cls in self.classes:
            return True
        if self.asked is not None and cls == Class.WAVE and epoch >= 0 and seq not in self.asked.get((cls, epoch), ()):
            return True
        ranges = self.numbers.get((cls, epoch))
        return ranges is not None and seq in ranges


def busy(
    resting: dict[Key, Ranges],
    moving: Iterable[Parcel],
    classes: frozenset[int] = frozenset(),
    asked: Mapping[Key, Ranges] | None = None,
) -> Busy:
    """What rests together with what is queued or on its way."""
    for parcel in moving:
        resting.setdefault((parcel.cls, parcel.epoch), Ranges()).add(parcel.seq)
    return Busy(resting, classes, asked)


class Flight:
    """What is handed over and not yet acknowledged, by packet identifier."""

    def __init__(self) -> None:
        self._out: dict[int, tuple[Parcel, int, int]] = {}  # with when, and how much had landed by then
        self._landed_bytes = 0
        self.outstanding_bytes = 0

    def add(self, mid: int, parcel: Parcel, now: int) -> None:
        self._out[mid] = (parcel, now, self._landed_bytes)
        self.outstanding_bytes += parcel.wire_bytes

    def land(self, mid: int) -> tuple[Parcel, int, int] | None:
        """The envelope, when it was handed over, and the bytes that landed since, its own too; None: not ours."""
        found = self._out.pop(mid, None)
        if found is None:
            return None
        parcel, since, landed_bytes = found
        self.outstanding_bytes -= parcel.wire_bytes
        self._landed_bytes += parcel.wire_bytes
        return parcel, since, self._landed_bytes - landed_bytes

    def lose(self) -> list[Parcel]:
        """The link is gone and with it every answer."""
        lost = self.parcels()
        self._out.clear()
        self.outstanding_bytes = 0
        return lost

    def parcels(self) -> list[Parcel]:
        return [parcel for parcel, _, _ in self._out.values()]

    def oldest_ns(self) -> int | None:
        """When the oldest outstanding one was handed over."""
        return next((at for _, at, _ in self._out.values()), None)

    def largest_bytes(self) -> int:
        return max((len(parcel.data) for parcel, _, _ in self._out.values()), default=0)

    def __len__(self) -> int:
        return len(self._out)
