"""`python -m tests.bombs --count 100000 --seed 1`: a gateway gone bad, whose signature and key are genuine.

Bundles and statements are changed where it hurts (counts, lengths, numbers, coded chunks, single bits), sealed or
signed as if they were true, and go the whole way through the centre's door: open, read, check, decode. Exit code 0:
none raised anything but a refusal, none took more than a second of the processor, nothing grew beyond 192 MiB.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import cbor2
import msgspec
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from centre.ingest import _checked
from centre.opening import ConflictError, Openers, RefusedError
from tests.sealed import BOUND, CATALOGUE, CENTRE, block, reading
from wire import bundle, codec
from wire.envelope import ENVELOPE_LIMIT_BYTES, Header
from wire.records import Block, EnvelopeGap, MarkAt
from wire.seal import NoGrantError, Sealer
from wire.statement import Ended, Grant, Manifest, Recovered, Sealed
from wire.topics import Address, Class

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TIME_LIMIT_S = 1.0
SIZE_LIMIT_BYTES = ENVELOPE_LIMIT_BYTES - 128  # of what goes into an envelope
GROWTH_LIMIT_MIB = 192
NUMBERS = (
    0,
    1,
    -1,
    63,
    64,
    65,
    255,
    65535,
    65536,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    (1 << 62) - 1,
    1 << 63,
    (1 << 64) - 1,
)
FLAT = codec.encode(np.zeros((64, 65535), np.int32))
WAVES = [
    bundle.pack_wave([block(0), block(250, marks=[MarkAt(1, 3, "pace")])]),
    bundle.pack_wave([Block(1, 0, 64, 0, 65535, FLAT)]),
    bundle.pack_wave([Block(1, 0, 64, 0, 65535, FLAT)] * 50),
    bundle.pack_wave([Block(1, 0, 3, 0, 300, codec.encode(np.random.default_rng(1).integers(-999, 999, (3, 300))))]),
]
VITALS = [bundle.pack_vital([CATALOGUE, BOUND, reading(10, "97.50"), EnvelopeGap(5, 1, 2, 3, 9, "evicted")])]
SAID = [
    Manifest(bytes(32), [Sealed(1, 0, 60, bytes(32)), Sealed(2, 0, 60, bytes(32))], bytes(8)),
    Ended([(1, 1, 50), (1, 2, 7)], [Recovered(1, bytes(32), [Sealed(2, 3, 4, bytes(32))])], bytes(8)),
    Grant(bytes(8), bytes(32), [(bytes(8), bytes(80))] * 3),
]


def mutated(value: Any, rng: random.Random) -> Any:
    """One place of a CBOR value changed."""
    if isinstance(value, list | tuple) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        return [*value[:at], mutated(value[at], rng), *value[at + 1 :]]
    change = rng.randrange(5)
    if change == 0 or isinstance(value, int):
        return rng.choice(NUMBERS)
    if change == 1:
        return [value] * rng.choice((0, 2, 300)) if len(repr(value)) < 2000 else [value, value]
    if change == 2 and isinstance(value, bytes):
        return bytes(value[: rng.randrange(len(value) + 1)]) + rng.randbytes(rng.choice((0, 1, 40, 5000)))
    return rng.choice((None, "", "x" * 5000, b"", 0, [[[[]]]], [0] * 100_000))


def flipped(data: bytes, rng: random.Random) -> bytes:
    """Some bits changed, a piece cut out, or said again."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(out))
        change = rng.randrange(4)
        if change == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif change == 1:
            out[at] = rng.randrange(256)
        elif change == 2:
            del out[at : at + rng.randrange(40)]
        else:
            out[at:at] = out[at : at + rng.randrange(400)]
        if not out:
            return b"\0"
    return bytes(out)


def changed(data: bytes, rng: random.Random) -> bytes:
    return (flipped(data, rng) if rng.random() < 0.5 else rewritten(data, rng))[:SIZE_LIMIT_BYTES]


def rewritten(data: bytes, rng: random.Random) -> bytes:
    value = cbor2.loads(data)
    for _ in range(rng.choice((1, 1, 2))):
        value = mutated(value, rng)
    return cbor2.dumps(value)


class Door:
    """A centre's way in, without its store, and a gateway that says what it likes."""

    def __init__(self) -> None:
        self.sealer = Sealer(SIGNER, [CENTRE.recipient], 1, bytes(8))
        self.address = Address("north", self.sealer.gateway)
        self._openers = Openers([CENTRE], lambda *_: [], lambda *_: None)
        self._openers.statement(self.address, 0, self.sealer.begin_hour()[1])

    def envelope(self, cls: Class, plain: bytes) -> None:
        entry = self._openers.envelope(self.address, 0, self.sealer.seal(cls, plain)[1])
        for one in entry.blocks:
            _checked(1, one)

    def statement(self, seq: int, body: bytes) -> None:
        header = Header(1, Class.KEY, seq, 0).pack()
        whole = header + body
        signed = whole + SIGNER.sign(b"wardlink statement 1" + self.address.gateway.encode("ascii") + whole)
        self._openers.statement(self.address, 0, signed)


def throw(door: Door, number: int, rng: random.Random) -> str:
    """One bomb; what became of it."""
    kind = rng.choice(("wave", "wave", "vital", "statement"))
    act: Callable[[], None]
    if kind == "statement":
        public = SIGNER.public_key().public_bytes_raw()
        body = cbor2.dumps([public, msgspec.to_builtins(rng.choice(SAID), builtin_types=(bytes,))])
        data = changed(body, rng)
        act = lambda: door.statement(number, data)  # noqa: E731
    else:
        plain = changed(rng.choice(WAVES if kind == "wave" else VITALS), rng)
        cls = Class.WAVE if kind == "wave" else Class.VITAL
        act = lambda: door.envelope(cls, plain)  # noqa: E731
    try:
        act()
    except RefusedError as refused:
        return str(refused.reason)
    except (ConflictError, NoGrantError) as refused:
        return type(refused).__name__
    return "taken"


def campaign(count: int, seed: int) -> tuple[Counter[str], float, float]:
    """(what became of them, the slowest in seconds, growth in MiB)."""
    rng, door = random.Random(seed), Door()
    for plain in WAVES[:2]:
        door.envelope(Class.WAVE, plain)  # what the largest true one costs is no growth
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts: Counter[str] = Counter()
    slowest = 0.0
    for number in range(count):
        began = time.process_time()
        counts[throw(door, number, rng)] += 1
        slowest = max(slowest, time.process_time() - began)
    growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return counts, slowest, growth


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bombs")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    counts, slowest, growth = campaign(args.count, args.seed)
    told = ", ".join(f"{reason} {by}" for reason, by in counts.most_common())
    print(f"seed {args.seed}: {args.count} bombs, slowest {slowest * 1000:.0f} ms, grew {growth:.0f} MiB: {told}")
    return 0 if slowest < TIME_LIMIT_S and growth < GROWTH_LIMIT_MIB else 1


if __name__ == "__main__":
    sys.exit(main())
