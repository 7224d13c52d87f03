"""A centre without an inside, so that the broker is the limit: `python -m bench.rig.hollow PORT SEED FILE [KEYS]`.

It subscribes as the real one does, with the same Receive Maximum, acknowledges, remembers each envelope by its digest,
and sends each gateway signed receipts at the real one's pace (`centre.receipts.Schedule`). At its end FILE has a row
for each envelope that came the first time; copies are counted. KEYS: its folder of certificates, where TLS is on.
"""

from __future__ import annotations

import asyncio
import hashlib
import signal
import ssl
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

from bench.rig import packets, rings
from centre import clock, receipts
from centre.config import Config, tls_files
from centre.receipts import Schedule
from centre.subscriber import KEEPALIVE_S, PACKET_LIMIT_BYTES, QUEUE_LIMIT_DELIVERIES, SESSION_LIMIT_S, WORDS, tls
from wire import topics
from wire.envelope import header_of
from wire.ranges import Ranges
from wire.receipt import Held
from wire.statement import author, read
from wire.topics import Address, Class

TELL_EVERY_S = 0.02
_WORDS = {cls.word.encode(): cls for cls in Class}
TAKEN = np.dtype([("gateway", "S24"), ("cls", "u1"), ("seq", "u4"), ("received", "u8"), ("digest", "S32")])


class Hollow(asyncio.Protocol):
    """All that came: `rows` as in TAKEN."""

    def __init__(self, seed: int) -> None:
        self._signer = rings.centre_signer(seed)
        self._rest = b""
        self._mid = 0
        self.is_lost = asyncio.Event()
        self.is_lost.set()
        self._schedule = Schedule()
        self._starts: dict[str, bytes] = {}
        self._held: dict[str, dict[int, Ranges]] = {}
        self.rows: list[tuple[bytes, int, int, int, bytes]] = []
        self.copies = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.is_lost.clear()
        self._rest = b""
        limits = packets.receive_limit(QUEUE_LIMIT_DELIVERIES) + packets.packet_limit(PACKET_LIMIT_BYTES)
        limits += packets.session_limit(SESSION_LIMIT_S)
        transport.write(packets.connect("centre", "", KEEPALIVE_S, limits, None))

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost.set()

    def data_received(self, data: bytes) -> None:
        found, self._rest = packets.split(self._rest + data if self._rest else data)
        out = []
        for first, body in found:
            kind = first >> 4
            if kind == packets.PUBLISH:
                mid, topic, said = packets.heard(first, body)
                self._take(topic, said)
                if mid:
                    out.append(packets.puback(mid))
            elif kind == packets.CONNACK:
                out += [packets.subscribe(self._number(), topics.everything(word), 1) for word in WORDS]
            elif kind == packets.SUBACK:
                print("broker connected", flush=True)
        self._transport.write(b"".join(out))

    async def telling(self) -> None:
        """Receipts when they are due."""
        while True:
            if not self.is_lost.is_set():
                self._tell()
            await asyncio.sleep(TELL_EVERY_S)

    def _tell(self) -> None:
        for address in self._schedule.due(clock.monotonic_s()):
            gateway = address.gateway
            start = self._starts.get(gateway, bytes(8))
            held = [Held(rings.EPOCH, start, cls, one.pairs()) for cls, one in self._held.get(gateway, {}).items()]
            data = receipts.made(self._signer, gateway, clock.utc_us(), clock.nonce(), held)
            topic = address.topic("receipt").encode()
            self._transport.write(packets.publish(self._number(), topic, data, retain=True))

    def _take(self, topic: bytes, data: bytes) -> None:
        _, _, site, gateway, word = topic.split(b"/")
        cls, address = _WORDS.get(word), Address(site.decode(), gateway.decode())
        if cls is None:  # presence
            self._schedule.hurry([address])
            return
        header = header_of(data)
        held = self._held.setdefault(address.gateway, {}).setdefault(int(cls), Ranges())
        if header.seq in held:
            self.copies += 1
        else:
            held.add(header.seq)
            self.rows.append((gateway, int(cls), header.seq, clock.utc_us(), hashlib.sha256(data).digest()))
        if cls is Class.KEY and address.gateway not in self._starts and author(data) == address.gateway:
            self._starts[address.gateway] = read(address.gateway, data)[1].nonce
        self._schedule.touch([address])

    def _number(self) -> int:
        self._mid = self._mid % 65_535 + 1
        return self._mid


async def run(port: int, seed: int, out: Path, keys: str) -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    hollow = Hollow(seed)
    context: ssl.SSLContext | None = tls(*tls_files(Config(broker="mqtts://localhost", keys=keys))) if keys else None
    name = "localhost" if context else None
    telling, attempt = asyncio.create_task(hollow.telling()), 0
    while not over.is_set():
        try:
            await loop.create_connection(lambda: hollow, "127.0.0.1", port, ssl=context, server_hostname=name)
            attempt = 0
            await _first(over, hollow.is_lost)
        except OSError:
            attempt += 1
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), 0 if over.is_set() else clock.retry_s(attempt))
    telling.cancel()
    with out.open("wb") as file:
        np.save(file, np.array(hollow.rows, TAKEN))
        np.save(file, np.array([hollow.copies]))


async def _first(*events: asyncio.Event) -> None:
    """Until one of them is set."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for one in waiting:
        one.cancel()


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), "".join(sys.argv[4:])))
