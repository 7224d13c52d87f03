"""Lanes, flight and rest: who goes next, who leaves, what is not backlog."""

from agent.uplink.lanes import AROUND_BYTES, Lane, Lanes, Parcel
from agent.uplink.recent import Flight, Recent, busy
from wire.topics import Class

KEY, VITAL, WAVE = Class
PATIENCE_NS = 30_000


def parcel(cls: Class, seq: int, lane: Lane = Lane.LIVE, size: int = 10, hour: int = 0) -> Parcel:
    return Parcel(lane, cls, 1, hour, seq, bytes(size))


def drain(lanes: Lanes) -> list[tuple[str, Class, int]]:
    out = []
    while lanes.head() is not None:
        taken = lanes.take()
        out.append((taken.lane.value, taken.cls, taken.seq))
    return out


def test_live_key_vital_wave_then_backfill_newest_hour_first():
    lanes = Lanes()
    lanes.refill(parcel(WAVE, seq, Lane.BACKFILL, hour=seq // 2) for seq in range(4))
    lanes.refill([parcel(VITAL, 9, Lane.BACKFILL), parcel(KEY, 9, Lane.BACKFILL)])
    for cls in (WAVE, VITAL, KEY):
        lanes.offer(parcel(cls, 50))
        lanes.offer(parcel(cls, 51))
    assert [seq for lane, _, seq in drain(lanes) if lane == "live"] == [50, 51] * 3
    assert (lanes.live_bytes, lanes.backfill_bytes) == (0, 0)


def test_backfill_is_sorted_across_fetches():
    lanes = Lanes()
    lanes.refill(parcel(WAVE, seq, Lane.BACKFILL, hour=seq // 2) for seq in range(4))
    lanes.refill([parcel(VITAL, 9, Lane.BACKFILL), parcel(KEY, 9, Lane.BACKFILL)])
    waves = [("backfill", WAVE, seq) for seq in (2, 3, 0, 1)]
    assert drain(lanes) == [("backfill", KEY, 9), ("backfill", VITAL, 9), *waves]


def test_over_the_limit_the_oldest_wave_leaves_first_and_a_key_last():
    lanes = Lanes(live_limit_bytes=40)
    for one in (parcel(KEY, 0), parcel(VITAL, 0), parcel(WAVE, 0), parcel(WAVE, 1)):
        assert lanes.offer(one) == []
    left = [lanes.offer(parcel(KEY, seq)) for seq in (1, 2, 3, 4)]
    assert [(one.cls, one.seq) for group in left for one in group] == [(WAVE, 0), (WAVE, 1), (VITAL, 0), (KEY, 0)]


def test_a_single_envelope_over_the_limit_stays_while_it_is_alone():
    lanes = Lanes(live_limit_bytes=40)
    assert lanes.offer(parcel(WAVE, 0, size=100)) == []
    assert [one.seq for one in lanes.offer(parcel(VITAL, 1))] == [0]


def test_parking_empties_everything_and_names_the_live_ones():
    lanes = Lanes()
    lanes.offer(parcel(VITAL, 1))
    lanes.refill([parcel(WAVE, 2, Lane.BACKFILL)])
    assert [one.seq for one in lanes.park()] == [1]
    assert lanes.head() is None
    assert (lanes.live_bytes, lanes.backfill_bytes) == (0, 0)


def test_what_was_sent_rests_and_is_backlog_again_after_patience():
    recent = Recent()
    recent.add(parcel(VITAL, 7), 0, PATIENCE_NS)
    assert busy(recent.merged(PATIENCE_NS - 1, PATIENCE_NS), [])(VITAL, 1, 7)
    assert not busy(recent.merged(PATIENCE_NS, PATIENCE_NS), [])(VITAL, 1, 7)


def test_rest_ends_at_most_an_eighth_late():
    recent = Recent()
    for now in range(0, 2 * PATIENCE_NS, 1000):
        recent.add(parcel(WAVE, now // 1000), now, PATIENCE_NS)
    resting = recent.merged(2 * PATIENCE_NS, PATIENCE_NS)[WAVE, 1]
    assert resting.covers(31, 59)
    assert 30 - 4 <= next(iter(resting))[0] <= 31


def test_rest_is_bounded_and_cutting_it_short_is_counted():
    recent = Recent(runs_limit_count=100)
    for number in range(1000):
        recent.add(parcel(WAVE, 2 * number), number * 20, PATIENCE_NS)
    resting = recent.merged(20_000, PATIENCE_NS)
    assert resting[WAVE, 1].runs <= 300
    assert recent.cut_short + len(resting[WAVE, 1]) == 1000


def test_busy_is_frozen_at_its_moment():
    recent = Recent()
    recent.add(parcel(WAVE, 1), 0, PATIENCE_NS)
    then = busy(recent.merged(0, PATIENCE_NS), [parcel(WAVE, 2)])
    recent.add(parcel(WAVE, 3), 0, PATIENCE_NS)
    assert [then(WAVE, 1, seq) for seq in (1, 2, 3)] == [True, True, False]
    assert not then(WAVE, 2, 1)


def test_flight_counts_what_the_wire_carries_and_answers_once():
    flight = Flight()
    flight.add(1, parcel(VITAL, 1, size=100), 5)
    flight.add(2, parcel(WAVE, 2, Lane.BACKFILL, size=1000), 6)
    assert flight.outstanding_bytes == 1100 + 2 * AROUND_BYTES
    assert (flight.oldest_ns(), flight.largest_bytes()) == (5, 1000)
    assert flight.land(1) == (parcel(VITAL, 1, size=100), 5, 100 + AROUND_BYTES)
    assert flight.land(1) is None
    assert (flight.outstanding_bytes, flight.oldest_ns()) == (1000 + AROUND_BYTES, 6)
    assert [one.seq for one in flight.lose()] == [2]
    assert (flight.outstanding_bytes, len(flight), flight.oldest_ns()) == (0, 0, None)


def test_what_landed_during_a_trip_counts_and_what_landed_before_does_not():
    flight = Flight()
    flight.add(1, parcel(WAVE, 1, size=1000), 0)
    flight.land(1)
    flight.add(2, parcel(WAVE, 2, size=2000), 1)
    flight.add(3, parcel(WAVE, 3, size=3000), 1)
    flight.land(2)
    assert flight.land(3) == (parcel(WAVE, 3, size=3000), 1, 5000 + 2 * AROUND_BYTES)
