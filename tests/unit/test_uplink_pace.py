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


def test_on_a_silent_network_nobody_is_to_be_spared():
    backoff = Backoff(highest)
    assert [backoff.next_ns(unheard=True) / SECOND_NS for _ in range(6)] == [1, 2, 4, 8, 8, 8]
    assert backoff.next_ns() == 30 * SECOND_NS


def test_an_exhausted_backoff_waits_as_long_as_it_ever_does():
    backoff = Backoff(highest)
    backoff.exhaust()
    assert backoff.next_ns() == 30 * SECOND_NS


def test_the_window_is_what_the_link_carries_in_a_second_within_its_bounds():
    window = Window()
    assert window.limit_bytes == WINDOW_BYTES
    window.follow(4000.0)
    assert window.limit_bytes == WINDOW_BYTES
    window.follow(40_000.0)
    assert window.limit_bytes == 40_000
    window.follow(1e9)
    assert window.limit_bytes == WINDOW_LIMIT_BYTES


def test_a_window_that_follows_the_rate_opens_up_on_a_long_fat_link_and_not_on_a_thin_one():
    """The link carries a window in each round trip, or its own rate where that is less."""

    def settled(link_bytes_s: float, rtt_s: float) -> int:
        window, trip = Window(), RoundTrip()
        now = 0
        for _ in range(50):
            took_s = max(rtt_s, window.limit_bytes / link_bytes_s)
            now += int(took_s * SECOND_NS)
            trip.sample(int(took_s * SECOND_NS), window.limit_bytes, now)
            window.follow(trip.rate_bytes_s)
        return window.limit_bytes

    assert settled(590_000, 0.311) == WINDOW_LIMIT_BYTES
    assert 31_000 < settled(32_000, 0.65) < 33_000
    assert settled(4_000, 0.8) == WINDOW_BYTES


def test_the_best_rate_of_the_last_seconds_counts_and_is_forgotten():
    trip = RoundTrip()
    trip.sample(SECOND_NS, 50_000, 0)
    trip.sample(SECOND_NS, 1000, 3 * SECOND_NS)
    assert trip.rate_bytes_s == 50_000
    trip.sample(SECOND_NS, 1000, 5 * SECOND_NS)
    assert trip.rate_bytes_s == 50_000
    trip.sample(SECOND_NS, 1000, 9 * SECOND_NS)
    assert trip.rate_bytes_s == 1000
    trip.sample(SECOND_NS, 500, 60 * SECOND_NS)
    assert trip.rate_bytes_s == 500


def test_a_large_envelope_goes_alone():
    window = Window()
    assert window.admits(900_000, 0, 0)
    assert not window.admits(900_000, 1, 1)
    assert not window.admits(1, 900_000, 1)


def test_the_brokers_receive_maximum_caps_the_count():
    window = Window()
    window.receive_limit_count = 2
    assert window.admits(1, 1, 1)
    assert not window.admits(1, 2, 2)


def test_stall_is_eight_round_trips_between_twenty_and_forty_seconds_and_longer_for_a_large_envelope():
    trip = RoundTrip()
    least = 20 * SECOND_NS
    assert trip.stall_ns(least, WINDOW_BYTES) == 20 * SECOND_NS
    assert trip.stall_ns(least, WINDOW_BYTES + 1_000_000) == 2020 * SECOND_NS
    trip.sample(4 * SECOND_NS, 100, 0)
    assert trip.stall_ns(least, 0) == 32 * SECOND_NS
    trip.sample(20 * SECOND_NS, 100, 0)
    assert trip.stall_ns(least, 0) == 40 * SECOND_NS


def test_fetches_follow_the_rate_of_the_link():
    trip = RoundTrip()
    assert trip.fetch_bytes() == FETCH_LEAST_BYTES
    trip.sample(SECOND_NS, 25_000, 0)
    assert trip.fetch_bytes() == 100_000
    trip.sample(MS, 10_000_000, 0)
    assert trip.fetch_bytes() == FETCH_LIMIT_BYTES
