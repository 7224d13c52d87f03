"""A slice of `python -m tests.histories`: the centre's mapping against the truth (TIM-04, TIM-05)."""

from __future__ import annotations

from tests.histories.campaign import figures, is_good, run
from tests.histories.life import KINDS, history

HISTORIES = 150


def test_the_truth_lies_within_what_is_said() -> None:
    tally = run(10**9, HISTORIES)
    said = figures(tally)
    assert said["inside_share_where_assumptions_hold"] == 1.0, said["misses"]
    assert tally.before_floor == 0
    assert tally.periods["mute"] > 0
    assert is_good(tally)


def test_a_history_is_made_again_from_its_number() -> None:
    assert history(7).known == history(7).known
    assert len({history(seed).kind for seed in range(400)}) == len(KINDS)


def test_a_mapping_that_believed_too_much_would_be_seen() -> None:
    tally = run(10**9, 20)
    tally.inside["ntp"] -= 5
    assert not is_good(tally)
