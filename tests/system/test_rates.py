"""TIM-10: a device at 500.05 Hz, by session, track, pulse, envelope and store: none invented, none dropped."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from tests.histories.rates import NOMINAL, heard_for

MINUTES = 8


def test_a_device_that_runs_fast_is_measured_and_loses_nothing(tmp_path: Path) -> None:
    """One silence of 10 s, delivery that is late and comes in lumps; the long run is `python -m tests.histories`."""
    found = heard_for(MINUTES * 60, seed=3, folder=tmp_path)
    assert found.sent == found.stored
    assert found.altered == 0
    assert found.gaps == [("device-silent", None)]
    assert abs(found.ppm) < 20
    assert found.corners < 200
    assert found.answer["nominal"] == [NOMINAL.numerator, NOMINAL.denominator]
    assert abs(found.answer["ppm"] - 100) < 20
    assert Fraction(found.answer["measured"]).limit_denominator(1000) != NOMINAL
