"""The ledger under loss, duplication and reordering, against plain sets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from centre.ledger import Ledger, Place
from wire.topics import Class

PLACE = Place("gw", 7, Class.WAVE)
SEQ = st.integers(0, 60)
RUN = st.tuples(SEQ, st.integers(0, 8)).map(lambda pair: (pair[0], pair[0] + pair[1]))
STEP = st.one_of(
    st.tuples(st.just("arrive"), SEQ),
    st.tuples(st.just("declare"), RUN),
    st.tuples(st.just("follow"), SEQ),
)


def numbers(ranges: list[tuple[int, int]]) -> set[int]:
    return {n for first, last in ranges for n in range(first, last + 1)}


@given(st.lists(STEP, max_size=80))
def test_the_ledger_is_the_sets_it_stands_for(steps: list[tuple[str, object]]) -> None:
    ledger = Ledger()
    held: set[int] = set()
    declared: set[int] = set()
    following = duplicates = 0
    for what, value in steps:
        if what == "arrive":
            assert isinstance(value, int)
            assert ledger.holds(PLACE, value) == (value in held)
            if value in held:
                ledger.repeat(PLACE)
                duplicates += 1
            ledger.hold(PLACE, value)
            held.add(value)
            following = max(following, value + 1)
        elif what == "declare":
            assert isinstance(value, tuple)
            ledger.declare(PLACE, *value)
            declared |= numbers([value])
            following = max(following, value[1] + 1)
        else:
            assert isinstance(value, int)
            ledger.follow(PLACE, value)
            following = max(following, value)
        assert numbers(ledger.missing(PLACE)) == set(range(following)) - held - declared
    summary = ledger.summary("gw")
    assert (summary.held, summary.lost, summary.duplicates) == (len(held), len(declared - held), duplicates)
    assert numbers([r for said in ledger.receipt("gw") for r in said.ranges]) <= held


@given(st.permutations(range(20)), st.sets(st.integers(0, 19)), st.lists(st.integers(0, 19)))
def test_any_order_ends_the_same(order: list[int], lost: set[int], again: list[int]) -> None:
    ledger = Ledger()
    ledger.follow(PLACE, 20)
    for seq in [*order, *again]:
        if seq not in lost:
            ledger.hold(PLACE, seq)
    assert numbers(ledger.missing(PLACE)) == lost
