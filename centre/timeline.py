"""What UTC was, and how well we know: pure functions of anchors (DESIGN 9, REQUIREMENTS TIM-04 and TIM-06).

A gateway's monotonic clock is taken to run within 100 ppm of true. The error of an anchor therefore grows by 100 ppm
of the distance. An anchor that another one outdoes at its own instant is left out. Between two that remain UTC is a
straight line; where its slope is more than 200 ppm from 1 the two contradict each other (somebody's clock stepped),
so the nearer one is followed and the contradiction is added to the error.

Waves are timed by count. An arrival is never early: a sample can be late by buffers and lines, not ahead of itself.
So the line of sample times is the highest one under all arrivals (index, t); its slope is the device's measured rate
(the lower convex hull's edge over the middle index, as Moon, Skelly and Towsley estimate skew, INFOCOM 1999).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from centre.rows import Anchored

DRIFT_LIMIT_PPM = 100
SLOPE_LIMIT_PPM = 200
RATE_LIMIT_PPM = 20_000  # crystals keep 200; this much lets a device clocked by RC in, and keeps a burst out
FIT_SPAN_MIN_US = 60_000_000  # over less, one late packet looks like a slow device
_GRADES = ((50_000, "A"), (1_000_000, "B"), (60_000_000, "C"))
_MILLION = 1_000_000


def grade(error_us: int | None) -> str:
    """A within 50 ms, B within 1 s, C within 60 s, D bounded, X unknown."""
    if error_us is None:
        return "X"
    return next((letter for limit, letter in _GRADES if error_us <= limit), "D")


def utc_of(t: int, anchors: Sequence[Anchored]) -> tuple[int, int | None] | None:
    """(UTC in microseconds, error in microseconds) at `t` of the anchors' epoch; None where there is no anchor.

    The error is None where no anchor knows its own.
    """
    known = _undominated(anchors)
    if not known:
        return _blind(t, anchors)
    at = bisect_right([anchor.t for anchor in known], t)
    if at == 0:
        return _from(known[0], t)
    if at == len(known):
        return _from(known[-1], t)
    return _between(known[at - 1], known[at], t)


def _blind(t: int, anchors: Sequence[Anchored]) -> tuple[int, None] | None:
    if not anchors:
        return None
    nearest = min(anchors, key=lambda anchor: abs(anchor.t - t))
    return nearest.utc + t - nearest.t, None


def _undominated(anchors: Sequence[Anchored]) -> list[Anchored]:
    """Anchors that know their error, by t, less those that a neighbour's grown error outdoes."""
    known = sorted((a for a in anchors if a.error is not None), key=lambda a: (a.t, a.error))
    return _swept(_swept(known)[::-1])[::-1]


def _swept(anchors: Sequence[Anchored]) -> list[Anchored]:
    kept: list[Anchored] = []
    for anchor in anchors:
        if not kept or _error(anchor) < _from(kept[-1], anchor.t)[1]:
            kept.append(anchor)
    return kept


def _error(anchor: Anchored) -> int:
    assert anchor.error is not None
    return anchor.error


def _drift(distance_us: int) -> int:
    return -(-abs(distance_us) * DRIFT_LIMIT_PPM // _MILLION)


def _from(anchor: Anchored, t: int) -> tuple[int, int]:
    """One anchor alone."""
    return anchor.utc + t - anchor.t, _error(anchor) + _drift(t - anchor.t)


def _between(a: Anchored, b: Anchored, t: int) -> tuple[int, int]:
    span, passed, left = b.t - a.t, t - a.t, b.t - t
    drifted = (b.utc - a.utc) - span
    if abs(drifted) * _MILLION > span * SLOPE_LIMIT_PPM + (_error(a) + _error(b)) * _MILLION:
        utc, error = min(_from(a, t), _from(b, t), key=lambda pair: pair[1])
        return utc, error + abs(drifted)
    straight = (_error(a) * left + _error(b) * passed) // span + 1
    # A clock within the drift limit leaves the chord of its two ends by at most 2 * limit * a * b / (a + b).
    return a.utc + passed + drifted * passed // span, straight + 2 * _drift(passed * left // span)


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
