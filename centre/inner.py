"""The broker inside the hospital: where the bridge publishes, and what `wardlink centre bridge` runs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence

import msgspec
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from centre import clock
from centre.bridge import Bridge, Passing
from centre.config import Config, load_keys, tls_files
from centre.counts import Counts
from centre.gate import gate_of
from centre.ingest import Ingest
from centre.store import StoreError
from centre.subscriber import Subscriber, tls
from wire.topics import Address

TAKEN_LIMIT_S = 10.0
KEEPALIVE_S = 30
QUEUE_LIMIT_COUNT = 10_000  # a batch is far less; more would be a broker that acknowledges nothing
INFLIGHT_LIMIT_COUNT = 1  # in order, whatever happens between
_HINT = "is the inner broker up, and does it let this client publish?"


class Inner:
    """A connection to the inner broker; it comes back by itself."""

    def __init__(self, config: Config) -> None:
        """`config.broker` is the inner one, `config.name` the client id there."""
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=config.name, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.max_inflight_messages_set(INFLIGHT_LIMIT_COUNT)
        self._client.max_queued_messages_set(QUEUE_LIMIT_COUNT)
        if config.tls:
            self._client.tls_set_context(tls(*tls_files(config)))
        host, port = config.broker_address
        self._client.connect_async(host, port, keepalive=KEEPALIVE_S)
        self._client.loop_start()

    def publish(self, said: Sequence[tuple[str, bytes, bool]]) -> None:
        """Returns once the broker has taken all. Raises StoreError."""
        if not said:
            return
        if not self._client.is_connected():
            raise StoreError("no inner broker", _HINT)
        sent = [self._client.publish(topic, data, qos=1, retain=retain) for topic, data, retain in said]
        end = clock.monotonic_s() + TAKEN_LIMIT_S
        try:
            for one in sent:
                one.wait_for_publish(max(0.0, end - clock.monotonic_s()))
        except (RuntimeError, ValueError) as error:
            raise StoreError(f"the inner broker does not take it: {error}", _HINT) from error
        if not all(one.is_published() for one in sent):
            raise StoreError("the inner broker does not take it in time", _HINT)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def run(config: Config, inner: str, store: str, ending: threading.Event | None = None) -> int:
    """Until `ending`, SIGTERM or SIGINT. Raises ConfigError, StoreError."""
    stop = ending or threading.Event()
    if ending is None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: stop.set())
    named = msgspec.structs.replace(config, name=f"{config.name}-bridge")
    outlet = Inner(msgspec.structs.replace(config, name=f"{config.name}-bridge-out", broker=inner))
    passing = Passing(store, outlet)
    counts = Counts()
    passing.enrol((Address(gateway.site, gateway.id), gateway.bed) for gateway in config.gateways)
    ingest = Ingest(passing, gate_of(config, passing.gateways()), load_keys(config).recipients, counts)
    subscriber = Subscriber(named, counts)
    subscriber.start()
    try:
        Bridge(passing, ingest, subscriber).run(stop)
    finally:
        subscriber.stop()
        outlet.stop()
        passing.close()
    return 0
