"""True time, and the clocks that do not have it: a quartz that wanders, and sources that lie within what they state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
SPEC_PPM = 60  # what the boards we know are sold with, temperature included


@dataclass(frozen=True, slots=True)
class Quartz:
    """A monotonic clock from its boot on: `ppm` by make and age, `swing` by the day's temperature.

    At `leap_t` UTC repeats a second.
    """

    begin: int  # UTC when t was 0
    ppm: float
    swing: float
    phase: float
    leap_t: int | None = None

    def utc(self, t: int) -> int:
        """The truth, microseconds since 1970."""
        turn = DAY / (2 * math.pi)
        swung = self.swing * turn * (math.cos(self.phase) - math.cos(t / turn + self.phase))
        leapt = 1_000_000 if self.leap_t is not None and t >= self.leap_t else 0
        return self.begin + t + round((self.ppm * t + swung) / 1e6) - leapt


def quartz(dice: Random, is_in_spec: bool) -> Quartz:
    """Of one board. In spec: within 60 ppm at every temperature; else a broken one, beyond what anybody allows."""
    if not is_in_spec:
        return Quartz(0, dice.choice((-1, 1)) * dice.uniform(120, 400), dice.uniform(0, 30), dice.uniform(0, 6.28))
    swing = dice.uniform(0, SPEC_PPM / 2)
    return Quartz(0, dice.uniform(swing - SPEC_PPM, SPEC_PPM - swing), swing, dice.uniform(0, 6.28))


@dataclass(slots=True)
class Liar:
    """A source that states an error and keeps within it, as badly as that allows."""

    error_us: tuple[int, int]
    bias: float  # of the error, always to the same side; the rest is chance

    def anchor(self, dice: Random, truth: int) -> tuple[int, int]:
        """(utc, error)."""
        error = dice.randint(*self.error_us)
        off = self.bias * error + dice.uniform(-1, 1) * (1 - abs(self.bias)) * error
        return truth + math.trunc(off), error


def liar(dice: Random, least_us: int, most_us: int) -> Liar:
    return Liar((least_us, most_us), dice.choice((0.0, 0.0, 0.5, -0.5, 1.0, -1.0)))
