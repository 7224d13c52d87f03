"""What UTC was at each instant of one boot, and how well we know: a pure function of facts (REQUIREMENTS TIM-04 to 06).

A fact is an anchor (at `t` UTC was within `utc ± error`) or a bound from one side (at `t` UTC was not before `least`,
not after `most`). A gateway's monotonic clock is taken to run within 100 ppm of true, so each fact says something of
every other instant: its interval, wider by 100 ppm of the distance. UTC lies in what all of them have in common. Its
middle is what we say, half its width the error: piecewise linear, and a late fact can only make it narrower.

Where anchors have nothing in common, a clock that runs at up to 500 ppm may explain it: the quartz is broken, or it is
being slewed as far as the kernel does. Then that is the limit of the whole boot. Where that does not reconcile them
either somebody was wrong (a clock stepped), and nobody can say who. Then the anchors fall into runs that agree in
themselves, an instant follows its own run, and each is widened until it covers what its neighbours say.

All is done in offsets, utc - t, which drift slowly.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import NamedTuple

from centre.rows import Anchored
from wire.grades import Grade, grade

ALGORITHM = 2  # another number wherever the same facts give another answer
DRIFT_LIMITS_PPM = (100, 200, 500)  # the least that explains the anchors best; the last is what a kernel slews
AHEAD_LIMIT_US = 60_000_000
FLOOR_UTC_US = 1_795_305_600_000_000  # 2026-11-22, the first release: no gateway of ours is older
VERSION_LETTERS = 12
_MILLION = 1_000_000
_EVER, _NEVER = -(1 << 62), 1 << 62  # offsets that bound nothing


class Bound(NamedTuple):
    """At `t` UTC was not before `least` and not after `most`, microseconds since 1970; None: nobody knows."""

    t: int
    least: int | None
    most: int | None


class Moment(NamedTuple):
    """UTC at an instant, microseconds since 1970: `utc` within `error`, where an anchor says so; else only a period.

    `earliest` and `latest` hold in both cases; None where not even that is known.
    """

    utc: int | None
    error: int | None
    earliest: int | None
    latest: int | None
    grade: Grade


@dataclass(slots=True)
class _Knot:
    """Offsets that are possible at `t`; `run` counts contradictions."""

    t: int
    low: int
    high: int
    source: str = ""
    run: int = 0


class Mapping:
    """Of one boot: `t` of all its epochs to UTC. `version` names the algorithm and the facts that shape the answer.

    `ppm` is how far the clock may drift: at least what is given, which other boots of the same board have shown.
    """

    def __init__(
        self, anchors: Iterable[Anchored], bounds: Iterable[Bound] = (), ppm: int = DRIFT_LIMITS_PPM[0]
    ) -> None:
        course = [
            _Knot(a.t, max(a.utc - a.error, FLOOR_UTC_US) - a.t, a.utc + a.error - a.t, a.source)
            for a in sorted(anchors, key=lambda a: (a.t, a.utc, a.error or 0, a.source))
            if a.error is not None and a.error >= 0 and a.utc + a.error >= FLOOR_UTC_US
        ]
        self.ppm = min((one for one in DRIFT_LIMITS_PPM if one >= ppm), key=lambda one: _part(course, one))
        facts = sorted(bounds, key=lambda bound: bound.t)
        self._fences = self._fenced(facts)
        self._fence_ts = [fence.t for fence in self._fences]
        course, ahead = self._possible(course)
        if ahead:
            self._fences = self._fenced(facts, ahead)
        _part(course, self.ppm)
        self._line = _shape(course, self.ppm)
        self._line_ts = [knot.t for knot in self._line]
        self.version = self._named()

    @property
    def is_anchored(self) -> bool:
        return bool(self._line)

    def source(self, t: int) -> str:
        """Where the anchor comes from that is nearest to `t`; "" where there is none."""
        at = bisect_right(self._line_ts, t)
        return min(self._line[max(at - 1, 0) : at + 1], key=lambda knot: abs(knot.t - t)).source if self._line else ""

    def at(self, t: int) -> Moment:
        """What is known about UTC at `t`."""
        low, high = self._fence(t)
        if not self._line:
            return _period(low + t, high + t, high < _NEVER)
        first, last = self._said(t)
        if max(first, low) <= min(last, high):
            first, last = max(first, low), min(last, high)
        if last + t < FLOOR_UTC_US:
            return _period(FLOOR_UTC_US, 0, is_bounded=False)
        earliest, latest = max(first + t, FLOOR_UTC_US), last + t
        error = (latest - earliest + 1) // 2
        return Moment(earliest + (latest - earliest) // 2, error, earliest, latest, grade(error))

    def _said(self, t: int) -> tuple[int, int]:
        """Offsets possible at `t` by the anchors."""
        line = self._line
        at = bisect_right(self._line_ts, t)
        sides = [_grown(knot, t, self.ppm) for knot in line[max(at - 1, 0) : at + 1]]
        if len(sides) == 1:
            return sides[0]
        (a, b), (c, d) = sides
        return (max(a, c), min(b, d)) if line[at - 1].run == line[at].run else (min(a, c), max(b, d))

    def _possible(self, course: Iterable[_Knot]) -> tuple[list[_Knot], int]:
        """Anchors less those that came long before they can have been made, and how far others are ahead of us.

        By seconds it may be we who are wrong: such an anchor and what we say are both covered.
        """
        kept: list[_Knot] = []
        most = 0
        for knot in course:
            latest = self._fence(knot.t)[1]
            ahead = max(0, knot.low - latest)
            if ahead <= AHEAD_LIMIT_US:
                most = max(most, knot.high - latest if ahead else 0)
                knot.low -= ahead
                kept.append(knot)
        return kept, most

    def _fenced(self, bounds: Sequence[Bound], ahead: int = 0) -> list[_Knot]:
        """One-sided facts, as narrow as they make each other. Those of `most` are ours: others give way to them."""
        found = [
            _Knot(b.t, _EVER if b.least is None else b.least - b.t, _NEVER if b.most is None else b.most - b.t + ahead)
            for b in bounds
        ]
        lows = [fence.low for fence in found]
        _narrow(found, self.ppm)
        for fence, low in zip(found, lows, strict=True):
            fence.low = low if low <= fence.high else _EVER
        _narrow(found, self.ppm)
        return found

    def _fence(self, t: int) -> tuple[int, int]:
        """Offsets possible at `t` by the bounds."""
        at = bisect_right(self._fence_ts, t)
        sides = [_grown(fence, t, self.ppm) for fence in self._fences[max(at - 1, 0) : at + 1]]
        return max((low for low, _ in sides), default=_EVER), min((high for _, high in sides), default=_NEVER)

    def _named(self) -> str:
        shaping = [(k.t, k.low, k.high, k.run) for k in self._line]
        for fence in self._fences:
            first, last = self._said(fence.t) if self._line else (_EVER, _NEVER)
            shaping += [(fence.t, fence.low, fence.high, -1)] if fence.low > first or fence.high < last else []
        digest = hashlib.sha256(repr((ALGORITHM, self.ppm, shaping)).encode()).hexdigest()
        return f"{ALGORITHM}-{digest[:VERSION_LETTERS]}"


def _period(earliest: int, latest: int, is_bounded: bool) -> Moment:
    start = max(earliest, FLOOR_UTC_US)
    return Moment(None, None, start, max(latest, start), "D") if is_bounded else Moment(None, None, start, None, "X")


def _grown(knot: _Knot, t: int, ppm: int) -> tuple[int, int]:
    """What a knot allows at another instant."""
    way = -(-abs(t - knot.t) * ppm // _MILLION)
    low = knot.low if knot.low == _EVER else knot.low - way
    return low, knot.high if knot.high == _NEVER else knot.high + way


def _part(line: Sequence[_Knot], ppm: int) -> int:
    """Number the runs that agree in themselves, and say how many contradictions part them."""
    so_far: _Knot | None = None
    run = 0
    for knot in line:
        low, high = (knot.low, knot.high) if so_far is None else _grown(so_far, knot.t, ppm)
        if low > knot.high or knot.low > high:
            run, low, high = run + 1, knot.low, knot.high
        knot.run = run
        so_far = _Knot(knot.t, max(low, knot.low), min(high, knot.high))
    return run


def _narrow(line: Sequence[_Knot], ppm: int) -> None:
    """Each knot by what its neighbours allow, all along, both ways."""
    for way in (line, line[::-1]):
        for before, knot in pairwise(way):
            low, high = _grown(before, knot.t, ppm)
            knot.low, knot.high = max(knot.low, low), min(knot.high, high)


def _shape(line: Sequence[_Knot], ppm: int) -> list[_Knot]:
    """The knots that shape the answer: narrowed run by run, those left out of which others know more on both sides."""
    runs = [list(run) for _, run in groupby(line, key=lambda knot: knot.run)]
    for run in runs:
        said = [(knot.low, knot.high) for knot in run]
        _narrow(run, ppm)
        run[:] = [k for k, (low, high) in zip(run, said, strict=True) if k.low == low or k.high == high]
    _widen(runs, ppm)
    return [knot for run in runs for knot in run]


def _widen(runs: Sequence[list[_Knot]], ppm: int) -> None:
    """Each run by what its neighbours say of the place where they meet."""
    more = [[0, 0] for _ in runs]
    for at, (run, following) in enumerate(pairwise(runs)):
        last, first = run[-1], following[0]
        for mine, other, own in ((last, first, more[at]), (first, last, more[at + 1])):
            low, high = _grown(other, mine.t, ppm)
            own[:] = [max(own[0], mine.low - low), max(own[1], high - mine.high)]
    for run, (below, above) in zip(runs, more, strict=True):
        for knot in run:
            knot.low, knot.high = knot.low - below, knot.high + above
