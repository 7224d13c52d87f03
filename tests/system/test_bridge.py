"""The bridge on a real broker: everything at least once, in order, the past never as live; and its typed reader."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from centre import Subscriber, clock, inner
from centre.bridge import Passing
from centre.client import Update
from centre.config import Config
from centre.counts import Counts
from centre.gate import Gate as Gateways
from centre.ingest import Ingest
from tests.sealed import CATALOGUE, CENTRE, Bedside, block, reading, values
from tests.system.centre_rig import ONLINE, WAIT_S, Broker, Gate, configured
from tests.unit.test_web_interfaces import DOCUMENTED, complaints
from wire.records import AlarmAt, Anchor, StreamGap

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    yield made
    made.stop()


@contextmanager
def bridging(config: Config, to: int, folder: Path) -> Iterator[None]:
    stop, ended = threading.Event(), []
    args = (config, f"mqtt://127.0.0.1:{to}", f"sqlite:///{folder / 'bridge.db'}", stop)
    thread = threading.Thread(target=lambda: ended.append(inner.run(*args)))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(WAIT_S)
    assert ended == [0]


def gathered(subscriber: Subscriber, enough) -> list[Update]:
    found: list[Update] = []
    while not enough(found):
        one = subscriber.next(WAIT_S)
        assert one is not None, found
        found.append(one[0])
        subscriber._client.ack(one[1], 1)
    return found


def test_an_update_is_what_asyncapi_describes(tmp_path: Path) -> None:
    told: list[tuple[str, bytes, bool]] = []

    class Kept:
        def publish(self, said):
            told.extend(said)

    bedside = Bedside()
    passing = Passing(f"sqlite:///{tmp_path / 'bridge.db'}", Kept())
    ingest = Ingest(passing, Gateways({bedside.gateway: "north"}), (CENTRE,), Counts())
    alarm = AlarmAt(7, 0, "196648", "low", "high", "on", "spo2")
    ingest.take(
        [bedside.grant(), bedside.vital(CATALOGUE, present(6), reading(5), alarm, StreamGap(8, 1, 0, 5, "parse"))]
    )
    ingest.take([bedside.wave(block(0))])
    assert [name.rpartition("/")[2] for name, _, _ in told].count("streams") == 1
    updates = [json.loads(data) for name, data, kept in told if name.endswith("update") and not kept]
    assert [complaints(one, DOCUMENTED["components"]["schemas"]["update"]) for one in updates] == [[]] * len(updates)
    assert sum(len(one["notices"]) + len(one["holes"]) + len(one["waves"]) for one in updates) == 4
    assert passing.samples(bedside.gateway, 1, 1, 0, 250, 10**6) == [], "it keeps no samples"
    assert passing.readings(bedside.gateway, 1, 0, 10) == [], "and no readings"
    passing.close()


def present(t: int) -> Anchor:
    """The gateway's clock is right, and `t` is now."""
    return Anchor(t, clock.utc_us(), 1000, "ntp")


def test_what_is_said_comes_out_as_json(tmp_path: Path, broker: Broker) -> None:
    bedside = Bedside()
    config = configured(tmp_path, broker.port, bedside)
    with Subscriber(f"mqtt://127.0.0.1:{broker.port}", "test") as updates, bridging(config, broker.port, tmp_path):
        gate = Gate(broker.port, bedside)
        inside = threading.Event()
        updates._client.message_callback_add(
            "ward/+/+/streams", lambda *args: (updates._waiting.put(args[2]), inside.set())
        )
        while not inside.is_set():  # until the bridge has its subscription the broker keeps nothing for it
            gate.publish(bedside.state(ONLINE), bedside.grant(), bedside.vital(CATALOGUE, present(1_600_000)))
            inside.wait(0.3)
        gate.publish(bedside.vital(reading(1_500_000, "97.50")), bedside.wave(block(0)))
        gate.publish(bedside.vital(reading(1_600_000, "96")), bedside.vital(reading(1_400_000, "95")))
        told = gathered(updates, lambda found: sum(len(u.numerics) for u in found) >= 3 and any(u.waves for u in found))
        gate.close()
    rows = [row for update in told for row in update.rows()]
    assert [(row["value"], row["live"]) for row in rows] == [
        (Decimal("97.50"), True), (Decimal(96), True), (Decimal(95), False),
    ]  # fmt: skip
    assert {(row["channel"], row["unit"], row["grade"], row["gateway"]) for row in rows} == {
        ("spo2", "%", "A", bedside.gateway)
    }
    waves = {wave.stream: wave for update in told for wave in update.waves}
    assert [waves[1].samples, waves[2].samples] == values(0, 250).tolist()
    assert told[-1].streams[1].value(1500) == Decimal("1.5")


def test_what_comes_while_the_inner_broker_is_away_comes_later_and_is_not_live(tmp_path: Path, broker: Broker) -> None:
    bedside = Bedside()
    config = configured(tmp_path, broker.port, bedside)
    there = tmp_path / "inner"
    there.mkdir()
    second = Broker(there)
    with Subscriber(f"mqtt://127.0.0.1:{second.port}", "test") as updates, bridging(config, second.port, tmp_path):
        gate = Gate(broker.port, bedside)
        said = None
        while said is None:
            gate.publish(
                bedside.grant(), bedside.vital(CATALOGUE, Anchor(1, 1_790_000_000_000_000, 1000, "ntp"), reading(5))
            )
            said = updates.next(0.3)
        second.stop()
        gate.publish(*(bedside.vital(reading(10 + n, str(n))) for n in range(20)))
        second.start()
        found = gathered(updates, lambda found: any(r.value == 19 for u in found for r in u.numerics))
        gate.close()
    second.stop()
    assert not any(update.live for update in found), "its time is long over"
    first = list(dict.fromkeys(int(r.value) for u in found for r in u.numerics if r.value is not None and r.t >= 10))
    assert first == list(range(20)), "all of them, in order; some twice"


def test_the_example_makes_a_table(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("example", EXAMPLES / "frame.py")
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    said = b'{"live":true,"mapping":"1-a","waves":[],"notices":[],"holes":[],"numerics":[{"stream":0,"t":1,"utc":2,"error":3,"earliest":1,"latest":4,"grade":"A","value":"97.50","why":""}]}'  # fmt: skip  # noqa: E501
    import msgspec

    table = example.frame([msgspec.json.decode(said, type=Update)])
    assert table.loc[0, "value"] == Decimal("97.50")
    assert str(table["utc"].dtype).startswith("datetime64")
