"""When samples were taken, and how fast the device really is (TIM-10)."""

from __future__ import annotations

import random
from fractions import Fraction

from centre.pace import CORNERS_LIMIT_COUNT, Row, longest, pace, sample_t


def test_sample_time_is_the_earliest_arrival() -> None:
    rate = Fraction(500)
    arrivals = [(249, 500_000), (499, 1_000_000 + 80_000), (749, 1_500_000 + 20_000)]
    assert sample_t(749, arrivals, rate) == 1_500_000
    assert sample_t(0, arrivals, rate) == 500_000 - 249 * 2000


def test_a_device_that_runs_fast_is_measured() -> None:
    """A device at 500.1 Hz (200 ppm), its blocks delayed by up to 50 ms: after a minute its own rate is known."""
    dice = random.Random(5)
    period = Fraction(10_000_000_000, 5_001_000)
    arrivals = [(i, round(i * period) + dice.randint(0, 50_000)) for i in range(249, 250 * 1200, 250)]
    fitted = pace(arrivals, Fraction(500))
    assert abs(fitted.period_us / period - 1) * 1_000_000 < 2
    assert abs(fitted.sample_t(100_000) - 100_000 * period) < 1000


def test_a_short_or_absurd_fit_keeps_the_stated_rate() -> None:
    burst = [(i, 1000 + i) for i in range(0, 100_000, 250)]
    assert pace(burst, Fraction(500)).period_us == 2000
    twice = [(i, i * 1000) for i in range(0, 100_000, 250)]  # a minute and more at double the rate
    assert pace(twice, Fraction(500)).period_us == 2000


def test_what_is_kept_of_many_arrivals_says_the_same_as_all_of_them() -> None:
    """72 hours of blocks: only corners are kept, and the line is that of all arrivals."""
    dice = random.Random(6)
    row = Row()
    lowest = None
    for i in range(249, 250 * 20_000, 250):
        t = i * 2000 + i // 4000 + dice.randint(0, 80_000) + (10_000_000 if 10**6 < i < 10**6 + 5000 else 0)
        row.add(i, t)
        lowest = t - i * 2000 if lowest is None else min(lowest, t - i * 2000)
    assert len(row.corners) < 100
    assert row.lifted_us == 0
    assert min(t - i * 2000 for i, t in row.corners) == lowest


def test_too_many_corners_are_thinned_and_it_is_said_by_how_much() -> None:
    row = Row()
    for i in range(4 * CORNERS_LIMIT_COUNT):
        row.add(i, 1_000_000 + i * 2000 + i * i)  # a convex line: every point is a corner
    assert len(row.corners) == CORNERS_LIMIT_COUNT
    assert 0 < row.lifted_us < 10_000


def test_of_one_index_the_earliest_arrival_counts() -> None:
    row = Row()
    for arrival in ((10, 500), (10, 400), (20, 900), (20, 950)):
        row.add(*arrival)
    assert row.corners == [(10, 400), (20, 900)]


def test_the_longest_row_tells_the_rate() -> None:
    short, long = Row(), Row()
    for row, count in ((short, 2), (long, 3)):
        for i in range(count):
            row.add(i, i * 1000)
    assert longest([short, long]) is long
    assert longest([]) is None
