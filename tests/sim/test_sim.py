"""A few dozen stories, the seeds that found bugs among them, and that a seed is a story: twice the same, to the byte.

What a seed finds depends on every throw of the dice before it: a seed that once failed is kept for its kind of story,
and each bug has a unit test of its own as well.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim import faults
from tests.sim.loop import SECOND_NS, Timeline
from tests.sim.story import play

ROOT = Path(__file__).parents[2]
FOUND = (
    3, 15, 61, 380, 467, 507, 927, 1390, 2125, 2297, 2344, 2542, 2963, 3398, 3742, 5137, 8261, 10008, 10680, 10849,
    21140,
)  # fmt: skip
FRESH = range(4, 9)


@pytest.fixture(autouse=True)
def _quiet():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("seed", sorted({*FOUND, *FRESH}))
def test_ledger_and_spool_are_what_the_devices_said(seed: int) -> None:
    outcome = play(seed)
    assert outcome.problems == (), f"replay: python -m tests.sim --seed {seed} -v"


def test_a_seed_is_one_story() -> None:
    lines: list[str] = []
    first = play(11, lines.append)
    assert play(11) == first
    assert len(lines) > 20
    words = [sys.executable, "-m", "tests.sim", "--seed", "11"]
    again = subprocess.run(words, cwd=ROOT, env={"PYTHONHASHSEED": "5"}, capture_output=True, text=True, check=True)
    assert first.trace in again.stdout


def test_there_are_many_kinds_of_faults_and_each_says_what_it_is() -> None:
    assert len(faults.ALL) >= 40
    assert len({kind.__name__ for kind in faults.ALL}) == len(faults.ALL)


def test_things_happen_in_the_order_of_their_time_and_then_of_their_announcement() -> None:
    timeline, seen = Timeline(), []
    for delay_s, name in ((2, "c"), (1, "a"), (1, "b"), (30, "never")):
        timeline.after(delay_s, seen.append, name)
    start = timeline.now
    timeline.run(start + 10 * SECOND_NS)
    assert seen == ["a", "b", "c"]
    assert timeline.now == start + 10 * SECOND_NS
