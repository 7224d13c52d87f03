"""The bytes of one connection of a simulated gateway."""

from __future__ import annotations

import asyncio
from typing import Protocol

from agent.uplink.broker import Broker
from agent.uplink.wary import TAKEN_LIMIT_BYTES
from bench.rig import packets, rings
from bench.rig.sheet import Sheet
from wire.presence import Presence
from wire.topics import Address

SUCCESS_LIMIT = 0x80


class Owner(Protocol):
    """Whose connection it is; what it is told."""

    address: Address
    sheet: Sheet
    broker: Broker
    named: bool

    def begins(self, line: Line) -> None: ...
    def ends(self, line: Line) -> None: ...
    def settle(self, line: Line, mid: int, reason: int) -> None: ...
    def told(self, line: Line, data: bytes) -> None: ...


class Line(asyncio.Protocol):
    """The bytes of one connection. `agreed` are classes whose topic alias the broker knows."""

    def __init__(self, owner: Owner) -> None:
        loop = asyncio.get_running_loop()
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._spoke = 0.0
        self.now = loop.time
        self.terms: packets.Terms | None = None
        self.agreed: set[int] = set()
        self.accepted: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        owner, address = self._owner, self._owner.address
        will = address.topic("state"), Presence("offline", rings.EPOCH).pack()
        name = address.gateway if owner.named else ""
        limits = packets.packet_limit(TAKEN_LIMIT_BYTES)
        self.write(packets.connect(address.gateway, name, owner.broker.keepalive_s, limits, will))

    def write(self, data: bytes) -> None:
        assert self._transport is not None
        self._spoke = self.now()
        self._transport.write(data)

    def tend(self, now: float) -> None:
        """Keepalive."""
        if now - self._spoke > self._owner.broker.keepalive_s / 2:
            self.write(packets.PINGREQ)

    def data_received(self, data: bytes) -> None:
        found, self._rest = packets.split(self._rest + data if self._rest else data)
        for first, body in found:
            kind = first >> 4
            if kind == packets.PUBACK:
                self._owner.settle(self, *packets.answered(body))
            elif kind == packets.PUBLISH:
                self._publication(first, body)
            elif kind == packets.CONNACK:
                self._answer(body)
            elif kind == packets.SUBACK and body[-1] >= SUCCESS_LIMIT:
                self._owner.sheet.counts["subscriptions_refused"] += 1

    def _publication(self, first: int, body: bytes) -> None:
        mid, topic, data = packets.heard(first, body)
        if mid:
            self.write(packets.puback(mid))
        if topic.endswith(b"/receipt"):
            self._owner.told(self, data)
        else:
            self._owner.sheet.counts[topic.rpartition(b"/")[2].decode()] += 1

    def _answer(self, body: bytes) -> None:
        self.terms = packets.accepted(body)
        if self.terms.reason:
            self._owner.sheet.counts[f"connect_refused_{self.terms.reason}"] += 1
            self.close()
        elif not self.accepted.done():
            self.accepted.set_result(None)
            self._owner.begins(self)

    def connection_lost(self, error: Exception | None) -> None:
        lost = error if isinstance(error, OSError) else ConnectionResetError("closed")
        if not self.accepted.done():
            self.accepted.set_exception(lost)
            self.accepted.exception()  # looked at: whoever waits may have gone
        if not self.ended.done():
            self.ended.set_result(None)
        self._owner.ends(self)

    def leave(self) -> None:
        if self._transport is not None:
            self._transport.write(packets.LEAVING)
            self._transport.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
