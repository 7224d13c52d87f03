"""The centre on a real broker: what gateways publish is stored, acknowledged after the commit, and receipted."""

from __future__ import annotations

import signal
import sqlite3
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from centre.access import people
from centre.config import Config
from centre.counts import Counts
from centre.ledger import Summary
from centre.run import run
from centre.store import Store, engine
from centre.subscriber import Delivery, Subscriber
from tests.sealed import CATALOGUE, Bedside, block, reading
from tests.system.centre_rig import ONLINE, WAIT_S, Broker, Gate, certified, configured, until
from wire.topics import Class

ROOT = Path(__file__).parents[2]
RUN = "import sys, pathlib; from centre import config, run; sys.exit(run.run(config.read(pathlib.Path(sys.argv[1]))))"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    yield made
    made.stop()


@contextmanager
def running(config: Config) -> Iterator[None]:
    """A whole centre in this process; leaving ends it, which must succeed."""
    stop, ended = threading.Event(), []
    thread = threading.Thread(target=lambda: ended.append(run(config, stop)))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(WAIT_S)
    assert ended == [0]


def test_receipts_verify_and_grow(tmp_path: Path, broker: Broker) -> None:
    bedside = Bedside()
    config = configured(tmp_path, broker.port, bedside)
    gate = Gate(broker.port, bedside)
    with running(config):
        gate.meet()
        gate.publish(bedside.grant(), bedside.vital(CATALOGUE, reading(5)), bedside.wave(block(0)))
        first = gate.held(Class.WAVE, [(0, 0)])
        gate.publish(bedside.wave(block(250)))
        second = gate.held(Class.WAVE, [(0, 1)])
        assert second.utc > first.utc
    gate.close()
    store = Store(config.store)
    assert store.last_index(bedside.gateway, 1, 1) == 500
    assert store.summary(bedside.gateway) == Summary(held=4)
    store.close()


def test_a_gateway_that_comes_online_is_told_at_once(tmp_path: Path, broker: Broker) -> None:
    bedside = Bedside()
    config = configured(tmp_path, broker.port, bedside)
    gate = Gate(broker.port, bedside)
    with running(config):
        gate.meet()
        gate.publish(bedside.grant(), bedside.vital(reading(5)))
        before = gate.held(Class.VITAL, [(0, 0)])
        gate.publish(bedside.state(ONLINE))
        again = gate.held(Class.VITAL, [(0, 0)])
        assert again.utc - before.utc < 2_000_000  # sooner than the two seconds that copies would have to wait
        assert again.held == before.held
    gate.close()


def test_what_comes_while_the_centre_is_down_waits_at_the_broker(tmp_path: Path, broker: Broker) -> None:
    bedside = Bedside()
    config = configured(tmp_path, broker.port, bedside)
    gate = Gate(broker.port, bedside)
    with running(config):
        gate.meet()
        gate.publish(bedside.grant(), bedside.vital(CATALOGUE))
        gate.held(Class.VITAL, [(0, 0)])
    late = [bedside.vital(reading(t)) for t in range(300)]
    gate.publish(*late)
    with running(config):
        gate.held(Class.VITAL, [(0, 300)])
        gate.publish(late[0])
    gate.close()
    store = Store(config.store)
    assert store.summary(bedside.gateway).missing == 0
    assert len(store.readings(bedside.gateway, 1, 0, 1000)) == 300
    store.close()


def test_what_is_not_acknowledged_comes_again(tmp_path: Path, broker: Broker) -> None:
    """A PUBACK is ours to give: the broker delivers anew what a centre had in hand when it died."""
    bedside = Bedside()
    config = configured(tmp_path, broker.port, bedside)
    sealed = [bedside.grant(), *(bedside.vital(reading(t)) for t in range(5))]
    first = Subscriber(config, Counts())
    first.start()
    gate = Gate(broker.port, bedside)
    gate.publish(bedside.state(ONLINE))
    assert first.deliveries.get(timeout=WAIT_S).arrival.word == "state"
    gate.publish(*sealed)
    taken = [first.deliveries.get(timeout=WAIT_S) for _ in sealed]
    for delivery in taken[:3]:
        first.acknowledge(delivery)
    first.stop()
    second = Subscriber(config, Counts())
    second.start()
    again = [second.deliveries.get(timeout=WAIT_S) for _ in range(5)]
    second.stop()
    gate.close()

    def data(deliveries: list[Delivery]) -> set[bytes]:
        return {delivery.arrival.data for delivery in deliveries if delivery.arrival.word != "state"}

    assert data(again) == data(taken[3:])


