"""How far behind a consumer says it is."""

from __future__ import annotations

from decimal import Decimal

from centre.counts import Counts
from centre.ingest import Arrival
from centre.lag import WINDOW_S, Lag
from centre.live import Update
from wire.records import Anchor, NumericAt
from wire.topics import Address

AT = Address("north", "a" * 20)
UTC = 1_800_000_000_000_000


class Clock:
    now_s, utc_us = 100.0, UTC


def lag_of(clock: Clock, counts: Counts) -> Lag:
    return Lag(counts, "centre-1", lambda: clock.now_s, lambda: clock.utc_us)


def test_the_greatest_of_the_last_half_minute_is_told_and_then_forgotten() -> None:
    clock, counts = Clock(), Counts()
    lag = lag_of(clock, counts)
    lag.committed([Arrival(AT, "vital", b"", UTC - 250_000), Arrival(AT, "vital", b"", UTC - 40_000)])
    lag.tell(waiting_envelopes=7)
    assert counts.standing() == {
        'consumer_lag_seconds{consumer="centre-1",site="north"}': 0.25,
        'waiting_envelopes{consumer="centre-1"}': 7,
    }
    clock.now_s += WINDOW_S
    lag.tell(waiting_envelopes=0)
    assert counts.standing()['consumer_lag_seconds{consumer="centre-1",site="north"}'] == 0.25
    clock.now_s += 2 * WINDOW_S
    lag.tell(waiting_envelopes=0)
    assert counts.standing() == {'waiting_envelopes{consumer="centre-1"}': 0}, "nothing came: nothing is said"


def test_the_age_of_a_sample_is_told_only_where_the_gateways_clock_is_known() -> None:
    clock, counts = Clock(), Counts()
    lag = lag_of(clock, counts)
    reading = NumericAt(2_000_000, 0, Decimal(97))
    lag.hear(Update(AT, 1, [reading], [], True))
    lag.hear(Update(AT, 1, [Anchor(1_000_000, UTC - 2_500_000, None, "none")], [], True))
    lag.tell()
    assert counts.standing() == {}
    lag.hear(Update(AT, 1, [Anchor(1_000_000, UTC - 2_500_000, 250, "ntp")], [], False))
    lag.hear(Update(AT, 1, [reading], [], False))
    lag.hear(Update(AT, 2, [reading], [], True))
    lag.tell()
    assert counts.standing() == {}, "late is not lag, and another start has another clock"
    lag.hear(Update(AT, 1, [reading], [], True))
    lag.tell()
    assert counts.standing() == {'gateway_lag_seconds{consumer="centre-1",site="north"}': 1.5}
