"""A device's own clock against ours: pure functions of coincident pairs (REQUIREMENTS TIM-09).

A pair says: when it was this UTC (within an error), the device's clock read that. Pairs that a clock with a drift of at
most 200 ppm explains are one stretch of its time line. Between two that it does not explain it jumped: it was set by
hand, moved to summer time, or lost its battery. A zone is nowhere said and nowhere needed: it is part of the offset.

What a device measured and kept is dated by its own clock. That becomes UTC only where it is proven: it lies between two
pairs of one stretch, it cannot lie between two of another, none that came after it has an earlier time (the device
tells its memory in its order), and it came after it was measured. Else its time is unknown, and stays as it was said.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

from centre.mapping import Moment
from centre.rows import Taken
from wire.grades import grade

DRIFT_LIMIT_PPM = 200
LATE_US = 2_000_000  # between the device's look at its clock and ours, by radio and serial line
MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000
UNSET_YEARS = (1970, 1980, 1999, 2000, 2001, 2010, 2015)  # in whose first days clocks begin that nobody has set
UNSET_DAYS = 31
_MILLION = 1_000_000


class Pair(NamedTuple):
    """The device's clock read `said` (microseconds since its 1970, cut to `resolution_us`) while UTC was in between."""

    earliest: int
    latest: int
    said: int
    resolution_us: int


class Jump(NamedTuple):
    """Between two pairs the clock went ahead by `by_us` (back: negative). `why`: unset, hour, set."""

    after: int
    before: int
    by_us: int
    why: str


class Fit(NamedTuple):
    """Of one stretch: the clock is ahead of UTC by `offset_us` at `utc`, and gains `drift_ppm`; each with its bound.

    The drift is None where the stretch is one pair.
    """

    utc: int
    offset_us: int
    error_us: int
    drift_ppm: float | None
    drift_error_ppm: float | None


def moment(said: Taken) -> tuple[int, int] | None:
    """(microseconds since the device's 1970, resolution in microseconds); None where it is no time."""
    if said.ticks is not None and not said.iso:
        return (int(said.ticks * _MILLION / said.hertz), int(_MILLION / said.hertz) + 1) if said.hertz else None
    try:
        when = datetime.fromisoformat(said.iso).replace(tzinfo=UTC)
    except ValueError:
        return None
    resolution = MINUTE_US if len(said.iso) <= len("2000-01-01T00:00") else 1000 if "." in said.iso else _MILLION
    return int((when - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * _MILLION + when.microsecond, resolution


def is_unset(said: int) -> bool:
    """Whether it looks like a clock that began to count where its maker left it."""
    try:
        when = datetime.fromtimestamp(said / _MILLION, UTC)
    except (OverflowError, ValueError, OSError):
        return True
    return when.year < UNSET_YEARS[0] or (when.year in UNSET_YEARS and when.timetuple().tm_yday <= UNSET_DAYS)


class DeviceClock:
    """Of one device, of all its sessions. Give it pairs of one kind: of its calendar, or of its counter."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self.stretches: list[list[Pair]] = []
        self.jumps: list[Jump] = []
        for pair in sorted(pairs, key=lambda pair: (pair.latest, pair.said)):
            self._take(pair)

    def _take(self, pair: Pair) -> None:
        if self.stretches and _fits(self.stretches[-1], pair):
            self.stretches[-1].append(pair)
            return
        if self.stretches:
            last = self.stretches[-1][-1]
            by = (pair.said - pair.latest) - (last.said - last.latest)
            self.jumps.append(Jump(last.latest, pair.earliest, by, _why(pair.said, by)))
        self.stretches.append([pair])

    @property
    def fit(self) -> Fit | None:
        """Of the newest stretch; None without a pair."""
        if not self.stretches:
            return None
        first, last = self.stretches[-1][0], self.stretches[-1][-1]
        low, high = _narrowed(self.stretches[-1], last.said)
        drift = error = None
        span = last.latest - first.latest
        if span > 0:
            (a, b), (c, d) = _offsets(first), _offsets(last)
            drift = (c + d - a - b) / 2 / span * _MILLION
            error = (b - a + d - c) / 2 / span * _MILLION
        return Fit(last.latest, (low + high) // 2, (high - low + 1) // 2, drift, error)

    def when(self, said: int, resolution_us: int, came: int, following: int | None = None) -> Moment:
        """UTC of what the device took at `said`, as far as it is proven.

        `came`: not after this UTC it came to us; `following`: the earliest time of what the device told after it.
        """
        unknown = Moment(None, None, None, came, "X")
        if following is not None and following < said:
            return unknown
        found = [
            moment
            for stretch in self.stretches
            for a, b in pairwise(stretch)
            if a.said <= said <= b.said and (moment := _between(a, b, said, resolution_us)).earliest <= came
        ]
        if len({(one.earliest, one.latest) for one in found}) != 1 or len(self._around(said, came)) != 1:
            return unknown
        first, last = found[0].earliest, min(found[0].latest, came)
        error = (last - first + 1) // 2
        return Moment(first + (last - first) // 2, error, first, last, grade(error))

    def _around(self, said: int, came: int) -> list[int]:
        """Stretches in which it may have been taken: from the pair before them, up to the one behind."""
        return [
            at
            for at, stretch in enumerate(self.stretches)
            if stretch[0].said <= said <= stretch[-1].said and stretch[0].earliest <= came
        ]


class _Span(NamedTuple):
    earliest: int
    latest: int


def _why(said: int, by_us: int) -> str:
    if is_unset(said):
        return "unset"
    return "hour" if abs(abs(by_us) - HOUR_US) <= 2 * MINUTE_US else "set"


def _offsets(pair: Pair) -> tuple[int, int]:
    """How far the device's clock may have been ahead of UTC."""
    return pair.said - pair.latest, pair.said + pair.resolution_us + LATE_US - pair.earliest


def _grown(pair: Pair, said: int) -> tuple[int, int]:
    low, high = _offsets(pair)
    way = -(-abs(said - pair.said) * DRIFT_LIMIT_PPM // _MILLION)
    return low - way, high + way


def _fits(stretch: list[Pair], pair: Pair) -> bool:
    """Whether one clock says all of the stretch and this: drift is counted on our time, which does not jump."""
    low, high = _offsets(pair)
    for one in (stretch[0], stretch[-1]):
        a, b = _offsets(one)
        way = -(-abs(pair.latest - one.latest) * DRIFT_LIMIT_PPM // _MILLION)
        if low > b + way or high < a - way:
            return False
    return pair.said >= stretch[-1].said - stretch[-1].resolution_us


def _narrowed(stretch: list[Pair], said: int) -> tuple[int, int]:
    grown = [_grown(pair, said) for pair in stretch]
    low, high = max(low for low, _ in grown), min(high for _, high in grown)
    return (low, high) if low <= high else grown[-1]


def _between(a: Pair, b: Pair, said: int, resolution_us: int) -> _Span:
    low, high = _narrowed([a, b], said)
    return _Span(said - high, said + resolution_us - low)
