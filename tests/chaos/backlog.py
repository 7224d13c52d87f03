"""Backlogs as gateways have them after days without a link: real envelopes in real spools, made by the product's code.

An hour is begun by its grant, each minute ends with a manifest; a second is a vital (one reading) and a wave (a few
samples). Beside each spool stands the maker's own record: (epoch, class, seq) and SHA-256 of every envelope.
"""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

import numpy as np

from agent import identity
from agent.spool import Spool, Stored
from wire import bundle, codec
from wire.envelope import Header
from wire.records import Association, Block, Catalogue, NumericAt, StreamInfo
from wire.seal import Sealer
from wire.topics import Class

MIB = 1 << 20
QUOTAS = {int(Class.KEY): 64 * MIB, int(Class.VITAL): 2048 * MIB, int(Class.WAVE): 4096 * MIB}
SECOND_US = 1_000_000
MINUTE_S, HOUR_S = 60, 3600
SAMPLES = 8
COMMIT_EVERY = 2000
MADE_FILE = "made.bin"
_ROW = struct.Struct("<IBI32s")
_CATALOGUE = Catalogue(
    0, 0, "contec_v7", "sum", "made", "Contec", "CMS60C", "", "",
    [StreamInfo(0, "spo2", 150456, "%"), StreamInfo(1, "pleth", 150452, "1", (SAMPLES, 1), bits=7)],
)  # fmt: skip

Name = tuple[int, int, int]  # (epoch, class, seq)


@dataclass(frozen=True, slots=True)
class Order:
    """What to make: `count` envelopes in `epochs` epochs for the gateway whose keys are in `keys`."""

    keys: Path
    state: Path
    count: int
    epochs: int
    seed: int


def make(order: Order) -> int:
    """Fill the spool and write the record; returns how many were made."""
    order.state.mkdir(parents=True, exist_ok=True)
    made = 0
    with (order.state / MADE_FILE).open("wb") as record:
        for number in range(order.epochs):
            made += _epoch(order, (order.count - made) // (order.epochs - number), record)
    return made


def _epoch(order: Order, count: int, record: BinaryIO) -> int:
    """One start of the gateway: so many envelopes, and then it died."""
    who = identity.load(order.keys, receipts=True)
    spool = Spool.open(order.state / "spool", QUOTAS)
    sealer = Sealer(who.signer, who.recipients, spool.epoch, spool.nonce)
    dice = random.Random(f"{order.seed} {who.gateway} {spool.epoch}")
    for number, (header, data) in enumerate(_envelopes(sealer, dice, count), 1):
        spool.append(Stored(int(header.cls), header.epoch, header.hour, header.seq, data))
        record.write(_ROW.pack(header.epoch, header.cls, header.seq, hashlib.sha256(data).digest()))
        if number % COMMIT_EVERY == 0:
            spool.commit()
    spool.commit()
    spool.close()
    return count


def _envelopes(sealer: Sealer, dice: random.Random, count: int) -> Iterator[tuple[Header, bytes]]:
    """The first `count` envelopes of an epoch."""
    return (made for made, _ in zip(_life(sealer, dice), range(count), strict=False))


def _life(sealer: Sealer, dice: random.Random) -> Iterator[tuple[Header, bytes]]:
    coded = [codec.encode(np.array([dice.choices(range(128), k=SAMPLES)], np.int32)) for _ in range(256)]
    second = 0
    while True:
        t = second * SECOND_US
        if second % HOUR_S == 0:
            yield sealer.begin_hour()
        reading = NumericAt(t, 0, Decimal(dice.randint(85, 100)))
        said = [_CATALOGUE, Association(t, "none", "unvalidated", "", "", "made")] if second % HOUR_S == 0 else []
        yield sealer.seal(Class.VITAL, bundle.pack_vital([*said, reading]))
        yield sealer.seal(Class.WAVE, bundle.pack_wave([Block(t, 1, 1, second * SAMPLES, SAMPLES, dice.choice(coded))]))
        second += 1
        if second % MINUTE_S == 0 and (manifest := sealer.manifest()) is not None:
            yield manifest


def recorded(state: Path) -> Iterator[tuple[Name, bytes]]:
    """((epoch, class, seq), SHA-256) of all that was made, as the maker wrote them down."""
    for epoch, cls, seq, digest in _ROW.iter_unpack((state / MADE_FILE).read_bytes()):
        yield (epoch, cls, seq), digest
