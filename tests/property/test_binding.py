"""NUR-11: whatever happens at a bed, in whatever order, no time is two patients, and nobody is bound by itself."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.binding import words
from agent.binding.state import BOUND
from agent.binding.words import Adt, Person
from tests.bedside import BOOT, Bedside, whose

PEOPLE = st.sampled_from([Person("A-1"), Person("B-2"), Person("C-3")])
SOURCES = st.sampled_from(["scan", "adt", "device", "location"])
DEEDS = st.sampled_from(["confirm", "choose", "unbind", "wrong", "late", "transport"])
HAPPENING = st.one_of(
    st.tuples(st.just("says"), SOURCES, PEOPLE),
    st.tuples(st.just("do"), DEEDS, st.integers(0, 5)),
    st.tuples(st.just("adt"), st.sampled_from(["A02", "A03", "A08", "A11", "A40"]), PEOPLE),
    st.tuples(st.just("plugged"), st.integers(0, 2), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.5, 6.0, 70.0, 1500.0]), st.none()),
    st.tuples(st.just("label"), st.sampled_from(["bed 3", "bed 4"]), st.none()),
    st.tuples(st.just("restart"), st.sampled_from([1.0, 20.0]), st.booleans()),
)


def keys(bed: Bedside, number: int) -> tuple[str, str]:
    """(a proposal, an episode) that may or may not be there."""
    proposals = ["location", BOUND, *(side.key for side in bed.binding.kept.sides)]
    episodes = [bed.binding.course.key, *(one.key for one in bed.binding.kept.past)]
    return proposals[number % len(proposals)], episodes[number % len(episodes)]


def deed(bed: Bedside, word: str, number: int) -> words.Said:
    proposal, episode = keys(bed, number)
    match word:
        case "confirm":
            return words.Confirm(0, proposal, "n")
        case "choose":
            return words.Choose(0, proposal, "n")
        case "unbind":
            return words.Unbind(0, "n")
        case "wrong":
            return words.Wrong(0, episode, "n", proposal if number % 2 and proposal not in ("location", BOUND) else "")
        case "late":
            return words.BindLate(0, episode, proposal, "n")
        case _:
            return words.Transport(0, "n")


def happen(bed: Bedside, what: tuple) -> Bedside:
    """One thing; nobody but a person binds."""
    word, first, second = what
    before = bed.bound
    match word:
        case "says":
            bed.says(first, second)
        case "do":
            bed.do(deed(bed, first, second))
            return bed
        case "adt":
            bed.binding.told(Adt(0, first, second, former="A-1", was_here=True), bed.now)
        case "plugged":
            bed.binding.plugged(first, bed.now)
        case "wait":
            bed.wait(first)
        case "label":
            bed.binding.label(first, bed.now)
        case _:
            bed = bed.starts_again(first, BOOT if second else b"another boot ...")
    bed.settle()
    assert bed.bound in ("", before), "bound by itself"
    return bed


@settings(max_examples=300, deadline=None)
@given(st.lists(HAPPENING, max_size=25))
def test_nur_11_no_time_is_two_validated_patients(story: list[tuple]) -> None:
    bed = Bedside()
    live: list[tuple[tuple[int, int], str]] = []  # at that moment this patient was vouched for
    for what in story:
        bed = happen(bed, what)
        bed.at += 0.01
        live.append(((bed.epoch, bed.now // 1000 - 1), bed.bound if bed.status == "validated" else ""))
    edges = {moment for one in bed.said for moment in (one.since, one.until) if moment is not None}
    for moment in edges:
        spoken = [one for one in bed.said if covers(one, moment)]
        withdrawn: set[str] = set()
        vouched = ""
        for one in spoken:  # one goes before another only once that was closed, withdrawn, or doubted
            if one.status in ("validated", "corrected"):
                assert vouched in ("", one.pseudonym), f"{moment} is {vouched} and {one.pseudonym}"
                vouched = one.pseudonym
            else:
                withdrawn |= {vouched}
                vouched = ""
    for moment, who in live:
        status, pseudonym = whose(bed.said, moment)
        corrected = any(one.status in ("wrong", "corrected") for one in bed.said if covers(one, moment))
        assert corrected or status != "validated" or pseudonym == f"p-{who}", "vouched for by nobody then"


def covers(one, moment: tuple[int, int]) -> bool:
    return one.since <= moment and (one.until is None or moment < one.until)


@settings(max_examples=100, deadline=None)
@given(st.lists(HAPPENING, max_size=25))
def test_what_was_said_is_never_taken_back_but_in_order(story: list[tuple]) -> None:
    """`t` only grows, and said twice from any point on it means the same: so it may be said again after a power cut."""
    bed = Bedside()
    for what in story:
        bed = happen(bed, what)
        bed.at += 0.01
    edges = {moment for one in bed.said for moment in (one.since, one.until) if moment is not None}
    for start in range(0, len(bed.said), 3):
        again = [*bed.said, *bed.said[start:]]
        assert [whose(again, moment) for moment in edges] == [whose(bed.said, moment) for moment in edges]