def test_what_could_not_be_committed_is_not_acknowledged(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_SQLITE_PRAGMAS", ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=20"))
    bedside = Bedside()
    config = configured(tmp_path, broker.port, bedside)
    gate = Gate(broker.port, bedside)
    people.write(config.users_file, (people.User("t", "engineer", token=people.token_hash("scraper")),))
    with running(config):
        gate.meet()
        held = sqlite3.connect(tmp_path / "centre.db", isolation_level=None)
        held.execute("BEGIN IMMEDIATE")
        gate.publish(bedside.grant(), bedside.vital(reading(1)))
        known = {"Authorization": "Bearer scraper"}
        until(lambda: "store_failures 1" in httpx.get(f"http://{config.listen}/metrics", headers=known).text)
    held.close()
    with running(config):
        gate.held(Class.VITAL, [(0, 0)])
    gate.close()


def test_a_broker_that_restarts_is_found_again(tmp_path: Path, broker: Broker) -> None:
    bedside = Bedside()
    config = configured(tmp_path, broker.port, bedside)
    gate = Gate(broker.port, bedside)
    with running(config):
        gate.meet()
        store = Store(config.store)
        assert store.beds()[0].online
        gate.close()
        broker.stop()
        until(lambda: not store.beds()[0].online)
        broker.start()
        gate = Gate(broker.port, bedside)
        until(lambda: store.beds()[0].online)  # the broker has kept it
        gate.publish(bedside.grant(), bedside.vital(reading(1)))
        gate.held(Class.VITAL, [(0, 0)])
        store.close()
    gate.close()


def test_strangers_and_junk_do_no_harm(tmp_path: Path, broker: Broker) -> None:
    bedside, foreign = Bedside(), Bedside("foreign")
    config = configured(tmp_path, broker.port, bedside)
    gate = Gate(broker.port, bedside)
    with running(config):
        gate.meet()
        gate.publish(foreign.grant(), foreign.vital(reading(1)), foreign.state(ONLINE))
        gate.publish(bedside.grant()._replace(data=b"\x01" * 300), bedside.state(b"{"))
        gate.publish(bedside.grant(), bedside.vital(reading(1)))
        gate.held(Class.VITAL, [(0, 0)])
    gate.close()
    store = Store(config.store)
    assert [bed.gateway for bed in store.beds()] == [bedside.gateway]
    store.close()


def test_a_termination_signal_ends_the_process_cleanly(tmp_path: Path, broker: Broker) -> None:
    bedside = Bedside()
    config = configured(tmp_path, broker.port, bedside)
    file = tmp_path / "centre.toml"
    file.write_text(
        f'broker = "{config.broker}"\nkeys = "{config.keys}"\nstore = "{config.store}"\nlisten = "{config.listen}"\n'
        f'[[gateways]]\nid = "{bedside.gateway}"\nsite = "north"\n'
    )
    process = subprocess.Popen([sys.executable, "-c", RUN, str(file)], cwd=ROOT)
    gate = Gate(broker.port, bedside)
    gate.meet()
    gate.publish(bedside.grant())
    gate.held(Class.KEY, [(0, 0)])
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_S) == 0
    gate.close()


def test_tls_with_both_sides_certified(tmp_path: Path) -> None:
    certified(tmp_path)
    files = f"cafile {tmp_path}/ca.crt\ncertfile {tmp_path}/broker.crt\nkeyfile {tmp_path}/broker.tls.key\n"
    broker = Broker(tmp_path, files + "require_certificate true\nuse_identity_as_username true")
    bedside = Bedside()
    config = configured(tmp_path, broker.port, bedside, "mqtts")
    subscriber = Subscriber(config, Counts())
    subscriber.start()
    gate = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    context = ssl.create_default_context(cafile=tmp_path / "ca.crt")
    context.load_cert_chain(tmp_path / "centre.crt", tmp_path / "centre.tls.key")
    gate.tls_set_context(context)
    gate.connect("127.0.0.1", broker.port)
    gate.loop_start()
    gate.publish(bedside.address.topic("state"), ONLINE, qos=1, retain=True).wait_for_publish(WAIT_S)
    assert subscriber.deliveries.get(timeout=WAIT_S).arrival.data == ONLINE
    gate.disconnect()
    gate.loop_stop()
    subscriber.stop()
    broker.stop()
