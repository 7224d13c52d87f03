"""A gateway for tests of the centre: genuine envelopes by wire's own Sealer, as arrivals."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from centre.ingest import Arrival
from wire import bundle, codec
from wire.envelope import Header
from wire.keys import RecipientSecret
from wire.records import Association, Block, Catalogue, MarkAt, NumericAt, Record, StreamInfo
from wire.seal import Sealer
from wire.topics import Address, Class

RECEIVED = 1_800_000_000_000_000
CENTRE = RecipientSecret("x25519", bytes(range(32)))
STRANGER = RecipientSecret("x25519", bytes(range(1, 33)))
CATALOGUE = Catalogue(
    0, 0, "nonin_9560", "sum", "usb-1", "Nonin", "9560", "501", "1.2",
    [
        StreamInfo(0, "spo2", 150456, "%"),
        StreamInfo(1, "ecg-ii", 131330, "mV", (500, 1), (1, 1000), (0, 1), 16, "diagnostic"),
        StreamInfo(2, "ecg-iii", 131389, "mV", (500, 1), (1, 1000), (0, 1), 16, "diagnostic"),
    ],
)  # fmt: skip
BOUND = Association(5, "scan", "validated", "nurse-7", "p-123", "bed 12")


class Bedside:
    """One start of one gateway. `name` makes its key, `secrets` are who may open, `start` are its random bytes."""

    def __init__(
        self,
        name: str = "first",
        epoch: int = 1,
        secrets: Sequence[RecipientSecret] = (CENTRE,),
        start: bytes = bytes(8),
    ) -> None:
        self.start = start
        signer = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
        self._sealer = Sealer(signer, [secret.recipient for secret in secrets], epoch, start)
        self.address = Address("north", self._sealer.gateway)
        self.gateway = self.address.gateway

    def grant(self) -> Arrival:
        return self._arrival(self._sealer.begin_hour())

    def vital(self, *records: Record) -> Arrival:
        return self._arrival(self._sealer.seal(Class.VITAL, bundle.pack_vital(records)))

    def wave(self, *blocks: Block) -> Arrival:
        return self._arrival(self._sealer.seal(Class.WAVE, bundle.pack_wave(blocks)))

    def plain(self, cls: Class, data: bytes) -> Arrival:
        """Seal bytes that are no bundle."""
        return self._arrival(self._sealer.seal(cls, data))

    def manifest(self) -> Arrival:
        made = self._sealer.manifest()
        assert made is not None
        return self._arrival(made)

    def ended(self, *tails: tuple[int, int, int]) -> Arrival:
        return self._arrival(self._sealer.ended(tails))

    def state(self, data: bytes) -> Arrival:
        return Arrival(self.address, "state", data, RECEIVED)

    def _arrival(self, made: tuple[Header, bytes]) -> Arrival:
        return Arrival(self.address, made[0].cls.word, made[1], RECEIVED)


def values(first: int, count: int, rows: int = 2) -> np.ndarray:
    """Integers that differ by channel and index, shape (rows, count)."""
    index = np.arange(first, first + count)
    return np.array([(index * 7 + row * 1000) % 2000 - 1000 for row in range(rows)], dtype=np.int32)


def block(first: int, count: int = 250, marks: Sequence[MarkAt] = ()) -> Block:
    """Streams 1 and 2 at 500 Hz from index `first`."""
    t = 1_000_000 + (first + count) * 2000
    return Block(t, 1, 2, first, count, codec.encode(values(first, count)), list(marks))


def reading(t: int, value: str = "97", stream: int = 0) -> NumericAt:
    return NumericAt(t, stream, Decimal(value))
