"""What UTC was, and how well we know."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from centre.rows import Anchored
from centre.timeline import grade, pace, sample_t, utc_of

MINUTE = 60_000_000
BASE = 1_800_000_000_000_000


def anchor(t: int, offset: int = 0, error: int | None = 1000) -> Anchored:
    return Anchored(1, t, BASE + t + offset, error, "ntp")


GRADES = [(50_000, "A"), (50_001, "B"), (1_000_000, "B"), (1_000_001, "C"), (60_000_000, "C"), (60_000_001, "D")]


@pytest.mark.parametrize(("error", "letter"), [*GRADES, (None, "X")])
def test_grades(error: int | None, letter: str) -> None:
    assert grade(error) == letter


def test_no_anchor_no_time() -> None:
    assert utc_of(5, []) is None


def test_an_anchor_that_knows_nothing_gives_a_time_of_unknown_error() -> None:
    assert utc_of(MINUTE, [anchor(0, error=None)]) == (BASE + MINUTE, None)


def test_an_anchor_without_error_does_not_disturb_one_with() -> None:
    known = utc_of(2 * MINUTE, [anchor(0), anchor(MINUTE, offset=10**12, error=None)])
    assert known == (BASE + 2 * MINUTE, 1000 + 12_000)


def test_the_error_grows_by_100_ppm_outside() -> None:
    assert utc_of(10 * MINUTE, [anchor(0)]) == (BASE + 10 * MINUTE, 1000 + 60_000)
    assert utc_of(-10 * MINUTE, [anchor(0)]) == (BASE - 10 * MINUTE, 1000 + 60_000)


def test_a_straight_line_between_two_anchors() -> None:
    slow = [anchor(0), anchor(10 * MINUTE, offset=30_000)]  # 50 ppm
    found = utc_of(5 * MINUTE, slow)
    assert found is not None
    assert found[0] == BASE + 5 * MINUTE + 15_000
    assert utc_of(0, slow) == (BASE, 1000 + 1)


def test_a_step_is_followed_on_the_nearer_side_and_owned_up_to() -> None:
    stepped = [anchor(0), anchor(10 * MINUTE, offset=5_000_000)]
    before, after = utc_of(MINUTE, stepped), utc_of(9 * MINUTE, stepped)
    assert before == (BASE + MINUTE, 1000 + 6000 + 5_000_000)
    assert after == (BASE + 9 * MINUTE + 5_000_000, 1000 + 6000 + 5_000_000)


def test_a_late_better_anchor_corrects_what_a_coarse_one_said() -> None:
    coarse = anchor(0, offset=900_000, error=1_000_000)
    assert utc_of(1000, [coarse]) == (BASE + 1000 + 900_000, 1_000_001)
    assert utc_of(1000, [coarse, anchor(MINUTE)]) == (BASE + 1000, 1000 + 6000)


def test_the_truth_lies_within_the_error_said() -> None:
    """TIM-04: a clock that wanders within 100 ppm, anchors that err within their bound."""
    dice = random.Random(4)
    outside = 0
    for _ in range(60):
        offset, offsets = 0.0, []
        for _minute in range(60):
            offsets.append(round(offset))
            offset += dice.uniform(-100, 100) * 60
        minutes = sorted(dice.sample(range(60), 4))
        anchors = [anchor(m * MINUTE, offsets[m] + dice.randint(-500, 500), 500) for m in minutes]
        for minute, truth in enumerate(offsets):
            found = utc_of(minute * MINUTE, anchors)
            assert found is not None
            assert found[1] is not None
            outside += abs(found[0] - (BASE + minute * MINUTE + truth)) > found[1]
    assert outside == 0


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
