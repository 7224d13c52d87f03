"""Runs and holes together cover a range exactly once, whatever came and whatever was declared."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from centre.rows import Gap, Samples
from centre.web.covering import NOT_RECEIVED, cover
from wire.records import MarkAt

RATE = Fraction(250)
SPAN = st.tuples(st.integers(0, 60), st.integers(1, 30))


def samples(first: int, count: int) -> Samples:
    values = np.arange(first, first + count, dtype=np.int32)
    return Samples(1, 0, first, (first + count) * 4000, values, (MarkAt(0, 0, "lead-off", count),))


@given(
    runs=st.lists(SPAN, max_size=8), gaps=st.lists(SPAN, max_size=5), first=st.integers(0, 50), size=st.integers(0, 60)
)
def test_every_index_is_covered_once(runs, gaps, first, size):
    last = first + size
    declared = [Gap(1, 0, 0, at, count, "parse") for at, count in gaps]
    found, holes = cover([samples(*run) for run in runs], declared, RATE, first, last)
    parts = [(r.first, r.first + len(r.values)) for r in found] + [(h.first, h.last) for h in holes]
    covered = sorted(i for start, stop in parts for i in range(start, stop))
    assert covered == list(range(first, last))
    there = {i for at, count in runs for i in range(at, at + count)}
    for run in found:
        assert run.values.tolist() == list(range(run.first, run.first + len(run.values)))  # no sample moved
        assert run.t == (run.first + len(run.values)) * 4000
        assert all(m.at >= 0 and m.at + m.count <= len(run.values) for m in run.marks)
    lost = {i for at, count in gaps for i in range(at, at + count)}
    for hole in holes:
        inside = set(range(hole.first, hole.last))
        assert not inside & there
        assert (inside <= lost) if hole.cause == "parse" else not inside & lost
        assert hole.cause in ("parse", NOT_RECEIVED)


def test_a_gap_of_unknown_size_reaches_to_what_came_next():
    gap = Gap(1, 0, 0, 10, None, "power")
    _, holes = cover([samples(0, 10), samples(40, 10)], [gap], RATE, 0, 50)
    assert [(h.first, h.last, h.cause) for h in holes] == [(10, 40, "power")]
