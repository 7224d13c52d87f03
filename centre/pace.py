"""When samples were taken: pure functions of when their blocks arrived (DESIGN 9, REQUIREMENTS TIM-10).

Waves are timed by count. An arrival is never early: a sample can be late by buffers and lines, not ahead of itself.
So the line of sample times is the highest one under all arrivals (index, t); its slope is the device's measured rate
(the lower convex hull's edge over the middle index, as Moon, Skelly and Towsley estimate skew, INFOCOM 1999). Only the
corners of that hull are ever looked at, so only they are kept.

A gap of unknown size takes no numbers: behind it the line is another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

RATE_LIMIT_PPM = 20_000  # crystals keep 200; this much lets a device clocked by RC in, and keeps a burst out
FIT_SPAN_MIN_US = 60_000_000  # over less, one late packet looks like a slow device
CORNERS_LIMIT_COUNT = 512
_MILLION = 1_000_000
Arrival = tuple[int, int]  # index of a block's last sample, its t


@dataclass(frozen=True, slots=True)
class Pace:
    """When samples of one stream were taken: sample `index` at `t`, and `period_us` from one to the next."""

    index: int
    t: int
    period_us: Fraction

    def sample_t(self, index: int) -> int:
        return self.t + round((index - self.index) * self.period_us)


class Row:
    """Arrivals of one unbroken row of samples, in the order of their index, thinned as they come.

    `corners` are those of the lower hull. Of more than fit the one goes whose absence lifts the line least; by how much
    the line may lie above an arrival for that is `lifted_us` at most.
    """

    def __init__(self) -> None:
        self.first: Arrival | None = None
        self.last: Arrival | None = None
        self.corners: list[Arrival] = []
        self.lifted_us = Fraction(0)

    def add(self, index: int, t: int) -> None:
        """The block whose last sample is `index` came at `t`; of one index the earliest counts."""
        assert self.last is None or index >= self.last[0], "arrivals come in the order of their index"
        self.first = self.first or (index, t)
        self.last = (index, t)
        if self.corners and self.corners[-1][0] == index:
            if self.corners[-1][1] <= t:
                return
            self.corners.pop()
        while len(self.corners) > 1 and not _turns_up(self.corners[-2], self.corners[-1], (index, t)):
            self.corners.pop()
        self.corners.append((index, t))
        if len(self.corners) > CORNERS_LIMIT_COUNT:
            self._thin()

    @property
    def span_us(self) -> int:
        return 0 if self.first is None or self.last is None else self.last[1] - self.first[1]

    def measured(self, rate: Fraction) -> Fraction | None:
        """Microseconds a sample as the arrivals say; None where too short to tell, or far from the stated `rate`."""
        period = self._slope() if self.span_us >= FIT_SPAN_MIN_US else None
        return period if period is not None and abs(period * rate - _MILLION) <= RATE_LIMIT_PPM else None

    def pace(self, rate: Fraction) -> Pace:
        """At the measured rate where it can be measured, else at the stated `rate` in Hz."""
        assert self.corners, "a pace needs an arrival"
        assert rate > 0, "a wave has a rate"
        period = self.measured(rate) or _MILLION / rate
        index, t = min(self.corners, key=lambda corner: corner[1] - corner[0] * period)
        return Pace(index, t, period)

    def _slope(self) -> Fraction | None:
        """Of the edge over the middle index."""
        middle = Fraction(self.corners[0][0] + self.corners[-1][0], 2)
        edges = ((a, b) for a, b in pairwise(self.corners) if a[0] <= middle <= b[0])
        return next((Fraction(b[1] - a[1], b[0] - a[0]) for a, b in edges), None)

    def _thin(self) -> None:
        lifts = [_lift(*self.corners[at - 1 : at + 2]) for at in range(1, len(self.corners) - 1)]
        least = min(lifts)
        self.lifted_us += least
        del self.corners[lifts.index(least) + 1]


def longest(rows: Iterable[Row]) -> Row | None:
    """The row that tells a rate best."""
    return max(rows, key=lambda row: row.span_us, default=None)


def pace(arrivals: Sequence[Arrival], rate: Fraction) -> Pace:
    """Fit the earliest-arrival line to at least one arrival; `rate` in Hz."""
    row = Row()
    for index, t in sorted(arrivals):
        row.add(index, t)
    return row.pace(rate)


def sample_t(index: int, arrivals: Sequence[Arrival], rate: Fraction) -> int:
    """When sample `index` was taken, in the arrivals' microseconds: min over them of t - (last - index) / rate."""
    return pace(arrivals, rate).sample_t(index)


def _lift(a: Arrival, b: Arrival, c: Arrival) -> Fraction:
    """How far the line from `a` to `c` passes above `b`, microseconds."""
    return a[1] + Fraction(c[1] - a[1], c[0] - a[0]) * (b[0] - a[0]) - b[1]


def _turns_up(a: Arrival, b: Arrival, c: Arrival) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) > 0
