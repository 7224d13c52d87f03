"""Who the patient is: REQUIREMENTS NUR-05 to NUR-11 and NUR-15, one test at least for each, on a clock of their own."""

from __future__ import annotations

import hashlib
from itertools import permutations

import pytest

from agent.binding import words
from agent.binding.state import begun
from agent.binding.words import Adt, Person
from tests.bedside import BOOT, Bedside, X, Y, whose

SOURCES = ("scan", "adt", "device", "location")
OTHER_BOOT = b"boot two 16 byte"
UTC = 1_800_000_000_000_000


def at(bed: Bedside, minutes: float) -> tuple[str, str]:
    """Whose the data of that minute are."""
    return whose(bed.said, (bed.epoch, int(minutes * 60_000_000)))


@pytest.mark.parametrize("source", SOURCES)
def test_nur_05_each_mode_yields_the_five_fields(source: str) -> None:
    bed = Bedside()
    assert bed.confirm(source, X) == ""
    bed.wait(2)
    assert bed.do(words.Unbind(0, "n-13")) == ""
    closed = next(one for one in bed.said if one.until is not None and one.pseudonym)
    assert (closed.pseudonym, closed.method, closed.performer) == ("p-X-1", source, "n-12")
    assert (closed.since, closed.until) == ((7, 60_000_000), (7, 180_000_000))
    assert closed.bed == "bed 3"  # the device is the gateway of this bed: its id is the envelope's


def test_nur_05_by_default_whoever_lies_in_the_bed_is_confirmed_and_stays_unvalidated() -> None:
    bed = Bedside()
    assert bed.do(words.Confirm(0, "location", "n-12")) == ""
    assert (bed.said[-1].method, bed.status, bed.bound) == ("location", "unvalidated", "")
    assert bed.said[-1].pseudonym.startswith("p-stay gateway 7.")
    assert bed.do(words.Confirm(0, "location", "n-12")) == "bound already"
    assert bed.wait(1).confirm("scan", X) == ""
    assert (bed.bound, bed.status) == ("X-1", "validated")


def test_nobody_is_bound_without_a_person() -> None:
    bed = Bedside().says("scan", X).says("adt", X).says("device", X)
    assert bed.wait(60 * 48).bound == ""
    assert {one.pseudonym for one in bed.said} == {""} or bed.said == []
    assert bed.do(words.Confirm(0, bed.key("adt"), "  \u202e\n")) == "no performer"
    assert bed.do(words.Confirm(0, "adt-0.0", "n-12")) == "no such proposal"
    bed.binding.hears("device", Person("", "DOE JANE"), bed.now, "usb-1")
    assert bed.do(words.Confirm(0, bed.key("device"), "n-12")) == "no identifier"


def test_nur_06_every_status_is_said() -> None:
    bed = Bedside()
    bed.confirm("scan", X)
    bed.wait(1).says("device", Y)
    bed.wait(1)
    bed.do(words.Choose(0, "bound", "n-12"))
    bed.wait(1)
    bed.do(words.Wrong(0, bed.binding.course.key, "n-12"))
    bed.wait(1)
    bed.do(words.BindLate(0, bed.binding.kept.past[0].key, bed.key("device"), "n-12"))
    assert {one.status for one in bed.said} == {"unvalidated", "validated", "conflict", "wrong", "corrected"}


@pytest.mark.parametrize(("first", "second"), list(permutations(SOURCES, 2)))
@pytest.mark.parametrize("bound", [False, True])
def test_nur_07_any_two_that_disagree_are_a_conflict(first: str, second: str, bound: bool) -> None:
    """12 pairings; nobody bound, and the first one bound."""
    bed = Bedside().says(first, X)
    if bound:
        assert bed.confirm(first) == ""
    bed.wait(1).says(second, Y)
    assert bed.status == "conflict"
    assert len(bed.binding.sides()) >= 2
    assert bed.said[-1].status == "conflict"
    bed.wait(14)
    assert bed.status == "conflict", "nothing resolves by itself"
    assert bed.do(words.Confirm(0, bed.key(second), "n-12")) == "conflict"
    assert bed.do(words.Choose(0, bed.key(second), "n-12")) == ""
    assert (bed.bound, bed.status) == ("Y-2", "validated")
    bed.says(first, X) if first != "scan" else None
    assert bed.status == "validated", "who was overruled counts again when he says something else"


