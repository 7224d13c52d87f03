"""Four consumers of one group on a real mosquitto and a real PostgreSQL: each record once, and in order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from centre.config import Config
from centre.counts import Counts
from centre.gate import Gate
from centre.ingest import Ingest
from centre.live import Update
from centre.store.shared import SharedStore
from centre.subscriber import Subscriber
from centre.watching import Watching
from tests.sealed import CATALOGUE, CENTRE, Bedside, block, reading
from tests.sharing.gateways import SAMPLES, Gateways
from tests.sharing.rig import Consumer, Verdict, configured, settled
from tests.system.centre_rig import Broker, until
from tests.system.test_store import Postgres

CONSUMERS, GATEWAYS, BEATS = 4, 6, 40


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path, "allow_anonymous true\nmax_inflight_messages 100")
    yield made
    made.stop()


def test_four_consumers_store_each_once_and_tell_in_order(tmp_path: Path, broker: Broker, postgres: Postgres) -> None:
    url, told = postgres.database(), list[Update]()
    gateways, pace = Gateways(broker.port, GATEWAYS), threading.Event()
    consumers = [Consumer(configured(tmp_path, broker.port, url, gateways, f"c{n}"), told) for n in range(CONSUMERS)]
    try:
        settled(consumers)
        for bed in gateways.beds:
            consumers[0].watching.look(bed.gateway, True)
        gateways.begin()
        for _ in range(BEATS):
            gateways.beat()
            pace.wait(0.04)
        until(lambda: not gateways.owed)
        verdict = Verdict(url)
        until(lambda: verdict.waiting() == 0)
        assert verdict.wrong(gateways) == []
        verdict.close()
        assert gateways.resent == 0, "nothing had to be sent again"
        handed = [one.counts.snapshot().get("handed_over", 0) for one in consumers]
        stored = [one.counts.snapshot().get("envelopes", 0) for one in consumers]
        assert all(handed), "the broker's turns fell on the wrong ones"
        assert sum(stored) == sum(gateways.sealed.values())
        for bed in gateways.beds:
            mine = [one for one in told if one.gateway == bed.gateway]
            late = [one for one in mine if not one.live]
            assert not late, "what comes in order is never taken for late"
            firsts = [run.first for one in mine for run in one.samples if run.stream == 1]
            assert firsts == [SAMPLES * beat for beat in range(BEATS)]
            times = [record.t for one in mine for record in one.records]
            assert times == sorted(times)
        check_shown(consumers[0], gateways)
    finally:
        gateways.close()
        for one in consumers:
            one.stop()


def test_what_its_own_consumer_stored_first_is_shown_live(tmp_path: Path, postgres: Postgres) -> None:
    gateway, fence = Bedside("stored first"), Bedside("fence")
    counts, url = Counts(), postgres.database()
    ours, theirs = SharedStore(url, counts), SharedStore(url, counts)
    theirs.enrol((bed.address, "") for bed in (gateway, fence))
    theirs.settle()
    config = Config("mqtt://127.0.0.1:1", str(tmp_path), "c0", "ward", url)
    subscriber, shown = Subscriber(config, counts), list[Update]()
    watching = Watching(ours, subscriber, [CENTRE], shown.append, counts)
    watching.start()
    try:
        for bed in (gateway, fence):
            watching.look(bed.gateway, True)
        for arrival in (fence.grant(), fence.vital(reading(1))):
            subscriber.on_watched(arrival)
        until(lambda: len(shown) == 1)  # so both looks have begun
        said = [gateway.grant(), gateway.vital(CATALOGUE, reading(2)), gateway.wave(block(0))]
        gate = Gate({bed.gateway: bed.address.site for bed in (gateway, fence)})
        Ingest(theirs, gate, [CENTRE], counts).take(said)
        for arrival in said:
            subscriber.on_watched(arrival)
        until(lambda: any(one.blocks for one in shown))
        assert [one.live for one in shown] == [True, True, True]
    finally:
        watching.stop()
        theirs.close()
        ours.close()


def check_shown(consumer: Consumer, gateways: Gateways) -> None:
    """Whoever looks at a gateway of another consumer sees it too, in order; of our own what was stored is told."""
    others = [bed for bed in gateways.beds if not consumer.store.mine(bed.gateway)]
    assert others
    last = SAMPLES * (BEATS - 1)
    until(lambda: sum(run.first == last for one in consumer.shown for run in one.samples) >= 2 * len(others))
    assert {one.gateway for one in consumer.shown} == {bed.gateway for bed in others}
    for bed in others:
        mine = [one for one in consumer.shown if one.gateway == bed.gateway]
        firsts = [run.first for one in mine for run in one.samples if run.stream == 1]
        assert len(firsts) > BEATS // 2, "from when the broker knew that somebody looks"
        assert firsts == [SAMPLES * beat for beat in range(BEATS - len(firsts), BEATS)]
        assert all(one.live for one in mine)
