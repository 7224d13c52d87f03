"""The health gate: what a new system must show to stay."""

from agent.update.gate import Gate, Seen


def looked(gate: Gate, seen: Seen | None, *seconds: float) -> str:
    return [gate.look(seen, second) for second in seconds][-1]


def test_captured_and_delivered_is_well_at_once() -> None:
    gate = Gate(0)
    assert looked(gate, None, 1, 2) == ""
    assert looked(gate, Seen(7, frames=0, held=3, commits=2), 10) == "", "delivered, but nothing was captured"
    assert looked(gate, Seen(7, frames=1, held=3, commits=4), 11) == "good"


def test_stored_for_five_minutes_is_well() -> None:
    gate = Gate(0)
    for second in range(10, 310):
        assert gate.look(Seen(7, frames=0, held=0, commits=second), second) == ""
    assert gate.look(Seen(7, frames=0, held=0, commits=310), 310) == "good"


def test_a_store_that_stands_still_is_not_well() -> None:
    gate = Gate(0)
    assert [gate.look(Seen(7, frames=5, held=0, commits=3), second) for second in range(0, 900, 5)] == [""] * 180
    assert gate.look(Seen(7, frames=5, held=0, commits=3), 900) == "nothing was delivered, and not enough was stored"


def test_a_disk_that_refuses_is_not_well_though_it_delivers() -> None:
    gate = Gate(0)
    seen = Seen(7, frames=5, held=5, commits=3, problem="the disk refused a commit")
    assert looked(gate, seen, 10, 899) == ""
    assert gate.look(seen, 900) == "storage: the disk refused a commit"


def test_a_new_start_begins_the_five_minutes_anew() -> None:
    gate = Gate(0)
    for second in range(0, 290):
        gate.look(Seen(7, 0, 0, second), second)
    for second in range(290, 580):
        assert gate.look(Seen(8, 0, 0, second), second) == ""
    assert gate.look(Seen(8, 0, 0, 600), 590) == "good"


def test_who_starts_again_and_again_is_not_well() -> None:
    gate = Gate(0)
    verdicts = [gate.look(Seen(epoch, 0, 0, 1), epoch) for epoch in range(1, 7)]
    assert verdicts == ["", "", "", "", "", "the gateway started 6 times"]


def test_silence_is_not_well() -> None:
    assert looked(Gate(0), None, 0, 299) == ""
    assert looked(Gate(0), None, 300) == "the gateway says nothing"
    stopped = Seen(7, 1, 1, 1, is_fresh=False)
    assert looked(Gate(0), stopped, 0, 900) == "the gateway has stopped"