def test_nur_07_a_conflict_with_who_is_bound_is_nobodys_until_a_person_chose() -> None:
    bed = Bedside()
    bed.confirm("scan", X)
    bed.wait(10).says("device", Y)
    bed.wait(10)
    assert bed.do(words.Choose(0, "bound", "n-12")) == ""
    bed.wait(10)
    assert [at(bed, minute) for minute in (5, 15, 25)] == [
        ("validated", "p-X-1"),
        ("conflict", "p-X-1"),
        ("validated", "p-X-1"),
    ]
    bed.says("device", Person("Z-3"))
    assert bed.status == "conflict"
    assert bed.do(words.Unbind(0, "n-12")) == ""
    assert (bed.bound, bed.status) == ("", "unvalidated")


def test_nur_08_an_anonymous_episode_is_bound_late_and_appended() -> None:
    bed = Bedside()
    bed.binding.plugged(1, bed.now)
    bed.wait(180)
    before = hashlib.sha256(repr(bed.said).encode()).hexdigest()
    count = len(bed.said)
    bed.says("scan", X)
    assert bed.do(words.BindLate(0, bed.binding.course.key, bed.key("scan"), "n-12")) == ""
    assert hashlib.sha256(repr(bed.said[:count]).encode()).hexdigest() == before
    assert at(bed, 100) == ("corrected", "p-X-1")
    assert at(bed, 182) == ("validated", "p-X-1")


def test_nur_08_not_after_a_day_and_not_who_is_bound() -> None:
    bed = Bedside()
    bed.wait(5)
    bed.confirm("scan", X)
    anonymous = bed.binding.kept.past[0].key
    assert bed.do(words.BindLate(0, bed.binding.course.key, bed.key("scan"), "n-12")) == "not anonymous"
    bed.wait(24 * 60 + 1)
    bed.says("scan", X)
    assert bed.do(words.BindLate(0, anonymous, bed.key("scan"), "n-12")) == "no such episode"


def test_nur_09_wrong_patient_is_withdrawn_and_the_right_one_said() -> None:
    bed = Bedside()
    bed.confirm("scan", X)
    bed.wait(20)
    wrong = bed.binding.course.key
    bed.wait(10).says("location", Y)
    assert bed.do(words.Wrong(0, wrong, "n-13", bed.key("location"))) == ""
    statements = [(one.status, one.pseudonym, one.since, one.until) for one in bed.said[-3:]]
    t0, t1 = (7, 60_000_000), (7, 31 * 60_000_000)
    assert ("validated", "p-Y-2", t0, t1) in statements
    assert ("wrong", "p-X-1", t0, t1) in [(o.status, o.pseudonym, o.since, o.until) for o in bed.said]
    bed.wait(1)
    assert {at(bed, minute) for minute in (1, 15, 30.9, 31, 31.5)} == {("validated", "p-Y-2")}


def test_nur_09_wrong_without_knowing_who_is_nobodys_and_bound_later() -> None:
    bed = Bedside()
    bed.confirm("scan", X)
    bed.wait(20)
    wrong = bed.binding.course.key
    bed.do(words.Unbind(0, "n-12"))
    bed.wait(60)
    assert bed.do(words.Wrong(0, wrong, "n-13")) == ""
    assert at(bed, 10) == ("wrong", "")
    bed.says("scan", Y)
    assert bed.do(words.BindLate(0, wrong, bed.key("scan"), "n-13")) == ""
    assert at(bed, 10) == ("corrected", "p-Y-2")
    assert at(bed, 40) == ("unvalidated", "")


