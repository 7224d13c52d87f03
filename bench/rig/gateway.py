"""One simulated gateway: what it owes the centre, and its one connection. The rules are those of `agent/uplink`."""

from __future__ import annotations

import asyncio
import os
import random
import ssl
from collections import deque
from dataclasses import dataclass
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.uplink.broker import Broker
from agent.uplink.lanes import Lane, Parcel
from agent.uplink.pace import SECOND_NS, Backoff, Window
from agent.uplink.receipts import Patience
from bench.rig import packets, rings
from bench.rig.line import Line
from bench.rig.rings import Ring
from bench.rig.sheet import NEVER, Sheet
from wire import receipt
from wire.moment import NONCE_BYTES
from wire.presence import Presence
from wire.receipt import Held, ReceiptError
from wire.topics import Address, Class

VERIFY_EVERY = 50  # of a gateway's receipts: all would cost the machine more than the centre's signing


@dataclass(frozen=True, slots=True)
class World:
    """What the gateways of a process share. `named`: the client says its name itself, for no certificate does."""

    broker: Broker
    named: bool
    verifier: Ed25519PublicKey
    seed: int
    sheet: Sheet


class Gateway:
    """`row` is its place on the sheet. An envelope is owed from its due time until a receipt says that it is held."""

    def __init__(self, world: World, ring: Ring, row: int, tls: ssl.SSLContext | None) -> None:
        self.world, self.ring, self.row, self.tls = world, ring, row, tls
        self.sheet, self.broker, self.named = world.sheet, world.broker, world.named
        self.address = Address(rings.SITE, ring.gateway)
        self.is_leaving = False
        self.is_up = False
        self.line: Line | None = None
        self._backoff = Backoff(random.Random(f"{world.seed} {ring.gateway}").uniform)
        self._window = Window()
        self._patience = Patience()
        self._waiting: deque[int] = deque()
        self._flying: dict[int, int] = {}  # index by packet identifier
        self._flying_bytes = 0
        self._resting: dict[int, float] = {}  # index: when the broker acknowledged it
        self._unheld: dict[int, dict[int, int]] = {int(cls): {} for cls in Class}  # index by class and seq
        self._receipts = 0
        self._mid = 0
        self._topics = {int(cls): self.address.topic(cls.word).encode() for cls in Class}

    def offer(self, index: int, due: float) -> None:
        """This envelope of the ring is sealed now."""
        sheet = self.sheet
        sheet.due[self.row * sheet.columns + index] = due
        sheet.counts["offered"] += 1
        self._unheld[self.ring.cls[index]][self.ring.seq[index]] = index
        self._waiting.append(index)
        if self.line is not None and self.is_up:
            self._pump(self.line)

    async def stay_connected(self, wait_s: float) -> None:
        """As `agent.uplink.uplink` does it: its back-off between any two connections."""
        await asyncio.sleep(wait_s)
        while not self.is_leaving:
            unheard = await self._connection()
            if not self.is_leaving:
                await asyncio.sleep(self._backoff.next_ns(unheard) / SECOND_NS)

    async def _connection(self) -> bool:
        """One life of a connection; whether nobody answered the dial."""
        loop, broker = asyncio.get_running_loop(), self.world.broker
        line, unheard = Line(self), True
        try:
            async with asyncio.timeout(broker.connect_limit_s):
                async with asyncio.timeout(broker.dial_limit_s):
                    name = "localhost" if self.tls else None
                    await loop.create_connection(
                        lambda: line, broker.host, broker.port, ssl=self.tls, server_hostname=name
                    )
                unheard = False
                await line.accepted
            await line.ended
        except OSError as error:  # TimeoutError and ssl.SSLError among them
            self.sheet.counts[f"dial_{type(error).__name__}"] += 1
            unheard = unheard and isinstance(error, TimeoutError)
        finally:
            line.close()
        return unheard

    def leave(self) -> None:
        self.is_leaving = True
        if self.line is not None:
            self.line.leave()

    def begins(self, line: Line) -> None:
        """The broker accepted us: what `Uplink._begin` says, then what is owed."""
        address = self.address
        self.line, self.is_up = line, True
        self.sheet.up[self.row] = line.now()
        self.sheet.counts["connects"] += 1
        for word, qos in (("receipt", 1), ("command", 1), ("time", 0)):
            line.write(packets.subscribe(self._number(), address.topic(word), qos))
        said = Presence("online", rings.EPOCH).pack()
        line.write(packets.publish(self._number(), address.topic("state").encode(), said, retain=True))
        line.write(packets.publish(0, address.topic("clock").encode(), os.urandom(NONCE_BYTES)))
        self._pump(line)

    def ends(self, line: Line) -> None:
        """What was on its way waits again, in the order of the ring."""
        if self.line is line:
            self.line = None
        if self.is_up and line.terms is not None:
            self.is_up = False
            self._waiting = deque(sorted({*self._waiting, *self._flying.values()}))
            self._flying.clear()
            self._flying_bytes = 0

    def settle(self, line: Line, mid: int, reason: int) -> None:
        """A PUBACK. What the broker refused goes again when its patience is over."""
        index = self._flying.pop(mid, None)
        if index is None:  # presence
            return
        ring, now, sheet = self.ring, line.now(), self.sheet
        self._flying_bytes -= ring.size[index]
        cls, seq = ring.cls[index], ring.seq[index]
        if reason:
            sheet.counts[f"refused_{reason}"] += 1
        else:
            line.agreed.add(cls)
            self._backoff.progress()
            self._patience.sent(Parcel(Lane.LIVE, Class(cls), rings.EPOCH, 0, seq, b""), int(now * SECOND_NS))
            at = self.row * sheet.columns + index
            if sheet.acked[at] == NEVER:
                sheet.acked[at] = now
                sheet.counts["acked"] += 1
        if seq in self._unheld[cls]:
            self._resting[index] = now
        self._pump(line)

    def told(self, line: Line, data: bytes) -> None:
        """A receipt."""
        self._receipts += 1
        counts, now = self.sheet.counts, line.now()
        counts["receipts"] += 1
        try:
            for held in self._read(data):
                self._hold(held, now)
        except ReceiptError as error:
            counts[f"receipt_{error.reason}"] += 1

    def look(self, now: float) -> None:
        """What has waited for its receipt beyond patience is owed to the broker again."""
        limit = now - self._patience.ns / SECOND_NS
        over = [index for index, at in self._resting.items() if at < limit]
        for index in over:
            del self._resting[index]
        self.sheet.counts["sent_again"] += len(over)
        self._waiting.extend(over)
        if self.line is not None and self.is_up:
            self.line.tend(now)
            self._pump(self.line)

    def _read(self, data: bytes) -> list[Held]:
        """Verified: the first, and then every so many of them."""
        if self._receipts % VERIFY_EVERY == 1:
            self.sheet.counts["receipts_verified"] += 1
            return receipt.read(self.world.verifier, self.ring.gateway, data).held
        said: list[Any] = cbor2.loads(data[: -receipt.SIGNATURE_BYTES])
        return [Held(*one) for one in said[3]]

    def _hold(self, held: Held, now: float) -> None:
        sheet, unheld = self.sheet, self._unheld[held.cls]
        for seq in [seq for seq in unheld if any(first <= seq <= last for first, last in held.ranges)]:
            index = unheld.pop(seq)
            self._resting.pop(index, None)
            sheet.held[self.row * sheet.columns + index] = now
            sheet.counts["held"] += 1
        self._patience.held(held, int(now * SECOND_NS))

    def _pump(self, line: Line) -> None:
        """Hand over what the window and the broker's Receive Maximum admit."""
        terms, sheet, ring = line.terms, self.sheet, self.ring
        assert terms is not None, "only what is accepted is up"
        while self._waiting and len(self._flying) < terms.receive_limit_count:
            index = self._waiting[0]
            size, cls = ring.size[index], ring.cls[index]
            if ring.seq[index] not in self._unheld[cls]:  # a receipt came meanwhile
                self._waiting.popleft()
                continue
            if not self._window.admits(size, self._flying_bytes, len(self._flying)):
                return
            self._waiting.popleft()
            mid = self._number()
            self._flying[mid] = index
            self._flying_bytes += size
            topic = b"" if cls in line.agreed else self._topics[cls]
            alias = cls + 1 if cls < terms.aliases_limit_count else 0
            at = self.row * sheet.columns + index
            if sheet.written[at] == NEVER:
                sheet.written[at] = line.now()
            line.write(packets.publish(mid, topic if alias else self._topics[cls], ring.data(index), alias=alias))

    def _number(self) -> int:
        """A packet identifier that is free."""
        while True:
            self._mid = self._mid % 65_535 + 1
            if self._mid not in self._flying:
                return self._mid
