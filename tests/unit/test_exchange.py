"""Four stamps: the truth is inside for every asymmetry, and whoever stands between can only make it wider."""

from itertools import count

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.exchange import BURST_NS, CHECK_NS, LAST_COUNT, RARE_NS, SECOND_NS, Exchange, at
from wire import moment
from wire.moment import ANSWER_BYTES, QUESTION_BYTES, Moment, MomentError

CENTRE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32))
GATEWAY = "a" * 20
TRUE_US = 1_796_000_000_000_000  # UTC at zero of the monotonic clock
MS = 1_000_000  # ns


class Road:
    """An exchange, and a centre at the end of a road; `off_us` is how wrong the centre's clock is."""

    def __init__(self) -> None:
        nonces = count(1)
        self.exchange = Exchange("mqtt", GATEWAY, [CENTRE.public_key()], lambda n: next(nonces).to_bytes(n))
        self.now = 100 * SECOND_NS

    def utc(self, now: int) -> int:
        return TRUE_US + now // 1000

    def ask(self, there_ns: int, back_ns: int, think_ns: int = 0, off_us: int = 0, error: int | None = 0, **by):
        asked = self.now
        nonce = self.exchange.question(asked)
        self.now += there_ns
        received = self.utc(self.now) + off_us
        self.now += think_ns
        data = moment.sign(
            by.get("signer", CENTRE),
            by.get("gateway", GATEWAY),
            Moment(nonce, received, self.utc(self.now) + off_us, error),
        )
        self.now += back_ns
        return data, self.exchange.answered(data, self.now)

    def wrong_us(self, anchor, now: int) -> int:
        return abs(anchor.utc - self.utc(anchor.t * 1000))


@settings(deadline=None)
@given(st.integers(0, 5_000), st.integers(0, 5_000), st.integers(0, 2_000), st.integers(-50_000, 50_000))
def test_the_truth_is_inside_whichever_way_takes_longer(there, back, think, off) -> None:
    road = Road()
    _, anchor = road.ask(there * MS, back * MS, think * MS, off, abs(off))
    assert road.wrong_us(anchor, road.now) <= anchor.error
    assert anchor.error <= (there + back) * 500 + abs(off) + (there + back + think) + 10


def test_two_hundred_out_and_nine_hundred_back() -> None:
    road = Road()
    _, anchor = road.ask(200 * MS, 900 * MS)
    assert road.wrong_us(anchor, road.now) == 350_000
    assert 550_000 <= anchor.error <= 550_200


def test_the_least_round_trip_of_eight_counts_and_ages() -> None:
    road = Road()
    trips = [900, 300, 80, 500, 700, 300, 200, 400]
    for trip in trips:
        road.ask(trip * MS, trip * MS)
    best = road.exchange.best(road.now)
    assert best.error - 80_000 < 100
    for _ in range(LAST_COUNT):
        road.ask(600 * MS, 600 * MS)
    assert road.exchange.best(road.now).error > 590_000, "an answer of long ago is no answer of now"
    later = at(best, road.now + 10_000 * SECOND_NS)
    assert later.error - best.error >= 1_000_000, "100 ppm of 10000 s"


def test_who_stands_between_can_only_delay() -> None:
    road = Road()
    data, good = road.ask(50 * MS, 50 * MS)
    assert good is not None
    assert road.exchange.answered(data, road.now) is None
    assert road.ask(50 * MS, 50 * MS, signer=STRANGER)[1] is None
    assert road.ask(50 * MS, 50 * MS, gateway="b" * 20)[1] is None
    assert road.exchange.answered(data[:-1], road.now) is None
    altered = bytearray(road.ask(0, 0)[0])
    altered[12] ^= 1
    assert road.exchange.answered(bytes(altered), road.now) is None
    late = road.ask(50 * MS, 3600 * SECOND_NS)[1]
    assert late.error > 1_800_000_000
    assert road.exchange.refused == {"unasked": 1, "signature": 3, "size": 1}
    assert road.exchange.best(road.now) is not late


def test_a_centre_that_does_not_know_the_time_or_steps_makes_no_anchor() -> None:
    road = Road()
    assert road.ask(50 * MS, 50 * MS, error=None)[1] is None
    asked = road.exchange.question(road.now)
    data = moment.sign(CENTRE, GATEWAY, Moment(asked, TRUE_US, TRUE_US + 10_000_000, 5))
    assert road.exchange.answered(data, road.now + SECOND_NS) is None
    back = moment.sign(CENTRE, GATEWAY, Moment(asked, TRUE_US + 10, TRUE_US, 5))
    assert road.exchange.answered(back, road.now + SECOND_NS) is None
    assert road.exchange.refused == {"undisciplined": 1, "trip": 1, "malformed": 1}


def test_a_second_key_of_the_centre_counts_too() -> None:
    keys = [STRANGER.public_key(), CENTRE.public_key()]
    data = moment.sign(CENTRE, GATEWAY, Moment(bytes(8), 5, 6, 7))
    assert moment.read(keys, GATEWAY, data) == Moment(bytes(8), 5, 6, 7)
    with pytest.raises(MomentError):
        moment.read(keys[:1], GATEWAY, data)


def asked_in(road: Road, hours: float, other=lambda now: None, trip_ms: int = 20) -> int:
    """How many questions leave in so many hours of an idle connection, looked at each second."""
    road.exchange.connected()
    until = road.now + int(hours * 3600 * SECOND_NS)
    asked = 0
    while road.now < until:
        if road.exchange.due(road.now, other(road.now)):
            asked += 1
            road.ask(trip_ms * MS // 2, trip_ms * MS // 2)
        road.now += SECOND_NS
    return asked


def test_a_connection_begins_with_eight_and_then_asks_rarely() -> None:
    road = Road()
    assert asked_in(road, LAST_COUNT * BURST_NS / SECOND_NS / 3600) == LAST_COUNT
    day = asked_in(Road(), 24)
    assert day <= 24 * 3600 * SECOND_NS // RARE_NS + LAST_COUNT
    assert day * (2 * (52 + 22 + 60) + 52 + 22 + QUESTION_BYTES + 60) < 1_000_000, "bytes a day, with TCP, TLS and MQTT"
    assert asked_in(Road(), 24, trip_ms=1100) <= 24 + LAST_COUNT, "nothing to be gained on a slow road"


def test_who_has_a_better_source_asks_once_and_each_hour_to_see_whether_it_is_true() -> None:
    assert asked_in(Road(), 24, other=lambda now: 500) <= 25
    assert CHECK_NS >= 3600 * SECOND_NS


def test_a_centre_that_never_answers_is_left_alone() -> None:
    road = Road()
    asked = 0
    for _ in range(86_400):
        if road.exchange.due(road.now, None):
            asked += 1
            road.exchange.question(road.now)
        road.now += SECOND_NS
    assert asked <= 86_400 * SECOND_NS // RARE_NS + LAST_COUNT


def test_a_gateway_without_the_centres_key_asks_nobody() -> None:
    exchange = Exchange("mqtt", GATEWAY, [], bytes)
    assert not exchange.due(0, None)


def test_an_answer_is_never_longer_than_its_question() -> None:
    assert ANSWER_BYTES < QUESTION_BYTES == len(moment.question(GATEWAY, bytes(8)))
    assert moment.asked(moment.question("gw-1", b"12345678")) == ("gw-1", b"12345678")
    for bad in (b"", bytes(96), moment.question("gw-1", bytes(8))[:-1], b"WLq1" + bytes(8) + b"A/+" + bytes(81)):
        with pytest.raises(MomentError):
            moment.asked(bad)
