"""The centre's line to the broker: MQTT 5, QoS 1, a session the broker keeps for 7 days, acknowledged after our commit.

Of several consumers that share (`$share/<group>/...`) each has a session of seconds: mosquitto gives an absent one its
turn as long as its session lasts, and forgets what it had in hand when that ends; both the gateways send again.

A PUBACK goes out only for what is committed, so what the centre loses in a crash the broker still has. paho's network
thread (a library of blocking sockets needs one) hands deliveries to the one ingest thread through a bounded queue; the
broker never has more of them unacknowledged than the queue holds, because that is our Receive Maximum.
"""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Full, Queue

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from centre import clock
from centre.config import Config, tls_files
from centre.counts import Counts
from centre.ingest import Arrival
from centre.timing import Timing
from wire import topics
from wire.envelope import ENVELOPE_LIMIT_BYTES
from wire.moment import NONCE_BYTES
from wire.topics import Address, TopicError

QUEUE_LIMIT_DELIVERIES = 1000
SESSION_LIMIT_S = 7 * 86400
SHARED_SESSION_LIMIT_S = 5  # a connection that broke comes back within it; a dead consumer's share waits no longer
KEEPALIVE_S = 60
SHARED_KEEPALIVE_S = 10
DRAIN_LIMIT_S = 5.0
DRAINED_S = 0.3  # nothing came so long: nothing is on its way
PACKET_LIMIT_BYTES = ENVELOPE_LIMIT_BYTES + 1024
WORDS = ("key", "vital", "wave", "state", "relay", "reply")
SHOWN = ("key", "vital", "wave")
_LOG = logging.getLogger("wardlink.centre")


@dataclass(frozen=True, slots=True)
class Delivery:
    """An arrival that waits to be acknowledged on the connection it came by."""

    arrival: Arrival
    mid: int
    connection: int


