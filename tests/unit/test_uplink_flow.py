"""Flow: the uplink's decisions on a fake clock, with a broker that is a list."""

from dataclasses import dataclass

import pytest

from agent.uplink.account import UNHEARD
from agent.uplink.flow import Flow, Limits
from agent.uplink.lanes import AROUND_BYTES, Lane, Parcel
from agent.uplink.pace import SECOND_NS, UNSENT_LEAST_BYTES, WINDOW_BYTES, Terms
from wire.receipt import Held
from wire.topics import Class

S, MS = SECOND_NS, 1_000_000


def live(seq: int, cls: Class = Class.VITAL, size: int = 1000) -> Parcel:
    return Parcel(Lane.LIVE, cls, 1, 0, seq, bytes(size))


@dataclass
class Stored:
    seq: int
    data: bytes = bytes(4000)
    cls: int = Class.WAVE
    epoch: int = 1
    hour: int = 0


class Bench:
    """A flow, a clock, and what was handed over and waits for an answer."""

    def __init__(self, terms: Terms | None = None) -> None:
        self.flow = Flow(Limits())
        self.now = 0
        self.unsent = 0
        self.sent: list[Parcel] = []
        self.flow.up(terms or Terms(), 0)

    def publish(self, parcel: Parcel) -> int:
        self.sent.append(parcel)
        return len(self.sent)

    def step(self, after_ns: int = 0) -> list[int]:
        self.now += after_ns
        before = len(self.sent)
        while self.flow.step(self.now, self.publish, lambda: self.unsent):
            continue
        return [parcel.seq for parcel in self.sent[before:]]

    def answer(self, mid: int, failure: str | None = None) -> Parcel | None:
        return self.flow.settle(mid, failure, self.now)

    def skips(self, seq: int, cls: Class = Class.VITAL) -> bool:
        return self.flow.busy(self.now)(cls, 1, seq)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_backfill_never_passes_a_live_one_that_waits_for_room(bench):
    bench.flow.refill([Stored(seq, bytes(WINDOW_BYTES // 3 - AROUND_BYTES)) for seq in range(10)], 0)
    assert bench.step() == [0, 1, 2]
    bench.flow.offer(live(100, size=WINDOW_BYTES // 2), 0)
    bench.now = S
    bench.answer(1)
    assert bench.step() == []
    bench.answer(2)
    assert bench.step() == [100]
    bench.answer(3)
    assert bench.step()[0] == 3


@pytest.mark.parametrize("how_far", ["fetched", "on its way", "sent"])
def test_what_the_backlog_gave_before_it_was_offered_goes_once(bench, how_far):
    """An envelope is durable before it is offered, so a fetch may come in between."""
    bench.flow.refill([Stored(7), Stored(8)], 0)
    if how_far != "fetched":
        assert bench.step() == [7, 8]
    if how_far == "sent":
        bench.answer(1)
        bench.answer(2)
    bench.flow.offer(live(8, Class.WAVE), 0)
    assert bench.step() == ([8, 7] if how_far == "fetched" else [])
    assert [parcel.seq for parcel in bench.sent].count(8) == 1


def test_what_opens_the_present_hour_goes_first_on_every_connection_until_the_broker_has_it(bench):
    bench.flow.down(0)
    for hour in (0, 1):
        bench.flow.offer(Parcel(Lane.LIVE, Class.KEY, 1, hour, 2 * hour, b"grant"), 0)
        bench.flow.offer(Parcel(Lane.LIVE, Class.KEY, 1, hour, 2 * hour + 1, b"manifest"), 0)
    for _ in range(2):
        bench.flow.up(Terms(), 0)
        bench.flow.offer(live(7), 0)
        assert bench.step() == [2, 7]
        assert bench.skips(2, Class.KEY), "the backlog does not send it too"
        bench.flow.down(0)
    bench.flow.up(Terms(), 0)
    assert bench.step() == [2]
    bench.answer(len(bench.sent))
    bench.flow.down(0)
    bench.flow.up(Terms(), 0)
    assert bench.step() == []


def test_backfill_waits_while_the_kernel_has_bytes_to_send_and_live_does_not(bench):
    bench.flow.refill([Stored(seq, bytes(1000)) for seq in range(10)], 0)
    bench.unsent = UNSENT_LEAST_BYTES
    assert bench.step() == []
    bench.flow.offer(live(100), 0)
    assert bench.step() == [100]
    bench.unsent = UNSENT_LEAST_BYTES - 1
    bench.flow.step(0, bench.publish, lambda: bench.unsent)
    assert [parcel.seq for parcel in bench.sent[1:]] == [0], "one is enough to keep the link busy"


def test_never_more_than_the_window_is_outstanding(bench):
    bench.flow.refill([Stored(seq, bytes(700)) for seq in range(200)], 0)
    mid = 0
    while len(bench.sent) < 200:
        bench.step()
        assert 0 < bench.flow.outstanding_bytes <= WINDOW_BYTES
        bench.now += 200 * MS
        mid += 1
        bench.answer(mid)


def test_a_lost_link_makes_everything_backlog_again(bench):
    for seq in range(20):
        bench.flow.offer(live(seq), 0)
    bench.step()
    bench.answer(1)
    assert all(bench.skips(seq) for seq in range(20))
    bench.flow.down(0)
    assert [seq for seq in range(20) if bench.skips(seq)] == [0]
    assert bench.flow.account.unanswered == len(bench.sent) - 1 > 1
    assert bench.flow.account.live_left == 19 - bench.flow.account.unanswered


def test_offers_while_down_are_left_to_the_backlog_and_counted(bench):
    bench.flow.down(0)
    bench.flow.offer(live(1), 0)
    assert bench.flow.account.live_left == 1
    bench.flow.up(Terms(), S)
    assert bench.step() == []
    assert bench.flow.wants_backlog(S)


def test_sent_and_not_held_is_backlog_after_patience(bench):
    bench.flow.offer(live(1), 0)
    bench.step()
    assert bench.answer(1) is not None
    bench.now = 30 * S - 1
    assert bench.skips(1)
    bench.now = 30 * S
    assert not bench.skips(1)


def test_a_refused_envelope_rests_and_is_counted_by_reason(bench):
    for seq in range(3):
        bench.flow.offer(live(seq), 0)
    bench.step()
    assert [bench.answer(mid, "Not authorized") for mid in (1, 2)] == [None, None]
    assert bench.flow.complaint == ""
    bench.answer(3, "Quota exceeded")
    assert bench.flow.account.refused == {"Not authorized": 2, "Quota exceeded": 1}
    assert bench.flow.complaint == "Quota exceeded"
    assert bench.skips(0)
    bench.flow.offer(live(9), 0)
    bench.step()
    bench.answer(4)
    assert bench.flow.complaint == ""


def test_an_envelope_over_the_brokers_packet_limit_is_never_sent():
    bench = Bench(Terms(packet_limit_bytes=2000))
    bench.flow.offer(live(1, size=1900), 0)
    bench.flow.offer(live(2), 0)
    assert bench.step() == [2]
    assert bench.flow.account.refused == {"oversize": 1}
    assert bench.skips(1)


def test_what_is_in_flight_each_time_the_link_breaks_rests_and_others_pass(bench):
    for _ in range(3):
        assert not bench.skips(1)
        bench.flow.offer(live(1), 0)
        bench.step()
        bench.flow.down(bench.now)
        bench.flow.up(Terms(), bench.now)
    assert bench.skips(1)
    assert bench.flow.account.refused == {"link-broke": 1}


def test_a_packet_put_aside_takes_a_place_of_the_receive_maximum():
    bench = Bench(Terms(receive_limit_count=1))
    bench.flow.aside(77, 0)
    bench.flow.offer(live(1), 0)
    assert bench.step() == []
    bench.answer(77)
    assert bench.step() == [1]


def test_stalled_means_silence_with_something_outstanding(bench):
    assert not bench.flow.stalled(1000 * S)
    bench.now = 1000 * S
    bench.flow.offer(live(1), bench.now)
    bench.flow.offer(live(2), bench.now)
    bench.step()
    assert not bench.flow.stalled(1020 * S - 1)
    assert bench.flow.stalled(1020 * S)
    bench.now = 1010 * S
    bench.answer(1)
    assert not bench.flow.stalled(1020 * S)
    assert bench.flow.stalled(1010 * S + 8 * 10 * S)


def test_the_backlog_is_looked_at_when_low_and_rarely_when_empty(bench):
    assert bench.flow.wants_backlog(0)
    bench.flow.refill([Stored(seq) for seq in range(5)], 0)
    assert not bench.flow.wants_backlog(0)
    bench.step()
    assert bench.flow.wants_backlog(0)
    bench.flow.refill([Stored(0)], 0)  # in flight already: nothing fresh
    assert not bench.flow.wants_backlog(5 * S - 1)
    assert bench.flow.wants_backlog(5 * S)


def test_what_is_held_meanwhile_leaves_the_lane(bench):
    bench.flow.refill([Stored(seq) for seq in range(6)], 0)
    bench.step()
    bench.flow.held(Held(1, Class.WAVE, [(0, 4)]), 0)
    for mid in (1, 2, 3):
        bench.answer(mid)
    assert bench.step() == [5]


def test_stopping_drops_backfill_and_lets_live_go(bench):
    bench.flow.refill([Stored(1)], 0)
    bench.flow.offer(live(2), 0)
    bench.flow.stop()
    bench.flow.offer(live(3), 0)
    assert bench.step() == [2]
    assert not bench.flow.is_empty
    bench.answer(1)
    assert bench.flow.is_empty
    assert bench.flow.account.live_left == 1


def test_a_presence_that_is_never_acknowledged_ends_the_link_too():
    """With a Receive Maximum of 1 it keeps everything else waiting, and nothing else would ever notice."""
    bench = Bench(Terms(receive_limit_count=1))
    bench.flow.aside(77, 0)
    bench.flow.offer(live(0), 0)
    assert bench.step() == []
    assert not bench.flow.stalled(20 * S - 1)
    assert bench.flow.stalled(20 * S)
    bench.answer(77)
    assert not bench.flow.stalled(20 * S)


def test_of_a_class_that_nobody_subscribes_to_one_is_tried_after_each_patience(bench):
    bench.flow.refill([Stored(seq, bytes(1000)) for seq in range(10)], 0)
    assert bench.step() == list(range(10))
    for mid in range(1, 11):
        bench.answer(mid, UNHEARD)
    assert bench.skips(500, Class.WAVE), "the backlog gives none of it"
    assert not bench.skips(500, Class.VITAL), "but of others"
    bench.now += bench.flow.patience.ns
    assert not bench.skips(500, Class.WAVE)
    bench.flow.refill([Stored(seq, bytes(1000)) for seq in range(10)], bench.now)
    assert bench.step() == [0]
    bench.answer(11, UNHEARD)
    assert bench.step() == [], "and what was fetched with it is left"
    assert bench.skips(500, Class.WAVE)


@pytest.mark.parametrize("heard", ["live", "receipt"])
def test_the_backlog_goes_on_once_somebody_listens(bench, heard):
    bench.flow.offer(live(1, Class.WAVE), 0)
    bench.step()
    bench.answer(1, UNHEARD)
    assert bench.skips(1, Class.WAVE)
    bench.flow.offer(live(2, Class.WAVE), 0)
    bench.step()
    if heard == "live":
        bench.answer(2)
    else:
        bench.flow.heard(Class.WAVE, bench.now)
    assert bench.flow.wants_backlog(bench.now)
    assert not bench.skips(1, Class.WAVE), "what nobody got"


def test_another_connection_asks_anew_whether_somebody_listens(bench):
    bench.flow.offer(live(1, Class.WAVE), 0)
    bench.step()
    bench.answer(1, UNHEARD)
    bench.flow.down(0)
    bench.flow.up(Terms(), 0)
    assert not bench.skips(1, Class.WAVE)


def test_how_long_the_oldest_waits_for_its_answer(bench):
    assert bench.flow.oldest_ns() is None
    bench.flow.offer(live(1), bench.now)
    bench.step(2 * S)
    bench.flow.offer(live(2), bench.now)
    bench.step(3 * S)
    assert bench.flow.oldest_ns() == 2 * S
    bench.answer(1)
    assert bench.flow.oldest_ns() == 5 * S
    bench.answer(2)
    assert bench.flow.oldest_ns() is None
