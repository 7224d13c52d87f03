"""A few deaths of the campaign (tests/crash/kills.py), and its books, which must be able to disagree."""

import json
from decimal import Decimal

import numpy as np
import pytest

from tests.crash import kills
from tests.crash.account import ROWS, SHIFTS, Said, Tally, check_numbers, check_numerics
from tests.crash.feeder import Feeder, number_index
from tests.crash.holes import Death
from wire import codec
from wire.records import Block, NumericAt

STREAMS = {0: "spo2.perf_index", 1: "pleth", 2: "spo2.bar", 3: "spo2.signal"}
SHIFT = dict(zip(ROWS, SHIFTS, strict=True))
MASK = {"spo2.signal": 15, "pleth": 127, "spo2.bar": 15}


def said(numbers, t: int = 1) -> Said:
    """An epoch that heard these numbers."""
    rows = np.array([[n >> SHIFT[STREAMS[s]] & MASK[STREAMS[s]] for n in numbers] for s in (1, 2, 3)], np.int32)
    out = Said(dict(STREAMS))
    out.blocks.append(Block(t, 1, 3, 0, len(numbers), codec.encode(rows)))
    out.numerics += [NumericAt(t, 0, Decimal(i).scaleb(-2)) for i in sorted({number_index(n) for n in numbers})]
    return out


@pytest.mark.parametrize(
    ("epochs", "faults"),
    [
        ([range(50), range(50, 100)], {}),
        ([range(50), range(51, 100)], {"samples_lost": 1}),
        ([range(50), range(49, 100)], {"samples_doubled": 1}),
        ([range(50, 100), range(50)], {"disordered": 1}),
        ([range(48), range(64, 100)], {"samples_lost": 16, "numerics_lost": 1}),
    ],
)
def test_the_books_see_what_is_lost_doubled_or_out_of_order(epochs, faults) -> None:
    tally = Tally()
    books = {number: said(list(numbers), t=number) for number, numbers in enumerate(epochs)}
    check_numbers(books, list(range(100)), tally)
    check_numerics(books, list(range(100)), tally)
    assert tally.faults() == faults


@pytest.mark.parametrize(
    ("hole", "deaths", "in_hand", "lost"),
    [
        ((300, 360), [], 0, 60),
        ((300, 360), [Death(365, 10)], 60, 0),
        ((300, 360), [Death(299, 10)], 0, 60),  # it ends after the death
        ((300, 360), [Death(400, 10)], 0, 60),  # the kernel held less than what came between
        ((300, 900), [Death(900, 10)], 0, 600),  # more than a read
        ((300, 900), [Death(700, 10), Death(900, 10)], 600, 0),
        ((300, 360), [Death(330, 10)], 0, 60),  # half of it came after
    ],
)
def test_the_books_excuse_one_read_for_each_kill_and_no_more(hole, deaths, in_hand, lost) -> None:
    tally = Tally()
    written = list(range(1000))
    due = check_numbers({1: said(written[: hole[0]] + written[hole[1] :])}, written, tally, deaths)
    assert (tally.in_hand, tally.samples_lost) == (in_hand, lost)
    assert len(due) == 1000 - in_hand
    check_numerics({1: said(due)}, due, tally)


def test_the_books_see_a_reading_that_two_epochs_tell() -> None:
    tally = Tally()
    check_numerics({1: said(range(32), t=5), 2: said(range(32), t=5)}, list(range(32)), tally)
    assert tally.faults() == {"numerics_doubled": 2}


def test_the_feeder_knows_what_the_line_did_not_take(tmp_path) -> None:
    feeder = Feeder(tmp_path / "line")
    feeder.feed(10_000)
    assert len(feeder.written) + feeder.overrun == 10_000
    assert 400 < len(feeder.written) < 10_000
    feeder.feed(5)
    assert feeder.overrun + len(feeder.written) == 10_005
    feeder.close()


def test_gateways_that_are_killed_at_any_instant_lose_nothing_and_double_nothing(tmp_path) -> None:
    out = tmp_path / "kills.jsonl"
    words = ["--kills", "10", "--jobs", "1", "--seed", "3", "--settle-lives", "48", "--exec-lives", "3"]
    assert kills.main([*words, "--out", str(out)]) == 0
    line = json.loads(out.read_text())
    assert line["kills"] == 10
    assert line["execs"] >= 3
    assert line["accepted"] > 10
    assert line["samples"] > 500
    assert not any(line[fault] for fault in kills.FAULTS)
