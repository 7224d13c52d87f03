"""A broker with a good certificate and bad will: it stands before a real mosquitto, reads every packet, and lies.

It is what the gateway connects to. Each PUBLISH of the gateway meets one of `WAYS`; to the gateway it says what it
likes. Set `is_honest` and it is a broker like any other.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.system.bell import Bell

PUBLISH, PUBACK = 3, 4
WAYS = ("pass", "swallow", "refuse", "double", "late", "fake answers", "cut")
WEIGHTS = (30, 25, 15, 10, 10, 10, 0)  # a cut costs seconds of patience: the test cuts by itself
REASONS = (0x80, 0x83, 0x87, 0x90, 0x97, 0x99, 0x42, 0xFF)  # some of them no reason at all
HELD_BACK_COUNT = 5


def length(count: int) -> bytes:
    """MQTT 1.5.5, variable byte integer."""
    out = bytearray()
    while True:
        count, low = divmod(count, 128)
        out.append(low | (128 if count else 0))
        if not count:
            return bytes(out)


def publish(topic: str, data: bytes, *, number: int = 0, retain: bool = False) -> bytes:
    """QoS 1 where `number` is not 0."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + (number.to_bytes(2, "big") if number else b"") + b"\0" + data
    return bytes([0x30 | (0x02 if number else 0) | retain]) + length(len(body)) + body


def puback(number: int, reason: int = 0) -> bytes:
    return b"\x40\x03" + number.to_bytes(2, "big") + bytes([reason])


async def packet(reader: asyncio.StreamReader) -> bytes:
    """The next whole packet. Raises IncompleteReadError."""
    head = bytearray(await reader.readexactly(1))
    size = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        head.append(byte)
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return bytes(head) + await reader.readexactly(size)


def number_of(data: bytes) -> int:
    """The packet identifier of a PUBLISH at QoS 1."""
    at = 1
    while data[at] & 128:
        at += 1
    at += 1
    at += 2 + int.from_bytes(data[at : at + 2], "big")
    return int.from_bytes(data[at : at + 2], "big")


class Hostile:
    """`says` are packets that the gateway gets after each of its own; `tally` counts what was done to it."""

    def __init__(self, upstream: int, tls: Path, seed: int) -> None:
        self._upstream = upstream
        self._random = random.Random(seed)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(tls / "broker.crt", tls / "broker.key")
        self.bell = Bell()
        self.is_honest = False
        self.says: list[bytes] = []
        self.tally: Counter[str] = Counter()
        self.calls = 0
        self._late: list[bytes] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> Hostile:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        self._server.close()
        self.cut()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self.calls += 1
        self._late.clear()
        far, far_out = await asyncio.open_connection("127.0.0.1", self._upstream)
        self._writers |= {near_out, far_out}
        with suppress(OSError, asyncio.IncompleteReadError):
            await asyncio.gather(self._hear(near, near_out, far_out), self._tell(far, near_out))
        near_out.transport.abort()
        far_out.transport.abort()
        self._serving.discard(task)

    async def _tell(self, far: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        """From mosquitto. Its offer of topic numbers is left out (they would need a memory here)."""
        while True:
            data = await packet(far)
            if data[0] >> 4 == 2:
                data = b"\x20\x03" + data[2:4] + b"\0"
            near_out.write(data)
            await near_out.drain()

    async def _hear(self, near: asyncio.StreamReader, out: asyncio.StreamWriter, far_out: asyncio.StreamWriter) -> None:
        while True:
            data = await packet(near)
            if data[0] >> 4 != PUBLISH:
                far_out.write(data)
                continue
            if self.is_honest:
                far_out.write(b"".join(self._late) + data)
                self._late.clear()
            else:
                self._meet(data, out, far_out)
            self.bell.ring()

    def _meet(self, data: bytes, out: asyncio.StreamWriter, far_out: asyncio.StreamWriter) -> None:
        (way,) = self._random.choices(WAYS, WEIGHTS)
        self.tally[way] += 1
        number = number_of(data)
        if way in ("pass", "fake answers"):
            far_out.write(data)
        if way == "swallow":
            out.write(puback(number))
        elif way == "refuse":
            out.write(puback(number, self._random.choice(REASONS)))
        elif way == "double":
            far_out.write(data + bytes([data[0] | 0x08]) + data[1:])
        elif way == "late":
            self._late.append(data)
            if len(self._late) >= HELD_BACK_COUNT:
                far_out.write(b"".join(reversed(self._late)))
                self._late.clear()
        elif way == "fake answers":
            out.write(b"".join(puback(self._random.randrange(1, 65536)) for _ in range(20)))
        elif way == "cut":
            self.cut()
        out.write(b"".join(self.says))
