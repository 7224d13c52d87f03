"""The ladder: lowest first, never over a rung that must rest, and the lowest again once a device was heard."""

from __future__ import annotations

import itertools

from agent.ports.radio.ladder import AFTER_S, DISTURB_REST_S, REST_S, SECOND_NS, Ladder, Rung

ALL = tuple(Rung)


def climbed(ladder: Ladder, seconds: range, rungs: tuple[Rung, ...] = ALL, disturbs: bool = False) -> list[Rung | None]:
    return [ladder.failed("a", second * SECOND_NS, rungs, 1, disturbs) for second in seconds]


def test_rungs_are_taken_in_order_each_after_its_time() -> None:
    taken = climbed(Ladder(), range(0, 200, 5))
    firsts = {rung: taken.index(rung) * 5 for rung in Rung}
    assert list(firsts) == sorted(firsts, key=firsts.__getitem__)
    assert all(firsts[rung] >= AFTER_S[rung] for rung in Rung)


def test_two_failures_make_a_rung() -> None:
    ladder = Ladder()
    assert [ladder.failed("a", second * SECOND_NS, ALL) for second in range(4)] == [
        None,
        Rung.RESCAN,
        None,
        Rung.FORGET,
    ]


def test_what_was_heard_is_over() -> None:
    ladder = Ladder()
    climbed(ladder, range(0, 20, 5))
    ladder.good("a")
    assert climbed(ladder, range(20, 21)) == [Rung.RESCAN]


def test_no_rung_is_taken_again_before_it_rested() -> None:
    ladder, last = Ladder(), {}
    for second in range(0, 10_000, 7):
        if second % 700 == 0:
            ladder.good("a")
        rung = ladder.failed("a", second * SECOND_NS, ALL, 1)
        assert rung is not None
        assert second - last.get(rung, -(10**9)) >= REST_S[rung]
        last[rung] = second
    assert sum(ladder.taken.values()) == len(range(0, 10_000, 7))


def test_others_that_are_heard_are_disturbed_rarely() -> None:
    taken = climbed(Ladder(), range(0, 7200, 5), disturbs=True)
    powers = [at * 5 for at, rung in enumerate(taken) if rung is Rung.POWER]
    assert powers
    assert all(later - earlier >= DISTURB_REST_S for earlier, later in itertools.pairwise(powers))


def test_only_what_is_allowed_is_taken() -> None:
    quiet = (Rung.RESCAN, Rung.POWER)
    assert set(climbed(Ladder(), range(0, 3600, 5), quiet)) == set(quiet)


def test_another_device_that_is_heard_proves_nothing() -> None:
    ladder = Ladder()
    taken = []
    for second in range(0, 100, 5):
        ladder.good("b")
        taken.append(ladder.failed("a", second * SECOND_NS, ALL, 1))
    assert Rung.POWER in taken