def unplug(bed: Bedside) -> None:
    bed.binding.plugged(1, bed.now)
    bed.binding.plugged(0, bed.now)
    assert bed.wait(4.9).bound == "X-1"
    bed.wait(0.2)


def a03(bed: Bedside) -> None:
    bed.binding.told(Adt(0, "A03", X), bed.now)


def a02(bed: Bedside) -> None:
    bed.binding.told(Adt(0, "A02", X, was_here=True), bed.now)


def a11(bed: Bedside) -> None:
    bed.binding.told(Adt(0, "A11", X), bed.now)


def another(bed: Bedside) -> None:
    bed.says("scan", Y)


def moved(bed: Bedside) -> None:
    bed.binding.label("bed 4", bed.now)


def old(bed: Bedside) -> None:
    assert bed.wait(24 * 60 - 2).bound == "X-1"
    bed.wait(2)


ENDS = {
    unplug: "unplugged",
    a02: "transferred",
    a03: "discharged",
    a11: "cancelled",
    another: "wristband",
    moved: "moved",
    old: "old",
}


@pytest.mark.parametrize(("trigger", "ended"), list(ENDS.items()), ids=list(ENDS.values()))
@pytest.mark.parametrize("source", ["scan", "adt"])
def test_nur_10_each_trigger_ends_it_and_nothing_begins_it_again(trigger, ended: str, source: str) -> None:
    """All on the monotonic clock: no wall clock is known here."""
    bed = Bedside()
    bed.confirm(source, X)
    bed.wait(1)
    trigger(bed)
    bed.settle()
    assert (bed.bound, bed.binding.kept.ended) == ("", ended)
    assert (ended, "p-X-1") in [(one.ended, one.pseudonym) for one in bed.said]
    bed.binding.plugged(1, bed.now)
    bed.says("adt", X).says("device", X)
    bed.wait(60)
    assert bed.bound == "", "never bound again by itself"
    assert all(not one.pseudonym for one in bed.said if one.since and one.since >= (7, bed.now // 1000 - 1))


def test_nur_10_confirmed_again_it_lasts_another_day() -> None:
    bed = Bedside()
    bed.confirm("scan", X)
    bed.wait(23 * 60)
    assert bed.do(words.Confirm(0, "bound", "n-13")) == ""
    assert bed.wait(23 * 60).bound == "X-1"
    assert bed.wait(61).binding.kept.ended == "old"


@pytest.mark.parametrize(
    ("minutes", "boot", "known", "stays"),
    [
        (14, BOOT, {}, True),
        (16, BOOT, {}, False),
        (2, OTHER_BOOT, {}, False),  # nobody knows for how long
        (2, OTHER_BOOT, {"then": (UTC, 1_000_000)}, False),
        (2, OTHER_BOOT, {"then": (UTC, 1_000_000), "utc": (UTC + 120_000_000, 1_000_000)}, True),
        (2, OTHER_BOOT, {"then": (UTC, 1_000_000), "utc": (UTC + 890_000_000, 20_000_000)}, False),  # perhaps too long
        (2, OTHER_BOOT, {"then": (UTC, 0), "utc": (UTC - 60_000_000, 0)}, False),  # one of the two is wrong
    ],
)
def test_nur_10_off_for_more_than_15_minutes_or_nobody_knows(minutes, boot, known, stays) -> None:
    bed = Bedside()
    bed.confirm("scan", X)
    bed.wait(30)
    after = bed.starts_again(minutes, boot, **known)
    assert after.bound == ("X-1" if stays else "")
    assert after.wait(1).status == ("validated" if stays else "unvalidated")
    assert whose(after.said, (7, 20 * 60_000_000)) == ("validated", "p-X-1")
    assert whose(after.said, (8, after.now // 1000)) == (("validated", "p-X-1") if stays else ("unvalidated", ""))
    if stays:
        assert after.wait(23 * 60).bound == "X-1"
        assert after.wait(61).bound == "", "the 24 hours count through it"
    else:
        assert after.binding.kept.ended == "power"
        assert whose(after.said, (8, 0))[1] == "" or boot == BOOT


def test_nur_10_another_bed_in_the_configuration_ends_it() -> None:
    bed = Bedside()
    bed.confirm("scan", X)
    after = bed.wait(5).starts_again(1, bed="bed 9")
    assert (after.bound, after.binding.kept.ended, after.binding.kept.bed) == ("", "moved", "bed 9")


def test_nur_15_transport_keeps_it_an_hour_and_asks_for_a_scan() -> None:
    bed = Bedside()
    bed.confirm("adt", X)
    bed.binding.plugged(2, bed.now)
    assert bed.do(words.Transport(0, "n-12")) == ""
    bed.wait(5)
    bed.binding.plugged(0, bed.now)
    assert bed.wait(30).bound == "X-1", "5 minutes unplugged do not count on the way"
    bed.binding.plugged(2, bed.now)
    assert bed.wait(5).status == "unvalidated", "nobody vouches for it until the scan"
    assert bed.do(words.Confirm(0, "bound", "n-12")) == "scan on arrival"
    bed.says("scan", X)
    assert bed.wait(30).status == "validated"
    assert (bed.binding.course.method, bed.bound) == ("scan", "X-1")
    assert at(bed, 20) == ("unvalidated", "p-X-1")


def test_nur_15_a_move_between_two_gateways_overlaps_nowhere() -> None:
    first, second = Bedside(), Bedside(epoch=3)
    first.confirm("scan", X)
    first.binding.plugged(1, first.now)
    first.wait(10)
    assert first.do(words.Transport(0, "n-12")) == ""
    first.wait(2)
    first.binding.plugged(0, first.now)
    second.wait(20)
    assert second.confirm("scan", X) == ""
    first.wait(120)
    second.wait(30)
    second.binding.told(Adt(0, "A03", X), second.now)
    second.settle()
    assert (first.bound, second.bound) == ("", "")
    assert first.binding.kept.ended == "transport"
    both = [
        minute
        for minute in range(180)
        if at(first, minute) == ("validated", "p-X-1") and at(second, minute) == ("validated", "p-X-1")
    ]
    assert both == []
    assert at(first, 14)[1] == "", "it ended when the last device was unplugged"
    assert first.said[-2].ended == second.said[-2].ended or second.said[-2].ended == "discharged"


def test_two_gateways_with_a_badge_and_a_label_need_no_page() -> None:
    bed = Bedside().says("scan", X)
    side = bed.binding.label("bed 3", bed.now)
    assert side is not None
    assert bed.wait(2).binding.label("bed 3", bed.now) is None


def test_adt_withdraws_and_renames() -> None:
    bed = Bedside().says("adt", X)
    key = bed.key("adt")
    bed.binding.told(Adt(0, "A08", Person(X.id, "Other", X.born)), bed.now + 1000)
    assert bed.do(words.Confirm(0, key, "n-12")) == "no such proposal", "a name changed under the finger"
    bed.wait(1)
    bed.binding.told(Adt(0, "A40", Person("N-9"), former=X.id), bed.now)
    assert [side.person.id for side in bed.binding.kept.sides] == ["N-9"]
    assert bed.confirm("adt") == ""
    bed.wait(1).binding.told(Adt(0, "A40", Person("N-10"), former="N-9"), bed.now)
    assert (bed.bound, bed.binding.kept.ended) == ("", "merged")
    bed.binding.told(Adt(0, "A03", Person("ELSE")), bed.now)
    assert [side.person.id for side in bed.binding.kept.sides] == ["N-10"], "who was not here leaves nobody"


def test_names_are_gone_a_day_after_the_end() -> None:
    bed = Bedside()
    bed.confirm("scan", X)
    bed.wait(5)
    bed.do(words.Unbind(0, "n-12"))
    bed.wait(1)
    assert "Иванова" in repr(bed.binding.kept)
    bed.wait(24 * 60 + 1)
    assert "Иванова" not in repr(bed.binding.kept)
    assert begun(1, 0, "bed").course.person == Person()
