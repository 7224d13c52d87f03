"""The ledger: what came, twice, or not at all."""

from __future__ import annotations

from centre.ledger import RECEIPT_EPOCHS_LIMIT_COUNT, RECEIPT_RANGES_LIMIT_COUNT, SEQ_LAST, Ledger, Place, Summary
from wire.receipt import Held
from wire.topics import Class

START, OTHER = b"a start.", b"another."
VITAL = Place("gw", 1, Class.VITAL)


def begun(epochs: int) -> Ledger:
    ledger = Ledger()
    for epoch in range(epochs):
        ledger.begin("gw", epoch, START)
    return ledger


def held(*seqs: int) -> Ledger:
    ledger = begun(2)
    for seq in seqs:
        ledger.hold(VITAL, seq)
    return ledger


def test_a_hole_is_missing_until_it_comes() -> None:
    ledger = held(0, 1, 4)
    assert ledger.missing(VITAL) == [(2, 3)]
    ledger.hold(VITAL, 2, 3)
    assert ledger.missing(VITAL) == []


def test_a_declared_hole_is_lost_not_missing() -> None:
    ledger = held(0, 4)
    ledger.declare(VITAL, 1, 2)
    assert ledger.missing(VITAL) == [(3, 3)]
    assert ledger.summary("gw") == Summary(held=2, missing=1, lost=2)


def test_what_was_declared_lost_and_came_is_held() -> None:
    ledger = held(0, 3)
    ledger.declare(VITAL, 1, 2)
    ledger.hold(VITAL, 1)
    assert ledger.summary("gw") == Summary(held=3, missing=0, lost=1)


def test_the_end_of_an_epoch_shows_a_tail_that_never_came() -> None:
    ledger = held(0, 1)
    ledger.follow(VITAL, 5)
    assert ledger.missing(VITAL) == [(2, 4)]


def test_what_was_sealed_after_the_end_of_its_epoch_is_lost_not_missing() -> None:
    """The manifest was durable before the power cut, and the envelopes that it lists were not."""
    for ended_first in (True, False):
        ledger = held(0, 1)
        for step in (1, 2) if ended_first else (2, 1):
            if step == 1:
                ledger.follow(VITAL, 2)
                ledger.declare(VITAL, 2, SEQ_LAST)
            else:
                ledger.follow(VITAL, 5)
        assert ledger.missing(VITAL) == []
        assert ledger.summary("gw") == Summary(held=2, missing=0, lost=3)
        ledger.hold(VITAL, 3)  # it had gone live
        assert ledger.summary("gw") == Summary(held=3, missing=0, lost=2)


def test_a_manifest_that_tells_less_than_came_changes_nothing() -> None:
    ledger = held(0, 1, 2)
    ledger.follow(VITAL, 1)
    ledger.hold(VITAL, 4)
    assert ledger.missing(VITAL) == [(3, 3)]


def test_nothing_is_missing_of_what_nobody_knows() -> None:
    ledger = Ledger()
    assert ledger.missing(VITAL) == []
    assert ledger.summary("gw") == Summary()
    assert ledger.receipt("gw") == []


def test_copies_are_counted() -> None:
    ledger = held(0)
    ledger.repeat(VITAL, 3)
    assert ledger.summary("gw") == Summary(held=1, duplicates=3)


def test_a_gap_statement_alone_is_no_epoch_held() -> None:
    ledger = Ledger()
    ledger.declare(VITAL, 0, 9)
    assert ledger.epochs("gw") == []
    assert ledger.receipt("gw") == []


def test_a_receipt_names_the_newest_epochs_and_the_lowest_ranges() -> None:
    ledger = begun(RECEIPT_EPOCHS_LIMIT_COUNT + 4)
    for epoch in range(RECEIPT_EPOCHS_LIMIT_COUNT + 4):
        ledger.hold(Place("gw", epoch, Class.WAVE), 0)
    newest = RECEIPT_EPOCHS_LIMIT_COUNT + 3
    for seq in range(2, 2 * RECEIPT_RANGES_LIMIT_COUNT + 20, 2):
        ledger.hold(Place("gw", newest, Class.WAVE), seq)
    receipt = ledger.receipt("gw")
    assert [said.epoch for said in receipt] == list(range(4, newest + 1))
    assert receipt[0] == Held(4, START, 2, [(0, 0)])
    assert receipt[-1].ranges == [(2 * i, 2 * i) for i in range(RECEIPT_RANGES_LIMIT_COUNT)]


def test_what_was_not_named_is_named_once_it_comes_again() -> None:
    ledger = begun(RECEIPT_EPOCHS_LIMIT_COUNT + 4)
    for epoch in range(RECEIPT_EPOCHS_LIMIT_COUNT + 4):
        ledger.hold(Place("gw", epoch, Class.WAVE), 0)
    ledger.repeat(Place("gw", 1, Class.WAVE))
    named = [said.epoch for said in ledger.receipt("gw")]
    assert 1 in named
    assert len(named) == RECEIPT_EPOCHS_LIMIT_COUNT


def test_every_range_has_its_turn() -> None:
    """A hundred numbers that never come (each a loss of its own) must not keep what came above them unheld."""
    ledger = held(*range(0, 200, 2))
    first, second = (ledger.receipt("gw")[0].ranges for _ in range(2))
    assert len(first) == len(second) == RECEIPT_RANGES_LIMIT_COUNT
    assert {seq for seq, _ in first + second} == set(range(0, 200, 2))


def test_what_another_start_sealed_under_the_same_number_is_told_under_its_own_name() -> None:
    ledger = held(0, 1, 2)
    ledger.begin("gw", 1, OTHER)
    assert ledger.newest_start("gw").name == START
    ledger.set_apart(VITAL, OTHER, 0)
    assert ledger.newest_start("gw").name == OTHER, "of which something came last"
    ledger.set_apart(VITAL, OTHER, 7)
    assert ledger.start("gw", 1) == START, "the first has the epoch"
    assert ledger.receipt("gw") == [Held(1, START, 1, [(0, 2)]), Held(1, OTHER, 1, [(0, 0), (7, 7)])]
    assert ledger.missing(VITAL) == [], "the numbers of one start are no holes of another"
    assert ledger.summary("gw") == Summary(held=3)


def test_epochs_of_both_kinds_share_the_room_of_a_receipt_and_have_their_turns() -> None:
    ledger = begun(RECEIPT_EPOCHS_LIMIT_COUNT)
    for epoch in range(RECEIPT_EPOCHS_LIMIT_COUNT):
        ledger.hold(Place("gw", epoch, Class.WAVE), 0)
        ledger.set_apart(Place("gw", epoch, Class.WAVE), OTHER, 0)
    told = ledger.receipt("gw")
    assert len(told) == RECEIPT_EPOCHS_LIMIT_COUNT
    ledger.repeat(Place("gw", 0, Class.WAVE))
    ledger.set_apart(Place("gw", 1, Class.WAVE), OTHER, 0)
    named = {(one.epoch, one.start) for one in ledger.receipt("gw")}
    assert {(0, START), (1, OTHER)} <= named
    assert len(named) == RECEIPT_EPOCHS_LIMIT_COUNT
