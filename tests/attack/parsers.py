"""`python -m tests.attack.parsers --runs 10000000`: every parser of what others wrote hears ruined bytes.

Drivers have a campaign of their own (`python -m tests.fuzz`); here are the wire's readers, the spool's frames and
pages, marks, tapes, captures and configurations. Each has the errors it may raise; any other is a failure. Exit code 0:
none, and the process grew by less than 5 MiB.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cbor2
import msgspec
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import config, marks
from agent.ports import tape
from agent.spool.files import Disk
from config.load import ConfigError
from drivers import capture
from tests.fuzz.life import resident_bytes
from wire import bundle, cbor, codec, command, envelope, keys, presence, receipt, statement, topics
from wire.bits import CodecError
from wire.records import Block, NumericAt, StatusAt

GROWTH_LIMIT_BYTES = 5 << 20
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
GATEWAY = keys.gateway_id(SIGNER.public_key())
STRANGE = (b"\0", b"\x1a", b"\r", b"\xff" * 4, b"\x80", b"\x7f" * 8, b"\xf9\x7e\x00", b"\xc4\x82", b"9" * 50, b"\x9b")


@dataclass(frozen=True)
class Parser:
    name: str
    read: Callable[[bytes], object]
    good: tuple[bytes, ...]
    errors: tuple[type[Exception], ...]


def text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode("utf-8", "replace"))


def in_file(folder: Path, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    file = folder / "fuzzed"

    def act(data: bytes) -> object:
        file.write_bytes(data)
        return read(file)

    return act


def parsers(folder: Path) -> Iterator[Parser]:
    vital = bundle.pack_vital([NumericAt(5, 1, 97, ""), StatusAt(6, 1, "probe", "on", "", "spo2")])
    coded = codec.encode(np.arange(300, dtype=np.int32).reshape(2, 150) % 37)
    wave = bundle.pack_wave([Block(5, 1, 2, 0, 150, coded)])
    header = envelope.Header(1, topics.Class.KEY, 0, 0)
    said = statement.sign(SIGNER, GATEWAY, header, statement.Ended([(1, 0, 5)], [], bytes(8)))
    held = receipt.sign(SIGNER, GATEWAY, receipt.made(5, bytes(8), [receipt.Held(1, bytes(8), 2, [(0, 9)])]))
    public, refused = SIGNER.public_key(), (OSError,)
    yield Parser("cbor", cbor.loads, (vital, wave, cbor2.dumps([1, "a", b"b"])), (cbor.CBORError,))
    yield Parser("vital bundle", bundle.read_vital, (vital,), (bundle.BundleError,))
    yield Parser("wave bundle", bundle.read_wave, (wave,), (bundle.BundleError,))
    yield Parser("codec", lambda data: codec.decode(data, 2, 150), (coded,), (CodecError,))
    yield Parser("envelope", envelope.header_of, (said,), (envelope.EnvelopeError,))
    yield Parser("statement", lambda data: statement.read(GATEWAY, data), (said,), (envelope.EnvelopeError,))
    yield Parser("receipt", lambda data: receipt.read(public, GATEWAY, data), (held,), (receipt.ReceiptError,))
    yield Parser("command", lambda data: command.read(public, GATEWAY, data), (held,), (command.CommandError,))
    yield Parser("presence", presence.read, (presence.Presence("online", 1).pack(),), (presence.PresenceError,))
    yield Parser("topic", text(topics.parse), (b"wl/1/north/gw-1/vital",), (topics.TopicError,))
    yield Parser("key", text(keys.recipient), (b"x25519:" + b"A" * 43,), (keys.KeyFormatError,))
    good = b'site = "a"\nbroker = "mqtts://h"\n[[port]]\npath = "/dev/x"\ndriver = "contec_v7"\nbaud = 5\n'
    yield Parser("configuration", in_file(folder, config.load), (good,), (ConfigError,))
    shown = next(Path(capture.__file__).parents[1].glob("tests/captures/contec_v7/*.cap")).read_bytes()[:600]
    yield Parser("capture", text(capture.parse), (shown,), (capture.CaptureError,))
    step = msgspec.json.encode({"a": [marks.Step("1", [(1, 2, 3)])]})
    framed = len(step).to_bytes(4, "big") + step
    yield Parser("marks", in_file(folder, lambda file: marks._read(Disk(), file)), (framed,), refused)
    head = tape._head()
    taped = head + tape._record(5, 0, b"abc") * 3
    yield Parser("tape", in_file(folder, lambda file: list(tape._read(file, head))), (taped,), ())


def ruined(dice: random.Random, good: tuple[bytes, ...]) -> bytes:
    """A good one, bent; sometimes noise."""
    if dice.random() < 0.1:
        return dice.randbytes(dice.randrange(200))
    data = bytearray(dice.choice(good))
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        at, way = dice.randrange(len(data) + 1), dice.randrange(5)
        if way == 0 and at < len(data):
            data[at] ^= 1 << dice.randrange(8)
        elif way == 1:
            data[at:at] = dice.choice(STRANGE)
        elif way == 2:
            del data[at : at + dice.randint(1, 8)]
        elif way == 3 and at < len(data):
            data[at] = dice.randrange(256)
        elif way == 4:
            other = dice.choice(good)
            data[at:] = other[dice.randrange(len(other)) :]
    return bytes(data)


def campaign(folder: Path, runs: int, seed: int = 1) -> list[dict[str, Any]]:
    """A line for each parser; `runs` of each."""
    logging.disable(logging.CRITICAL)
    try:
        return [one(parser, runs, seed) for parser in parsers(folder)]
    finally:
        logging.disable(logging.NOTSET)


def one(parser: Parser, runs: int, seed: int) -> dict[str, Any]:
    dice, failures, taken = random.Random(f"{parser.name} {seed}"), [], 0
    for good in parser.good:
        _tried(parser, good)
    before, begun = resident_bytes(), time.monotonic()
    for _ in range(runs):
        data = ruined(dice, parser.good)
        try:
            parser.read(data)
            taken += 1
        except parser.errors:
            continue
        except Exception as error:  # noqa: BLE001  it is what we look for
            failures.append(f"{type(error).__name__}: {error!s:.200} on {data[:80].hex()}")
    gc.collect()
    return {
        "parser": parser.name,
        "runs": runs,
        "taken": taken,
        "failed": len(failures),
        "failures": sorted(set(failures))[:3],
        "grown_bytes": max(0, resident_bytes() - before),
        "seconds": round(time.monotonic() - begun, 1),
    }


def _tried(parser: Parser, data: bytes) -> None:
    try:
        parser.read(data)
    except parser.errors:
        return


def main() -> int:
    cli = argparse.ArgumentParser(prog="python -m tests.attack.parsers", description=(__doc__ or "").split("\n")[0])
    cli.add_argument("--runs", type=int, default=10_000_000, help="of each parser")
    cli.add_argument("--seed", type=int, default=1)
    args = cli.parse_args()
    good = True
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        for parser in parsers(Path(folder)):
            said = one(parser, args.runs, args.seed)
            good = good and not said["failed"] and said["grown_bytes"] < GROWTH_LIMIT_BYTES
            print(json.dumps(said), flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
