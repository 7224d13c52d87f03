"""One connection to the broker: paho on the event loop's own selector, without its thread.

Connecting (DNS, TCP, TLS) blocks and runs in a thread; from then on the loop tells us when the socket is ready.
paho's callbacks only note what came and call `wake`; decisions are made by whoever owns the link. A link lives
once. paho re-sends what is unacknowledged behind our back on reconnection, so every connection has a fresh client.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paho.mqtt.enums import CallbackAPIVersion, LogLevel, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.exception import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.uplink import tcp
from agent.uplink.account import UNHEARD
from agent.uplink.aliases import Aliases
from agent.uplink.library import mqtt
from agent.uplink.pace import PACKET_LIMIT_BYTES, RECEIVE_LIMIT_COUNT, Terms
from agent.uplink.tls import Dated, LinkError, Resuming, explain, explain_text, unanswered
from agent.uplink.wary import TAKEN_LIMIT_BYTES, WaryClient
from wire.relay import RELAY_LIMIT_BYTES

READS_LIMIT_COUNT = 64
_NO_SUBSCRIBER = 0x10
_TAKEN_OVER = 0x8E


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is. `tls` None means in the clear: for tests and a broker on the same machine."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    keepalive_s: int = 60  # shorter than most translators of addresses remember an idle flow
    # For TCP, then for each flight of TLS: SYNs go at 0, 1, 3, 7 s, and after that too rarely.
    dial_limit_s: float = 10.0
    connect_limit_s: float = 30.0  # to the CONNACK: three round trips of 2.5 s, and each may be lost twice


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says for us when we vanish; retained."""

    topic: str
    data: bytes


