"""Whose data these are: associations laid over each other, against a reader that looks at each moment for itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from centre.rows import Association
from centre.whose import Chart

MOMENT = st.tuples(st.integers(1, 2), st.integers(0, 9))
STATUS = st.sampled_from(["unvalidated", "validated", "conflict", "corrected", "wrong"])


@st.composite
def association(draw: st.DrawFn) -> Association:
    first, second = sorted([draw(MOMENT), draw(MOMENT)])
    until = None if draw(st.booleans()) else second
    until = until if until is None or first < until else None
    return Association(first, until, "scan", draw(STATUS), "n", draw(st.sampled_from(["p-a", "p-b"])), "bed")


@given(st.lists(association(), max_size=12), st.lists(MOMENT, min_size=1))
def test_the_last_word_about_a_moment_counts(said: list[Association], moments: list[tuple[int, int]]) -> None:
    chart = Chart(said)
    for one, following in zip(chart.spans, chart.spans[1:], strict=False):
        assert one.until is not None
        assert one.until <= following.since
    for moment in moments:
        covering = [one for one in said if one.since <= moment and (one.until is None or moment < one.until)]
        found = chart.at(moment)
        assert (found is None) == (not covering)
        if found is not None:
            last = covering[-1]
            assert (found.status, found.pseudonym) == (last.status, last.pseudonym)
            ours = last.status in ("validated", "corrected") and last.pseudonym == "p-a"
            assert chart.has(moment, "p-a", ()) == ours
            assert not (last.status == "wrong" and chart.has(moment, last.pseudonym, ("wrong",)))
