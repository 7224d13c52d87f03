"""What UTC was, and how well we know (TIM-04 to TIM-06)."""

from __future__ import annotations

import random

import pytest

from centre.mapping import FLOOR_UTC_US, Bound, Mapping, Moment
from centre.rows import Anchored
from wire.grades import grade

MINUTE = 60_000_000
DAY = 1440 * MINUTE
BASE = 1_800_000_000_000_000


def anchor(t: int, offset: int = 0, error: int | None = 1000) -> Anchored:
    return Anchored(1, t, BASE + t + offset, error, "ntp")


def said(t: int, *anchors: Anchored) -> tuple[int, int]:
    """(offset from BASE + t, error)."""
    moment = Mapping(anchors).at(t)
    assert moment.utc is not None
    assert moment.error is not None
    return moment.utc - BASE - t, moment.error


GRADES = [(50_000, "A"), (50_001, "B"), (1_000_000, "B"), (1_000_001, "C"), (60_000_000, "C"), (60_000_001, "D")]


@pytest.mark.parametrize(("error", "letter"), [*GRADES, (None, "X")])
def test_grades(error: int | None, letter: str) -> None:
    assert grade(error) == letter


def test_without_facts_nothing_is_known_but_that_it_was_ours() -> None:
    assert Mapping([]).at(5) == Moment(None, None, FLOOR_UTC_US, None, "X")


def test_an_anchor_that_knows_no_error_counts_for_nothing() -> None:
    assert Mapping([anchor(0, error=None)]).at(5).utc is None
    assert said(2 * MINUTE, anchor(0), anchor(MINUTE, offset=10**12, error=None)) == (0, 1000 + 12_000)


def test_the_error_grows_by_100_ppm_outside() -> None:
    assert said(10 * MINUTE, anchor(0)) == (0, 1000 + 60_000)
    assert said(-10 * MINUTE, anchor(0)) == (0, 1000 + 60_000)


def test_a_straight_line_between_two_anchors() -> None:
    slow = [anchor(0), anchor(10 * MINUTE, offset=30_000)]  # 50 ppm
    assert said(5 * MINUTE, *slow) == (15_000, 1000 + 15_000)
    assert said(0, *slow) == (0, 1000)


def test_a_clock_beyond_its_limit_is_followed_and_doubted_all_along() -> None:
    fast = [anchor(0), anchor(10 * MINUTE, offset=90_000)]  # 150 ppm
    assert said(0, *fast) == (0, 1000)
    assert said(5 * MINUTE, *fast) == (45_000, 1000 + 15_000)
    assert said(20 * MINUTE, *fast)[1] == 1000 + 120_000


def test_a_step_is_followed_on_its_own_side_and_both_sides_cover_the_other() -> None:
    stepped = Mapping([anchor(0), anchor(10 * MINUTE, offset=5_000_000), anchor(20 * MINUTE, offset=5_000_000)])
    for t in (-MINUTE, 0, MINUTE, 9 * MINUTE, 10 * MINUTE, 15 * MINUTE, 25 * MINUTE):
        moment = stepped.at(t)
        assert moment.earliest is not None
        assert moment.latest is not None
        assert moment.earliest <= BASE + t - 1000
        assert moment.latest >= BASE + t + 5_000_000
        assert moment.grade == "C"


def test_a_late_better_anchor_corrects_what_a_coarse_one_said() -> None:
    coarse = anchor(0, offset=900_000, error=1_000_000)
    assert said(1000, coarse) == (900_000, 1_000_001)
    assert said(1000, coarse, anchor(MINUTE)) == (0, 1000 + 6000)


def test_the_truth_lies_within_the_error_said_and_more_facts_never_make_it_worse() -> None:
    """TIM-04: a clock that wanders within 100 ppm, anchors that err within their bound, bounds that hold."""
    dice = random.Random(4)
    for _ in range(60):
        offset, offsets = 0.0, []
        for _minute in range(60):
            offsets.append(round(offset))
            offset += dice.uniform(-99, 99) * 60
        facts = [anchor(m * MINUTE, offsets[m] + dice.randint(-500, 500), 500) for m in dice.sample(range(60), 6)]
        truth = [BASE + m * MINUTE + o for m, o in enumerate(offsets)]
        most = [Bound(m * MINUTE, None, truth[m] + dice.randint(0, 5000)) for m in dice.sample(range(60), 9)]
        errors = [10**18] * 60
        for count in range(1, 7):
            mapping = Mapping(facts[:count], most[:count])
            for minute in range(60):
                moment = mapping.at(minute * MINUTE)
                assert moment.utc is not None
                assert moment.error is not None
                assert abs(moment.utc - truth[minute]) <= moment.error + 2
                assert moment.error <= errors[minute] + 2
                errors[minute] = moment.error


def test_without_an_anchor_the_bounds_are_a_period_and_no_instant() -> None:
    least, most = Bound(0, BASE, None), Bound(DAY, None, BASE + 3 * DAY)
    moment = Mapping([], [least, most]).at(DAY // 2)
    drift = DAY // 2 // 10_000
    assert moment == Moment(None, None, BASE + DAY // 2 - drift, BASE + 5 * DAY // 2 + drift, "D")


def test_an_anchor_that_arrived_before_it_was_made_is_left_out() -> None:
    moment = Mapping([anchor(0, offset=73 * 365 * DAY)], [Bound(0, None, BASE)]).at(0)
    assert (moment.utc, moment.latest, moment.grade) == (None, BASE, "D")


def test_where_our_own_clock_may_be_late_by_seconds_both_are_covered() -> None:
    moment = Mapping([anchor(0, offset=5_000_000)], [Bound(0, None, BASE)]).at(0)
    assert (moment.earliest, moment.latest, moment.grade) == (BASE, BASE + 5_000_000 + 1000, "C")


def test_what_may_not_be_before_gives_way_to_our_own_clock() -> None:
    assert Mapping([], [Bound(0, BASE + DAY, None), Bound(MINUTE, None, BASE)]).at(0).earliest == FLOOR_UTC_US


def test_nothing_is_dated_before_the_floor() -> None:
    assert Mapping([Anchored(1, 0, 0, 1000, "ntp")]).at(0) == Moment(None, None, FLOOR_UTC_US, None, "X")
    assert Mapping([Anchored(1, 40 * DAY, FLOOR_UTC_US + DAY, 1000, "ntp")]).at(0).utc is None
    straddling = Mapping([Anchored(1, 0, FLOOR_UTC_US, 1000, "operator")]).at(0)
    assert straddling.earliest == FLOOR_UTC_US


def test_the_version_names_what_shaped_the_answer() -> None:
    one = Mapping([anchor(0), anchor(MINUTE)])
    assert one.version == Mapping([anchor(MINUTE), anchor(0)]).version
    assert one.version == Mapping([anchor(0), anchor(MINUTE), anchor(2 * MINUTE, error=10**9)]).version
    assert one.version != Mapping([anchor(0), anchor(MINUTE, error=500)]).version
    assert one.version != Mapping([anchor(0), anchor(MINUTE)], [Bound(0, None, BASE + 100)]).version
    assert one.version.startswith("2-")


def test_the_source_is_that_of_the_nearest_anchor() -> None:
    mapping = Mapping([anchor(0), Anchored(1, DAY, BASE + DAY, 500, "mqtt")])
    assert (mapping.source(MINUTE), mapping.source(DAY), Mapping([]).source(0)) == ("ntp", "mqtt", "")