class Subscriber:
    """`gone` is set when the connection ends, for the ingest thread to clear."""

    def __init__(
        self, config: Config, counts: Counts, timing: Timing | None = None, now: Callable[[], int] = clock.utc_us
    ) -> None:
        self._config = config
        self._timing = timing
        self._counts = counts
        self._now = now
        self._connection = 0
        self._attempt = 0
        self._came_s = 0.0
        self._watched: frozenset[Address] = frozenset()
        self.on_watched: Callable[[Arrival], None] = lambda _arrival: None
        self.deliveries: Queue[Delivery] = Queue(QUEUE_LIMIT_DELIVERIES)
        self.gone = threading.Event()
        self._client = _client(config)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def start(self) -> None:
        """Connect, and stay connected, in the background."""
        host, port = self._config.broker_address
        self._pace()
        session_s, alive_s = (SESSION_LIMIT_S, KEEPALIVE_S)
        if self._config.share:
            session_s, alive_s = (SHARED_SESSION_LIMIT_S, SHARED_KEEPALIVE_S)
        properties = _session_properties(session_s)
        self._client.connect_async(host, port, keepalive=alive_s, clean_start=False, properties=properties)
        self._client.loop_start()

    def stop(self) -> None:
        """End the connection; the broker keeps the session and what we have not acknowledged."""
        self._client.disconnect()
        self._client.loop_stop()

    def drain(self) -> None:
        """Take no more turns, and wait until what was given to us has come, while others handle it."""
        self._client.unsubscribe([topic for topic, _ in self._wanted() if topic.startswith("$share")])
        pace, end = threading.Event(), clock.monotonic_s() + DRAIN_LIMIT_S
        while self.is_connected and clock.monotonic_s() < end:
            pace.wait(DRAINED_S / 3)
            if self.deliveries.empty() and clock.monotonic_s() - self._came_s > DRAINED_S:
                return

    @property
    def name(self) -> str:
        return self._config.name

    @property
    def is_connected(self) -> bool:
        return self._client.is_connected()

    def acknowledge(self, delivery: Delivery) -> None:
        """Its contents are durable here. On a later connection the broker delivers it anew, so nothing is due."""
        if delivery.connection == self._connection:
            self._client.ack(delivery.mid, 1)

    def publish_receipt(self, address: Address, data: bytes) -> None:
        """Retained, so that a gateway has it when it comes back. Nothing waits here while there is no broker."""
        if self._client.is_connected():
            self._client.publish(address.topic("receipt"), data, qos=1, retain=True)

    def publish_relay_receipt(self, relayer: Address, data: bytes) -> None:
        """A receipt of another gateway's. Not retained: that would take the place of the relayer's own."""
        if self._client.is_connected():
            self._client.publish(relayer.topic("receipt"), data, qos=1)

    def publish_command(self, address: Address, data: bytes) -> None:
        """Not retained: it is for a gateway that is there now."""
        if self._client.is_connected():
            self._client.publish(address.topic("command"), data, qos=1)

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            _LOG.warning("broker refuses reason=%s", reason)
            self._pace()
            return
        self._connection += 1
        client.subscribe([*self._wanted(), *self._watching()])
        _LOG.info("broker connected")

    def _wanted(self) -> list[tuple[str, int]]:
        """(topic, QoS). Of consumers that share each hears every presence, and its share of all else."""
        group = f"$share/{self._config.share}/" if self._config.share else ""
        asked = [(word, 1) for word in WORDS] + [("clock", 0)]
        return [
            (("" if word == "state" else group) + topics.everything(word, site), qos)
            for word, qos in asked
            for site in self._config.sites or ("+",)
        ]

    def watch(self, address: Address) -> None:
        """Hear what this gateway says too, for pages: besides our turns, at most once, not acknowledged."""
        self._watched |= {address}
        self._client.subscribe([(topic, 0) for topic in _shown(address)])

    def unwatch(self, address: Address) -> None:
        self._watched -= {address}
        self._client.unsubscribe(_shown(address))

    def _watching(self) -> list[tuple[str, int]]:
        return [(topic, 0) for address in self._watched for topic in _shown(address)]

    def _on_connect_fail(self, _client: Client, _data: object) -> None:
        self._pace()

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._connection += 1  # what waits was delivered by a connection that is no more
        self.gone.set()
        self._pace()
        _LOG.warning("broker gone reason=%s", reason)

    def _on_subscribe(
        self, _client: Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        refused = sum(reason.is_failure for reason in reasons)
        if refused:
            hint = "name `sites` as the broker has them for this centre"
            _LOG.error('broker refuses subscriptions=%d of=%d hint="%s"', refused, len(reasons), hint)

    def _on_message(self, client: Client, _data: object, message: MQTTMessage) -> None:
        received = self._now()
        self._came_s = clock.monotonic_s()
        self._attempt = 0  # success is what arrives, not that a socket opened
        try:
            address, word = topics.parse(message.topic)
            if word == "clock":
                self._tell_time(client, address, bytes(message.payload), received)
                return
            arrival = Arrival(address, word, bytes(message.payload), received)
            if message.qos == 0 and address in self._watched and word in SHOWN:
                self.on_watched(arrival)
                return
            self.deliveries.put_nowait(Delivery(arrival, message.mid, self._connection))
        except (TopicError, UnicodeDecodeError):
            self._counts.add("refused_topic")
            client.ack(message.mid, message.qos)
        except Full:  # a broker that ignores our Receive Maximum; what is not acknowledged comes again
            self._counts.add("deliveries_dropped")

    def _tell_time(self, client: Client, address: Address, nonce: bytes, received: int) -> None:
        """At once, here: what waits makes it worse. A question that was kept for us is old, which its asker sees."""
        if self._timing is None or len(nonce) != NONCE_BYTES:
            self._counts.add("refused_clock")
        else:
            client.publish(address.topic("time"), self._timing.answer(address.gateway, nonce, received), qos=0)

    def _pace(self) -> None:
        """The next attempt waits a random time, so that many centres and gateways do not return at once."""
        delay = clock.retry_s(self._attempt)
        self._attempt += 1
        self._client.reconnect_delay_set(min_delay=delay, max_delay=delay)


def _shown(address: Address) -> list[str]:
    return [address.topic(word) for word in SHOWN]


def _client(config: Config) -> Client:
    client = Client(
        CallbackAPIVersion.VERSION2, client_id=config.name, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True
    )
    if config.tls:
        client.tls_set_context(tls(*tls_files(config)))
    return client


def tls(authority: Path, certificate: Path, private: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(authority)
    context.load_cert_chain(certificate, private)
    return context


def _session_properties(session_s: int) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    limits = {
        "SessionExpiryInterval": session_s,
        "ReceiveMaximum": QUEUE_LIMIT_DELIVERIES,
        "MaximumPacketSize": PACKET_LIMIT_BYTES,
    }
    for name, value in limits.items():  # paho's class declares none of its attributes
        setattr(properties, name, value)
    return properties
