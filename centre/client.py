"""A typed reader of what `wardlink centre bridge` publishes: one update after another, at least once, in order.

    from centre import Subscriber

    with Subscriber("mqtt://127.0.0.1:1884", name="analysis") as updates:
        for update in updates:
            ...

An update is acknowledged when the next one is asked for: what was not finished comes again. The broker keeps for a name
what comes while it is away. `live` is false for the past: never show that as the present.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from queue import Empty, Queue
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import msgspec
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

ROOT = "ward"
WAITING_LIMIT_UPDATES = 256
SESSION_LIMIT_S = 7 * 86400


class Stream(msgspec.Struct, frozen=True):
    """What the numbers of a stream mean: value in `unit` = (sample - offset) * gain; `rate` 0: readings."""

    stream: int
    channel: str
    mdc: int
    unit: str
    rate: tuple[int, int]
    gain: tuple[int, int]
    offset: tuple[int, int]
    filter: str
    maker: str
    model: str
    serial: str

    def value(self, sample: int) -> Fraction:
        """Exact."""
        return (sample - Fraction(*self.offset)) * Fraction(*self.gain)


class Reading(msgspec.Struct, frozen=True):
    """`value` None has a reason in `why`; `utc` None: no clock vouches for an instant (`earliest` to `latest`)."""

    stream: int
    t: int
    utc: int | None
    error: int | None
    earliest: int | None
    latest: int | None
    grade: str
    value: Decimal | None
    why: str
    taken: dict[str, Any] | None = None


class Wave(msgspec.Struct, frozen=True):
    """The device's integers from index `first`; `t`, `utc` are of the last one."""

    stream: int
    first: int
    t: int
    utc: int | None
    grade: str
    samples: list[int]
    marks: list[dict[str, Any]]


class Update(msgspec.Struct, frozen=True):
    """What one envelope of a gateway said, live or not."""

    live: bool
    mapping: str
    numerics: list[Reading]
    waves: list[Wave]
    notices: list[dict[str, Any]]
    holes: list[dict[str, Any]]
    gateway: str = ""
    site: str = ""
    streams: dict[int, Stream] = {}

    def rows(self) -> Iterator[dict[str, Any]]:
        """Its readings, a row each, for a table."""
        for one in self.numerics:
            known = self.streams.get(one.stream)
            yield {
                "gateway": self.gateway,
                "channel": known.channel if known else f"stream {one.stream}",
                "unit": known.unit if known else "",
                "value": one.value,
                "why": one.why,
                "utc": one.utc,
                "error": one.error,
                "grade": one.grade,
                "live": self.live,
            }


class _Streams(msgspec.Struct, frozen=True):
    streams: list[Stream]


class Subscriber:
    """Updates of all gateways, or of one `site`. `tls` for mqtts://; the system's authorities by default."""

    def __init__(self, url: str, name: str, site: str = "+", tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self._waiting: Queue[MQTTMessage] = Queue(WAITING_LIMIT_UPDATES)
        self._streams: dict[str, dict[int, Stream]] = {}
        self._topics = [(f"{ROOT}/{site}/+/{word}", 1) for word in ("streams", "update")]
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True
        )
        if parts.scheme == "mqtts":
            self._client.tls_set_context(tls or ssl.create_default_context())
        self._client.on_connect = lambda client, *_: client.subscribe(self._topics)
        self._client.on_message = lambda _client, _data, message: self._waiting.put(message)
        self._address = parts.hostname or "", parts.port or (8883 if parts.scheme == "mqtts" else 1883)

    def __enter__(self) -> Subscriber:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        for word, value in (("SessionExpiryInterval", SESSION_LIMIT_S), ("ReceiveMaximum", WAITING_LIMIT_UPDATES)):
            setattr(properties, word, value)
        self._client.connect_async(*self._address, clean_start=False, properties=properties)
        self._client.loop_start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def __iter__(self) -> Iterator[Update]:
        while True:
            found = self.next(None)
            assert found is not None, "without a limit it waits"
            update, mid = found
            yield update
            self._client.ack(mid, 1)

    def next(self, seconds: float | None) -> tuple[Update, int] | None:
        """The next update and what to acknowledge; None where none came in `seconds`."""
        try:
            while True:
                message = self._waiting.get(timeout=seconds)
                _, site, gateway, word = message.topic.split("/")
                if word == "update":
                    said = msgspec.json.decode(message.payload, type=Update)
                    known = self._streams.get(gateway, {})
                    return msgspec.structs.replace(said, gateway=gateway, site=site, streams=known), message.mid
                streams = msgspec.json.decode(message.payload, type=_Streams).streams
                self._streams[gateway] = {one.stream: one for one in streams}
                self._client.ack(message.mid, message.qos)
        except Empty:
            return None
