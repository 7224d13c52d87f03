"""The far side: the remote broker, and a subscriber that counts how often each record came."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import paho.mqtt.client as mqtt

from bench.torture.record import ALTERED, PAD
from wire import bundle, keys, receipt
from wire.envelope import EnvelopeError, header_of
from wire.ranges import Ranges
from wire.receipt import Held
from wire.records import EnvelopeGap, StatusAt
from wire.seal import Opener
from wire.topics import Class

Read = Callable[[str, bytes], Iterable[int]]
RECEIPTS_S = 0.5


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait(condition: Callable[[], object], limit_s: float) -> bool:
    """Whether it came true in time."""
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class Mosquitto:
    """A broker from these lines of configuration; `listens` on 127.0.0.1."""

    def __init__(self, file: Path, port: int, lines: Iterable[str]) -> None:
        self.port = port
        self._file = file
        file.write_text(f"user root\nlistener {port} 127.0.0.1\nallow_anonymous true\n" + "\n".join(lines) + "\n")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, limit_s: float = 10.0) -> bool:
        """Whether it answers."""
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(["mosquitto", "-c", str(self._file)], stdout=quiet, stderr=quiet)
        return wait(lambda: self._answers() or self.process.poll() is not None, limit_s) and self._answers()

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def send(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, number)

    def end(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.send(signal.SIGCONT)
            self.send(number)
            self.process.wait(20)
            self.process = None


class Centre:
    """A remote broker and a subscriber to all of it. `came` counts records; `told` are envelopes declared lost."""

    def __init__(self, folder: Path, read: Read, receipts: Receipts | None) -> None:
        self.broker = Mosquitto(folder / "remote.conf", free_port(), ["max_queued_messages 0"])
        self.came: Counter[int] = Counter()
        self.altered = 0
        self.last_at = time.monotonic()
        self._read = read
        self._receipts = receipts
        self._client: mqtt.Client | None = None
        self._subscribed = threading.Event()

    def open(self) -> None:
        """Broker and subscriber, from nothing."""
        assert self.broker.start()
        self.listen()

    def listen(self) -> None:
        self._subscribed.clear()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "centre", protocol=mqtt.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", self.broker.port)
        self._client.loop_start()
        assert self._subscribed.wait(10)
        if self._receipts is not None:
            threading.Thread(target=self._sign, args=(self._client, self._receipts), daemon=True).start()

    def _sign(self, client: mqtt.Client, receipts: Receipts) -> None:
        """As often as there is news, until this subscriber leaves."""
        while client is self._client:
            receipts.answer(client)
            time.sleep(RECEIPTS_S)

    def forget(self) -> None:
        """Another round: nothing came yet."""
        self.came.clear()
        self.altered = 0
        if self._receipts is not None:
            self._receipts.forget()

    def leave(self) -> None:
        """The subscriber goes away; the broker stays."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def close(self, number: int = signal.SIGKILL) -> None:
        self.leave()
        self.broker.end(number)

    def _on_message(self, client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        for number in self._read(message.topic, message.payload):
            self.last_at = time.monotonic()
            if number == ALTERED:
                self.altered += 1
            else:
                self.came[number] += 1


def read_tb(topic: str, payload: bytes) -> Iterable[int]:
    if topic == "v1/gateway/telemetry":
        for items in json.loads(payload).values():
            yield from (checked(item.get("values")) for item in items)


def read_te(topic: str, payload: bytes) -> Iterable[int]:
    """A topic that is none of ours was ours before it was altered."""
    try:
        yield checked(json.loads(payload) if topic == "te/measurement" else None)
    except ValueError:
        yield ALTERED


def checked(values: object) -> int:
    """The number of a record, ALTERED if it is not as it was accepted."""
    if isinstance(values, dict) and values.get("pad") == PAD and isinstance(values.get("n"), int):
        return int(values["n"])
    return ALTERED


class Receipts:
    """wardlink's centre in small: opens envelopes, signs receipts. What comes again is counted again, as for all."""

    def __init__(self, ring: Path, gateway: str, site: str) -> None:
        secret = keys.recipient_secret((ring / "centre" / "recipient.key").read_text())
        self._signer = keys.signer((ring / "centre" / "centre.key").read_text())
        self._gateway = gateway
        self._topic = f"wl/1/{site}/{gateway}/receipt"
        self._open = lambda: Opener(gateway, [secret])
        self.forget()

    def forget(self) -> None:
        self._opener = self._open()
        self._held: dict[tuple[int, int], Ranges] = {}
        self._starts: dict[int, bytes] = {}
        self._sealed: list[bytes] = []
        self._news = False
        self.told: set[tuple[int, int, int]] = set()
        self.refused = 0

    def read(self, topic: str, payload: bytes) -> Iterable[int]:
        word = topic.rpartition("/")[2]
        if word not in ("key", "vital", "wave"):
            return
        try:
            yield from self._take(payload)
        except EnvelopeError:
            self.refused += 1

    def _take(self, payload: bytes) -> Iterable[int]:
        header = header_of(payload)
        held = self._held.setdefault((header.epoch, int(header.cls)), Ranges())
        held.add(header.seq, header.seq)
        self._news = True
        if header.cls is Class.KEY:
            self._starts[header.epoch] = self._opener.statement(payload)[1].nonce
        else:
            self._sealed.append(payload)
        waiting, self._sealed = self._sealed, []
        for data in waiting:
            if self._opener.knows(header_of(data)):
                yield from self._opened(data)
            else:
                self._sealed.append(data)

    def _opened(self, data: bytes) -> Iterable[int]:
        for record in bundle.read_vital(self._opener.open(data)[1]):
            if isinstance(record, StatusAt):
                yield int(record.code) if record.text == PAD else ALTERED
            elif isinstance(record, EnvelopeGap):
                self.told |= {(record.epoch, record.cls, n) for n in range(record.first, record.last + 1)}

    def answer(self, client: mqtt.Client) -> None:
        if not self._news:
            return
        self._news = False
        known = [(place, ranges) for place, ranges in sorted(self._held.items()) if place[0] in self._starts]
        held = [Held(epoch, self._starts[epoch], cls, list(ranges)) for (epoch, cls), ranges in known[-60:]]
        said = receipt.sign(self._signer, self._gateway, receipt.made(time.time_ns() // 1000, os.urandom(8), held))
        client.publish(self._topic, said, 1)