class Link:
    """One life of a connection. `acks` holds (packet identifier, None or why the broker refused)."""

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        will: Will,
        wake: Callable[[], None],
        receive: Callable[[str, bytes], None],
    ) -> None:
        self._broker = broker
        self._wake = wake
        self._receive = receive
        self.acks: deque[tuple[int, str | None]] = deque()
        self.lost: LinkError | None = None
        self.taken_over = False
        self.unheard = False  # nobody answered the dial, not even to refuse it
        self.resumed = False
        self._dialled = False
        self._handed = 0
        self._terms: asyncio.Future[Terms] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # set while the socket is on the loop
        self._fd = -1
        self._writing = False
        self._abandoned = False
        self._last_words = ""
        self._untold: set[int] = set()
        self._aliases = Aliases(0)
        self._client = self._fresh(client_id, will)

    def _fresh(self, client_id: str, will: Will) -> mqtt.Client:
        client = WaryClient(
            CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5, reconnect_on_failure=False
        )
        client.max_inflight_messages = 0  # no limit: the window is ours, and paho's queue must not hide anything
        client.max_queued_messages = 0
        client.connect_timeout = min(self._broker.dial_limit_s, self._broker.connect_limit_s)
        if self._broker.tls is not None:
            client.tls_set_context(self._broker.tls)
        client.will_set(will.topic, will.data, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_log = self._on_log
        client.on_socket_open = lambda _client, _data, sock: tcp.tune(sock)
        client.on_socket_close = lambda *_: self._detach()
        client.on_socket_register_write = lambda *_: None  # set, so that paho leaves writing to `flush`
        return client

    async def open(self) -> Terms:
        """Connect and wait for the broker's CONNACK. Raises LinkError."""
        host, port = self._broker.host, self._broker.port
        try:
            async with asyncio.timeout(self._broker.connect_limit_s):
                await asyncio.to_thread(self._dial)
                self._dialled = True
                loop = asyncio.get_running_loop()
                self._terms = loop.create_future()
                self._attach(loop)
                return await self._terms
        except OSError as error:  # TimeoutError is one
            self.unheard = not self._dialled and not isinstance(error, ssl.SSLError | ConnectionError)
            self.drop()
            raise explain(error, host, port) from error
        except UnicodeError as error:
            self.drop()
            raise LinkError(f"{host!r} is no name of a host", "check the broker's address") from error
        except (LinkError, asyncio.CancelledError):
            self.drop()
            raise

    def _dial(self) -> None:
        """Blocks. Runs in a thread, where nothing may touch the loop."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0
        properties.MaximumPacketSize = TAKEN_LIMIT_BYTES
        broker = self._broker
        self._client.connect(broker.host, broker.port, broker.keepalive_s, clean_start=True, properties=properties)
        if self._abandoned:
            self._close_socket()

    def _attach(self, loop: asyncio.AbstractEventLoop) -> None:
        sock = self._client.socket()
        if sock is None:
            raise ConnectionResetError("closed while connecting")
        self._loop, self._fd = loop, sock.fileno()
        loop.add_reader(self._fd, self._readable)
        self.flush()

    def flush(self) -> None:
        """Write what was handed over, as far as the socket takes it; the rest follows by itself."""
        if self._loop is None:
            return
        handed, self._handed = self._handed, 0
        if handed > 1:  # paho sends packet by packet; so they share segments, and 52 bytes are paid once
            tcp.cork(self._client.socket(), True)
        self._client.loop_write()
        if handed > 1:
            tcp.cork(self._client.socket(), False)
        if self._client.want_write():
            self._start_writing()
        else:
            self._stop_writing()
        if self.lost is not None:
            self._wake()

    def unsent_bytes(self) -> int:
        """What was handed over and the kernel has not sent, not even once."""
        return 0 if self._loop is None else tcp.unsent_bytes(self._fd)

    def tell(self, topic: str, data: bytes) -> None:
        """Hand over a packet of QoS 0: nobody answers it, and nobody counts on it."""
        self._handed += 1
        self._untold.add(self._client.publish(topic, data, qos=0).mid)

    def publish(self, topic: str, data: bytes, *, retain: bool = False) -> int:
        """Hand one packet to paho, QoS 1; return its identifier. Nothing is written before `flush`."""
        assert len(data) <= RELAY_LIMIT_BYTES
        self._handed += 1
        short, properties = self._aliases.shorten(topic)
        mid = self._client.publish(short, data, qos=1, retain=retain, properties=properties).mid
        self._aliases.published(mid, topic)
        return mid

    def subscribe(self, topic: str, qos: int = 1) -> None:
        self._client.subscribe(topic, qos)

    def tend(self) -> None:
        """Keepalive; call it once a second."""
        self._client.loop_misc()
        sock = self._client.socket()
        if isinstance(sock, Dated):
            try:
                sock.look_again()
            except LinkError as error:
                self._lose(error)
        self.flush()

    def leave(self) -> None:
        """Say goodbye, so that the broker does not publish the Will, and close."""
        self._client.disconnect()
        self.flush()
        self.drop()

    def drop(self) -> None:
        """Close at once. What paho still holds dies with its client."""
        self._abandoned = True
        self._detach()
        self._close_socket()

    def _close_socket(self) -> None:
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _detach(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self._fd)
            self._stop_writing()
            self._loop = None

    def _readable(self) -> None:
        try:
            for _ in range(READS_LIMIT_COUNT):
                if self._client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS or not self._pending():
                    break
            else:
                if self._loop is not None:  # the selector does not see what TLS has already decrypted
                    self._loop.call_soon(self._readable)
        except (struct.error, IndexError, KeyError, ValueError, MQTTException) as error:
            self._lose(LinkError(f"the broker sent what is not MQTT: {error}", "check what listens on that port"))
        if self._client.want_write():
            self.flush()
        self._wake()

    def _pending(self) -> bool:
        sock = self._client.socket()
        return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0

    def _start_writing(self) -> None:
        if self._loop is not None and not self._writing:
            self._writing = True
            self._loop.add_writer(self._fd, self.flush)

    def _stop_writing(self) -> None:
        if self._loop is not None and self._writing:
            self._writing = False
            self._loop.remove_writer(self._fd)

    def _lose(self, error: LinkError) -> None:
        if self.lost is None:
            self.lost = error
        if self._terms is not None and not self._terms.done():
            self._terms.set_exception(error if self._broker.tls is None else unanswered(error))
        self._wake()

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, given: Properties | None) -> None:
        if reason.is_failure:
            hint = "the client id must be the certificate's common name, and the broker's ACL must know it"
            self._lose(LinkError(f"the broker refuses the connection: {reason.getName()}", hint))
        elif self._terms is not None and not self._terms.done():
            sock = self._client.socket()
            if isinstance(sock, ssl.SSLSocket) and isinstance(sock.context, Resuming):
                sock.context.keep(sock)
                self.resumed = sock.session_reused is True
            self._aliases = Aliases(getattr(given, "TopicAliasMaximum", 0))
            self._terms.set_result(_terms(given))

    def _on_disconnect(self, _client: Any, _data: Any, flags: Any, reason: ReasonCode, _properties: Any) -> None:
        host, port = self._broker.host, self._broker.port
        if not flags.is_disconnect_packet_from_server:
            self._lose(explain_text(self._last_words or "the other side closed it", host, port))
            return
        self.taken_over = reason.value == _TAKEN_OVER
        hint = "two gateways have one identity: enrol one of them again" if self.taken_over else "see the broker's log"
        self._lose(LinkError(f"the broker ended the link: {reason.getName()}", hint))

    def _on_publish(self, _client: Any, _data: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        if mid in self._untold:  # paho's word that it is written, which is no word of the broker's
            self._untold.discard(mid)
            return
        self._aliases.answered(mid, reason.value == 0)
        failure = UNHEARD if reason.value == _NO_SUBSCRIBER else reason.getName()
        self._last_words = failure if reason.is_failure else ""  # some brokers close after a refusal, without a word
        self.acks.append((mid, failure if reason.value else None))

    def _on_message(self, _client: Any, _data: Any, received: mqtt.MQTTMessage) -> None:
        self._receive(received.topic, bytes(received.payload))

    def _on_log(self, _client: Any, _data: Any, level: int, text: str) -> None:
        """paho tells why a socket failed only here."""
        if level == LogLevel.MQTT_LOG_ERR:
            self._last_words = text.rpartition("socket: ")[2]


def _terms(given: Properties | None) -> Terms:
    return Terms(
        getattr(given, "ReceiveMaximum", RECEIVE_LIMIT_COUNT),
        getattr(given, "MaximumPacketSize", PACKET_LIMIT_BYTES),
    )
