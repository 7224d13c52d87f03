"""When samples were taken: pure functions of when their blocks arrived (DESIGN 9, REQUIREMENTS TIM-10).

Waves are timed by count. An arrival is never early: a sample can be late by buffers and lines, not ahead of itself.
So the line of sample times is the highest one under all arrivals (index, t); its slope is the device's measured rate
(the lower convex hull's edge over the middle index, as Moon, Skelly and Towsley estimate skew, INFOCOM 1999).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

RATE_LIMIT_PPM = 20_000  # crystals keep 200; this much lets a device clocked by RC in, and keeps a burst out
FIT_SPAN_MIN_US = 60_000_000  # over less, one late packet looks like a slow device
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """When samples of one stream were taken: sample `index` at `t`, and `period_us` from one to the next."""

    index: int
    t: int
    period_us: Fraction

    def sample_t(self, index: int) -> int:
        return self.t + round((index - self.index) * self.period_us)


def pace(arrivals: Sequence[tuple[int, int]], rate: Fraction) -> Pace:
    """Fit the earliest-arrival line. `arrivals`: (index of a block's last sample, its t), at least one; `rate` in Hz.

    Measured where the arrivals span a minute and stay near the stated rate; else at the stated rate.
    """
    assert arrivals, "a pace needs an arrival"
    assert rate > 0, "a wave has a rate"
    stated = _MILLION / rate
    measured = _measured(sorted(arrivals))
    if measured is not None and abs(measured / stated - 1) * _MILLION <= RATE_LIMIT_PPM:
        stated = measured
    index, t = min(arrivals, key=lambda arrival: arrival[1] - arrival[0] * stated)
    return Pace(index, t, stated)


def sample_t(index: int, arrivals: Sequence[tuple[int, int]], rate: Fraction) -> int:
    """When sample `index` was taken, in the arrivals' microseconds: min over them of t - (last - index) / rate."""
    return pace(arrivals, rate).sample_t(index)


def _measured(arrivals: Sequence[tuple[int, int]]) -> Fraction | None:
    """Microseconds a sample, by the lower hull's edge over the middle; None where too short to tell."""
    if arrivals[-1][1] - arrivals[0][1] < FIT_SPAN_MIN_US:
        return None
    middle = Fraction(arrivals[0][0] + arrivals[-1][0], 2)
    hull: list[tuple[int, int]] = []
    for point in arrivals:
        while len(hull) > 1 and not _turns_up(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    for (i, t), (j, u) in pairwise(hull):
        if i <= middle <= j and i < j:
            return Fraction(u - t, j - i)
    return None


def _turns_up(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) > 0
