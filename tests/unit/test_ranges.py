"""Ranges against a plain set of numbers."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.ranges import Ranges

SMALL = st.integers(0, 40)
PAIRS = st.tuples(SMALL, st.integers(0, 8)).map(lambda pair: (pair[0], pair[0] + pair[1]))
STEPS = st.lists(st.tuples(st.sampled_from(["add", "remove"]), PAIRS), max_size=12)


def built(steps) -> tuple[Ranges, set[int]]:
    ranges, model = Ranges(), set()
    for word, (first, last) in steps:
        numbers = set(range(first, last + 1))
        if word == "add":
            assert ranges.add(first, last) == len(numbers - model)
            model |= numbers
        else:
            ranges.remove(first, last)
            model -= numbers
    return ranges, model


@given(STEPS)
def test_it_is_the_set_it_says(steps) -> None:
    ranges, model = built(steps)
    assert {number for first, last in ranges for number in range(first, last + 1)} == model
    assert len(ranges) == len(model)
    assert bool(ranges) is bool(model)
    assert ranges.last == max(model, default=-1)
    assert all((number in ranges) is (number in model) for number in range(-2, 60))


@given(STEPS)
def test_ranges_are_sorted_apart_and_few(steps) -> None:
    pairs = list(built(steps)[0])
    assert all(first <= last for first, last in pairs)
    assert all(later[0] > earlier[1] + 1 for earlier, later in itertools.pairwise(pairs))
    assert Ranges(pairs).runs == len(pairs)
    assert Ranges(reversed(pairs)) == Ranges(pairs)


@given(STEPS, PAIRS)
def test_missing_and_covers_agree_with_the_set(steps, pair) -> None:
    ranges, model = built(steps)
    absent = set(range(pair[0], pair[1] + 1)) - model
    missing = ranges.missing(*pair)
    assert {number for first, last in missing for number in range(first, last + 1)} == absent
    assert all(later[0] > earlier[1] + 1 for earlier, later in itertools.pairwise(missing))
    assert ranges.covers(*pair) is (not absent)


def test_one_number_is_a_range_of_one() -> None:
    ranges = Ranges()
    assert ranges.add(7) == 1
    assert ranges.add(7) == 0
    assert list(ranges) == [(7, 7)]


def test_a_range_that_ends_before_it_starts_is_our_bug() -> None:
    with pytest.raises(ValueError, match=r"5\.\.4"):
        Ranges().add(5, 4)


def test_it_can_be_changed_while_it_is_walked() -> None:
    ranges = Ranges([(0, 1), (5, 6)])
    for first, last in ranges:
        ranges.remove(first, last)
    assert not ranges


def test_a_million_numbers_in_one_run_are_one_pair() -> None:
    ranges = Ranges()
    for number in range(0, 1_000_000, 1000):
        ranges.add(number, number + 999)
    assert ranges.runs == 1
    assert len(ranges) == 1_000_000


def test_it_is_equal_by_what_it_holds_and_not_to_other_things() -> None:
    assert Ranges([(1, 2), (3, 4)]) == Ranges([(1, 4)])
    assert Ranges([(1, 4)]) != [(1, 4)]
    assert repr(Ranges([(1, 4)])) == "Ranges([(1, 4)])"


def test_a_set_of_billions_costs_nothing_to_list() -> None:
    """As a genuine gateway or centre may say: it must not be a way to take all memory."""
    numbers = Ranges([(0, (1 << 32) - 1), (1 << 33, 1 << 40)])
    assert numbers.pairs() == [(0, (1 << 32) - 1), (1 << 33, 1 << 40)]
    assert repr(numbers) == "Ranges([(0, 4294967295), (8589934592, 1099511627776)])"
