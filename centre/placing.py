"""Where samples stand in time: pure functions from UTC to a gateway's `t`, and from indices to stretches of even time.

Within a stretch count and time go together, so that it may be drawn between the times of its two ends. A gap of unknown
size takes no numbers: there the time jumps and the count does not, and a stretch ends wherever that would be seen.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

from centre.mapping import Mapping

ROUNDS = 3  # each leaves 500 ppm of what was wrong: of a year 4 ms
STRETCHES_LIMIT_COUNT = 64  # of one stream in one answer
_BELIEVED = 1000  # a clock of a device may be a thousandth off before that is a jump
_MILLION = 1_000_000


class Ends(NamedTuple):
    """When the first and the last stored sample of a range of indices were there: (index, t) each."""

    begin: tuple[int, int]
    end: tuple[int, int]


class Stretch(NamedTuple):
    """Samples `first` to `last` (one past): the first at `begun`, the last at `ended`, microseconds of `t`."""

    first: int
    last: int
    begun: int
    ended: int


def t_of(mapping: Mapping, utc: int, first: int, last: int) -> int:
    """The `t` from `first` to `last` at which it was `utc`, or the nearer end. The mapping dates all of them."""
    t = first
    for _ in range(ROUNDS):
        said = mapping.at(t).utc
        assert said is not None, "an epoch that nobody dates has no such t"
        t = min(max(utc - (said - t), first), last)
    return t


def stretches(
    span: tuple[int, int],
    cuts: Sequence[int],
    rate: Fraction,
    ends: Callable[[int, int], Ends | None],
    width_us: int,
) -> list[Stretch]:
    """`span` (first, one past the last) cut where time jumps by more than `width_us`, at some of `cuts` (sorted).

    `ends` reads a range; None where nothing of it is stored: then it is no stretch.
    """
    found: list[Stretch] = []
    waiting = [span]
    while waiting:
        first, last = waiting.pop()
        within = cuts[bisect_right(cuts, first) : bisect_left(cuts, last)]
        told = ends(first, last)
        if told is None:
            continue
        one = _stretch(told, first, last, rate)
        jump = one.ended - one.begun - int((last - 1 - first) * _MILLION / rate)
        believed = max(width_us, (one.ended - one.begun) // _BELIEVED)
        if not within or jump <= believed or len(found) + len(waiting) >= STRETCHES_LIMIT_COUNT:
            found.append(one)
        else:
            cut = within[len(within) // 2]
            waiting += [(cut, last), (first, cut)]
    return found


def clipped(one: Stretch, first_t: int, last_t: int) -> Stretch | None:
    """The part of a stretch that lies from `first_t` to `last_t`; None where there is none."""
    if one.ended < first_t or one.begun > last_t:
        return None
    span, steps = one.ended - one.begun, one.last - 1 - one.first
    if span <= 0 or steps <= 0:
        return one
    skipped = max(0, -(-(first_t - one.begun) * steps // span))
    kept = min(steps, (last_t - one.begun) * steps // span)
    if kept < skipped:
        return None
    begun, ended = (one.begun + at * span // steps for at in (skipped, kept))
    return Stretch(one.first + skipped, one.first + kept + 1, begun, ended)


def _stretch(told: Ends, first: int, last: int, rate: Fraction) -> Stretch:
    """By the nominal rate where the very first or last sample is not stored."""
    (a, begun), (b, ended) = told
    return Stretch(
        first, last, begun - int((a - first) * _MILLION / rate), ended + int((last - 1 - b) * _MILLION / rate)
    )
