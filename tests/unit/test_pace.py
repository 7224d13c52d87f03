"""When samples were taken, and how fast the device really is (TIM-10)."""

from __future__ import annotations

import random
from fractions import Fraction

from centre.pace import pace, sample_t


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
