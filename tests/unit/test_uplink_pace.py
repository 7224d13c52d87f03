"""Pace: backoff, window, stall and fetch sizes."""

from agent.uplink.pace import (
    FETCH_LEAST_BYTES,
    FETCH_LIMIT_BYTES,
    SECOND_NS,
    WINDOW_BYTES,
    WINDOW_LIMIT_BYTES,
    Backoff,
    RoundTrip,
    Window,
)

MS = 1_000_000


def highest(_low: float, high: float) -> float:
    return high


def test_backoff_doubles_to_half_a_minute_and_progress_resets_it():
    backoff = Backoff(highest)
    waits = [backoff.next_ns() / SECOND_NS for _ in range(9)]
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30, 30]
    backoff.progress()
    assert backoff.next_ns() == SECOND_NS


def test_backoff_never_waits_less_than_half_a_second():
    backoff = Backoff(lambda low, _high: low)
    assert {backoff.next_ns() for _ in range(9)} == {SECOND_NS // 2}


def test_an_exhausted_backoff_waits_as_long_as_it_ever_does():
    backoff = Backoff(highest)
    backoff.exhaust()
    assert backoff.next_ns() == 30 * SECOND_NS


def test_the_window_grows_on_a_fast_link_and_one_slow_answer_takes_it_back():
    window = Window()
    for _ in range(100):
        window.acknowledged(4000, 5 * MS)
    assert window.limit_bytes == WINDOW_LIMIT_BYTES
    window.acknowledged(4000, 50 * MS)
    assert window.limit_bytes == WINDOW_BYTES


def test_no_answer_takes_the_window_back_too():
    window = Window()
    window.acknowledged(20_000, MS)
    window.waited(49 * MS)
    assert window.limit_bytes == WINDOW_BYTES + 20_000
    window.waited(50 * MS)
    assert window.limit_bytes == WINDOW_BYTES


def test_live_alone_never_holds_more_than_the_small_window():
    window = Window()
    for _ in range(100):
        window.acknowledged(4000, MS)
    assert window.admits_live(2000, 10_000, 30_000, 9)
    assert not window.admits_live(2001, 10_000, 30_000, 9)
    assert window.admits(2001, 30_000, 9)


def test_a_large_envelope_goes_alone():
    window = Window()
    assert window.admits(900_000, 0, 0)
    assert window.admits_live(900_000, 0, 0, 0)
    assert not window.admits(900_000, 1, 1)
    assert not window.admits(1, 900_000, 1)


def test_the_brokers_receive_maximum_caps_the_count():
    window = Window()
    window.receive_limit_count = 2
    assert window.admits(1, 1, 1)
    assert not window.admits(1, 2, 2)


def test_stall_is_twenty_seconds_or_eight_round_trips_and_longer_for_a_large_envelope():
    trip = RoundTrip()
    assert trip.stall_ns(20 * SECOND_NS, 12_000) == 20 * SECOND_NS
    assert trip.stall_ns(20 * SECOND_NS, 1_012_000) == 2020 * SECOND_NS
    trip.sample(5 * SECOND_NS, 100)
    assert trip.stall_ns(20 * SECOND_NS, 0) == 40 * SECOND_NS


def test_fetches_follow_the_rate_of_the_link():
    trip = RoundTrip()
    assert trip.fetch_bytes() == FETCH_LEAST_BYTES
    for _ in range(20):
        trip.sample(MS, 25_000)
        trip.tick(SECOND_NS)
    assert 99_000 < trip.fetch_bytes() <= 100_000
    trip.tick(SECOND_NS)  # idle: says nothing
    assert trip.fetch_bytes() > 99_000
    trip.sample(MS, 10_000_000)
    trip.tick(SECOND_NS)
    assert trip.fetch_bytes() == FETCH_LIMIT_BYTES
