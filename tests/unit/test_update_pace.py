"""Behind live data: when an update is fetched, how fast, and when the machine starts again."""

from agent.update.pace import (
    BACKLOG_LIMIT_BYTES,
    LEAST_BYTES_S,
    PATIENCE_S,
    PIECE_LEAST_BYTES,
    PIECE_LIMIT_BYTES,
    Live,
    Pace,
    may_restart,
    why_not,
)

WELL = Live(is_connected=True, waiting_bytes=0, live_left=0, round_trip_s=0.05)


def test_the_backlog_goes_first_unless_it_is_urgent() -> None:
    waits = Live(is_connected=True, waiting_bytes=BACKLOG_LIMIT_BYTES + 1, live_left=0, round_trip_s=0.05)
    lost = Live(is_connected=False, waiting_bytes=0, live_left=0, round_trip_s=None)
    assert why_not(WELL, is_urgent=False) == why_not(None, is_urgent=False) == ""
    assert "wait to be delivered" in why_not(waits, is_urgent=False)
    assert "no link" in why_not(lost, is_urgent=False)
    assert why_not(waits, is_urgent=True) == why_not(lost, is_urgent=True) == ""


def test_it_grows_while_live_data_does_not_mind_and_halves_as_soon_as_it_does() -> None:
    pace = Pace()
    for _ in range(100):
        pace.look(WELL)
    assert pace.bytes_s == 1 << 20
    assert pace.piece_bytes == PIECE_LIMIT_BYTES
    pace.look(Live(True, 0, live_left=1, round_trip_s=0.05))
    assert pace.bytes_s == 1 << 19
    pace.look(Live(True, 0, live_left=1, round_trip_s=0.9))
    assert pace.bytes_s == 1 << 18
    for _ in range(30):
        pace.look(Live(True, 0, live_left=1, round_trip_s=3))
    assert pace.bytes_s == LEAST_BYTES_S
    assert pace.piece_bytes == PIECE_LEAST_BYTES


def test_the_link_is_left_alone_between_pieces() -> None:
    pace = Pace(limit_bytes_s=4096)
    assert pace.rest_s(4096, 0.25) == 0.75
    assert pace.rest_s(4096, 3) == 0


def test_nobody_who_is_measured_is_interrupted_for_a_day() -> None:
    measured = Live(True, 0, 0, 0.05, heard_s=1.0)
    assert not may_restart(measured, 0, is_urgent=False)
    assert not may_restart(measured, PATIENCE_S - 1, is_urgent=False)
    assert may_restart(measured, PATIENCE_S, is_urgent=False)
    assert may_restart(measured, 3600, is_urgent=True)
    assert may_restart(WELL, 0, is_urgent=False)
    assert may_restart(Live(True, 0, 0, 0.05, heard_s=601), 0, is_urgent=False)
    assert may_restart(None, 0, is_urgent=False)
