"""Gateways for tests of several consumers: sealed envelopes, kept and sent again until a signed receipt names them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from centre.ingest import Arrival
from tests.sealed import CATALOGUE, Bedside, block, reading
from tests.system.centre_rig import ONLINE, SIGNER
from wire import receipt
from wire.envelope import header_of
from wire.topics import parse

SAMPLES = 250
Name = tuple[str, int, int]  # gateway, class, seq


class Bed:
    """One gateway, one start: a catalogue, then a reading and a block of two waves at each interval."""

    def __init__(self, number: int) -> None:
        self.bedside = Bedside(f"sharing {number}")
        self.gateway = self.bedside.gateway
        self.beats = 0

    def begin(self) -> list[Arrival]:
        return [self.bedside.grant(), self.bedside.vital(CATALOGUE)]

    def beat(self) -> list[Arrival]:
        """An interval; every 20th begins an hour, every 7th lists what came before."""
        self.beats += 1
        said = [self.bedside.grant()] if self.beats % 20 == 0 else []
        t = 1_000_000 * (self.beats + 1)
        said += [self.bedside.vital(reading(t)), self.bedside.wave(block(SAMPLES * (self.beats - 1), SAMPLES))]
        return [*said, self.bedside.manifest()] if self.beats % 7 == 0 else said


class Gateways:
    """All of them on one connection. What has no receipt is in `owed`, by name, in the order it was sealed."""

    def __init__(self, port: int, count: int) -> None:
        self.beds = [Bed(number) for number in range(count)]
        self.owed: dict[Name, Arrival] = {}
        self._said_s: dict[Name, float] = {}
        self.sealed: dict[tuple[str, int], int] = {}
        self.resent = 0
        self._lock = threading.Lock()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="gateways", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.max_inflight_messages_set(1000)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("wl/1/north/+/receipt", qos=1)
        self._client.loop_start()

    def begin(self) -> None:
        for bed in self.beds:
            state = bed.bedside.state(ONLINE)
            self._client.publish(state.address.topic("state"), state.data, qos=1, retain=True)
            self._say(bed.begin())

    def beat(self) -> None:
        for bed in self.beds:
            self._say(bed.beat())

    def again(self, patience_s: float) -> None:
        """Send what no receipt has named for so long, as gateways do."""
        now_s = time.monotonic()
        with self._lock:
            owed = [name for name in self.owed if now_s - self._said_s[name] >= patience_s]
            for name in owed:
                self._said_s[name] = now_s
                self._publish(self.owed[name])
        self.resent += len(owed)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _say(self, arrivals: list[Arrival]) -> None:
        for arrival in arrivals:
            header = header_of(arrival.data)
            place = arrival.address.gateway, int(header.cls)
            with self._lock:
                self.owed[*place, header.seq] = arrival
                self._said_s[*place, header.seq] = time.monotonic()
            self.sealed[place] = max(self.sealed.get(place, 0), header.seq + 1)
            self._publish(arrival)

    def _publish(self, arrival: Arrival) -> None:
        self._client.publish(arrival.address.topic(arrival.word), arrival.data, qos=1)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        address, _ = parse(message.topic)
        said = receipt.read(SIGNER.public_key(), address.gateway, message.payload)
        with self._lock:
            for name in _named(address.gateway, said):
                self.owed.pop(name, None)
                self._said_s.pop(name, None)


def _named(gateway: str, said: receipt.Receipt) -> Iterator[Name]:
    for held in said.held:
        for first, last in held.ranges:
            yield from ((gateway, held.cls, seq) for seq in range(first, last + 1))
