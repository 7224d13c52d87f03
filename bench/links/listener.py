"""A second subscriber beside the centre: notes when each envelope arrived, and how old its numerics were by then.

Gateway and listener are on one machine and one clock (CLOCK_BOOTTIME), so an age needs no anchor.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent import clock
from agent.lab.keyring import Keyring
from agent.uplink.tls import context
from bench.links.world import FAR, World, inside
from wire import bundle, keys
from wire.envelope import header_of
from wire.records import NumericAt
from wire.seal import NoGrantError, Opener
from wire.topics import Class

READY_S = 15


@dataclass(frozen=True, slots=True)
class Arrival:
    """One envelope, the first time it came. `said_ns` is when its newest numeric was stamped, None if not opened."""

    at_ns: int
    cls: Class
    epoch: int
    seq: int
    size_bytes: int
    said_ns: int | None


class Listener:
    """Subscribed until `end`. Vitals are opened, but not those of a backlog that was made; the rest is counted."""

    def __init__(self, link: World, ring: Keyring, port: int, has_backlog: bool) -> None:
        self._opener = Opener(ring.gateway_id, [keys.recipient_secret(_text(ring.centre / "recipient.key"))])
        self._first_epoch = 2 if has_backlog else 1
        self._sealed: list[tuple[int, bytes]] = []  # came before their grant
        self._ready = threading.Event()
        self._seen: set[tuple[int, Class, int]] = set()
        self.arrivals: list[Arrival] = []
        self.again: Counter[Class] = Counter()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "listener", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.tls_set_context(
            context(ring.centre / "ca.crt", ring.centre / "centre.crt", ring.centre / "centre.tls.key")
        )
        self._client.on_connect = lambda client, *_: client.subscribe([(f"wl/1/+/+/{c.word}", 1) for c in Class])
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message
        with inside(link.far):
            self._client.connect(FAR, port)
        self._client.loop_start()
        if not self._ready.wait(READY_S):
            raise TimeoutError("the listener could not subscribe")

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        at, data = clock.now(), bytes(message.payload)
        header = header_of(data)
        name = (header.epoch, header.cls, header.seq)
        if name in self._seen:
            self.again[header.cls] += 1
            return
        self._seen.add(name)
        if header.epoch < self._first_epoch or header.cls is Class.WAVE:
            self.arrivals.append(Arrival(at, header.cls, header.epoch, header.seq, len(data), None))
        elif header.cls is Class.KEY:
            self._opener.statement(data)
            self.arrivals.append(Arrival(at, header.cls, header.epoch, header.seq, len(data), None))
            waiting, self._sealed = self._sealed, []
            for _, sealed in waiting:
                self._open(at, sealed)  # it could not be read any sooner
        else:
            self._open(at, data)

    def _open(self, at: int, data: bytes) -> None:
        try:
            header, plain = self._opener.open(data)
        except NoGrantError:
            self._sealed.append((at, data))
            return
        stamps = [record.t for record in bundle.read_vital(plain) if isinstance(record, NumericAt)]
        said = max(stamps) * 1000 if stamps else None
        self.arrivals.append(Arrival(at, header.cls, header.epoch, header.seq, len(data), said))

    def vitals(self) -> list[Arrival]:
        """Those of the watched epoch that were opened and held numerics."""
        return [one for one in list(self.arrivals) if one.said_ns is not None]

    def end(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
