"""Size and speed of the waveform codec on real records, as the gateway uses it and chunk by chunk.

`.size` is the stateless `encode` on up to 25 seconds spread over a record, as in bench/codec_table.py.
`.size_remembered` is one `Encoder` from a record's first second to its last: the gateway's way.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np

from bench.codec_table import Samples, measure, signals
from bench.results import Figure
from bench.scratch import HarnessError
from wire.codec import Encoder, decode

COMMAND = "WARDLINK_RECORDS=FOLDER python bench/figures.py --no-workloads"
SPEED_OF = "A0005"  # CPSC 2018: 12 leads, 500 samples a second
SPEED_SECONDS = 60  # at most; the record is gone through again and again
FEED_RATE, FEED_SECONDS = 500, 24


def of_records(folder: Path) -> Iterator[Figure]:
    """Bits a sample of every record that can be read here, and the speed on one of them."""
    for header in sorted(folder.rglob("*.hea")):
        for name, rate, samples in signals(header):
            if samples.shape[1] >= rate:
                yield from sizes(f"{name}.{samples.shape[0]}x{rate}", rate, samples)
                if header.stem == SPEED_OF:
                    yield from speeds(rate, samples)


def of_feed(harness: Path) -> Iterator[Figure]:
    """Bits a sample of the ECG that the side-by-side harness feeds."""
    table = protocols(harness).ECG_TABLE
    rows = np.array(table, np.int32).T
    feed = np.tile(rows, -(-FEED_RATE * FEED_SECONDS // rows.shape[1]))[:, : FEED_RATE * FEED_SECONDS]
    yield from sizes(f"bench-feed.{feed.shape[0]}x{FEED_RATE}", FEED_RATE, feed)


def protocols(harness: Path) -> Any:
    """The harness's module of device protocols."""
    path = harness / "harness" / "protos.py"
    spec = util.spec_from_file_location("protos", path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise HarnessError(f"{harness} holds no harness/protos.py")
    module = util.module_from_spec(spec)
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # the harness is only read
    spec.loader.exec_module(module)
    sys.dont_write_bytecode = writes
    return module


def sizes(name: str, rate: int, samples: Samples) -> Iterator[Figure]:
    yield Figure(f"codec.{name}.size", round(measure(rate, samples)[0], 3), "bit/sample", COMMAND)
    encoder, total, count = Encoder(), 0, 0
    for chunk in chunks(rate, samples):
        total += 8 * len(encoder.encode(chunk))
        count += chunk.size
    yield Figure(f"codec.{name}.size_remembered", round(total / count, 3), "bit/sample", COMMAND)


def chunks(rate: int, samples: Samples) -> Iterator[Samples]:
    """Whole seconds, one after another."""
    for start in range(0, samples.shape[1] // rate * rate, rate):
        yield np.ascontiguousarray(samples[:, start : start + rate])


def speeds(rate: int, samples: Samples) -> Iterator[Figure]:
    """Seconds of signal to a second of CPU: medians of chunks where each stands alone, the mean of all remembered."""
    _, encode_ms, decode_ms = measure(rate, samples)
    pieces = list(chunks(rate, samples))
    pieces = (pieces * (SPEED_SECONDS // len(pieces) + 1))[:SPEED_SECONDS]
    encoder = Encoder()
    began = time.process_time()
    coded = [encoder.encode(piece) for piece in pieces]
    middle = time.process_time()
    for data, piece in zip(coded, pieces, strict=True):
        decode(data, *piece.shape)
    ended = time.process_time()
    for name, value in (
        ("encode", 1e3 / encode_ms),
        ("encode_remembered", len(pieces) / (middle - began)),
        ("decode", 1e3 / decode_ms),
        ("decode_remembered", len(pieces) / (ended - middle)),
    ):
        yield Figure(f"codec.12x500.{name}", round(value), "x-real-time", COMMAND)
