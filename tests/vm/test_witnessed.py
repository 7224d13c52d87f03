"""The judge of the power cuts, tried without a guest."""

from __future__ import annotations

import random

from tests.vm.cuts import plan
from tests.vm.witnessed import Witnessed


def of(*lives: bytes) -> Witnessed:
    witnessed = Witnessed()
    for said in lives:
        witnessed.began()
        witnessed.hear(said)
    return witnessed


def test_what_was_kept_and_is_there_is_well() -> None:
    seen = of(b"kept 1 0 0 aa 1 2 0 bb\r\n", b"there 1 0 0 aa\r\nthere 1 2 0 bb\r\nlooked\r\nup\r\n")
    assert (len(seen.accepted), seen.lost, seen.altered, seen.counts["up"]) == (2, set(), set(), 1)


def test_what_was_kept_and_is_not_there_is_lost_at_any_later_start() -> None:
    there = b"there 1 0 0 aa\r\nlooked\r\n"
    assert of(b"kept 1 0 0 aa 1 0 1 bb\r\n", there).lost == {(1, 0, 1)}
    assert of(b"kept 1 0 0 aa\r\n", there, b"looked\r\n").lost == {(1, 0, 0)}


def test_other_bytes_under_a_name_are_seen() -> None:
    assert of(b"kept 1 0 0 aa\r\n", b"there 1 0 0 ab\r\nlooked\r\n").altered == {(1, 0, 0)}


def test_half_a_line_was_not_said_and_half_a_look_is_none() -> None:
    seen = of(b"kept 1 0 0 aa\r\nkept 1 0 1 b", b"there 1 0 0 aa\r\nloo", b"there 1 0 0 aa\r\nlooked\r\n")
    assert (set(seen.accepted), seen.lost) == ({(1, 0, 0)}, set())


def test_cuts_come_in_all_phases_and_early_ones_within_the_boot() -> None:
    plans = [plan(random.Random(seed), 6.0) for seed in range(200)]
    assert {one.kind for one in plans} == {"boot", "opening", "commit", "later"}
    assert all(0.2 <= one.after_s <= 6.0 for one in plans if one.kind == "boot")
