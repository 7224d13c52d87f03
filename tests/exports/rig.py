"""A bed whose samples are known, through the real wire (codec, seal, open) into a centre's store."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from centre import rows
from centre.counts import Counts
from centre.export.archive import Archive, opened
from centre.gate import Gate
from centre.ingest import Ingest
from centre.store import Store
from tests.sealed import CENTRE, RECEIVED, Bedside
from wire import codec
from wire.records import Anchor, Association, Block, Catalogue, MarkAt, Record, StreamGap, StreamInfo

UTC = RECEIVED - 40 * 86_400_000_000  # at t 0; envelopes come later
T_BEGUN = 7_000_000
BATCH_ENVELOPES = 64


@dataclass
class Truth:
    """Samples that a device said: `values` of shape (rows, n) at one rate, by index, where `held`."""

    name: str
    rate: Fraction
    values: np.ndarray
    channels: list[str]
    units: list[str] = field(default_factory=list)
    gains: list[Fraction] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    held: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    marks: list[tuple[int, MarkAt]] = field(default_factory=list)
    filter: str = ""

    def __post_init__(self) -> None:
        rows, count = self.values.shape
        self.units = self.units or ["mV"] * rows
        self.gains = self.gains or [Fraction(1, 1000)] * rows
        self.offsets = self.offsets or [0] * rows
        self.held = self.held if self.held.size else np.ones((rows, count), bool)

    def infos(self, first: int = 0) -> list[StreamInfo]:
        return [
            StreamInfo(
                first + row,
                channel,
                0,
                unit,
                (self.rate.numerator, self.rate.denominator),
                (gain.numerator, gain.denominator),
                (offset, 1),
                16,
                self.filter,
            )
            for row, (channel, unit, gain, offset) in enumerate(
                zip(self.channels, self.units, self.gains, self.offsets, strict=True)
            )
        ]


def arrival_t(index: int, rate: Fraction) -> int:
    """When sample `index` was there, of a device that is never late."""
    return T_BEGUN + int(index * 1_000_000 / rate)


def blocks(truth: Truth, stream: int = 0, seconds: float = 1.0) -> Iterator[list[Block]]:
    """What the gateway makes of it, an interval at a time: rows that are held alike are coded together."""
    encoder = codec.Encoder()
    step = max(1, round(truth.rate * Fraction(seconds)))
    for start in range(0, truth.values.shape[1], step):
        stop = min(start + step, truth.values.shape[1])
        yield [
            one
            for a, b, low, high in _even(truth.held, start, stop)
            for one in [_block(truth, encoder, stream, a, b, low, high)]
        ]


def _even(held: np.ndarray, start: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
    """Runs of indices in which the same rows are held, and of these the rows that follow each other."""
    part = held[:, start:stop]
    edges = [0, *(np.flatnonzero((part[:, 1:] != part[:, :-1]).any(axis=0)) + 1).tolist(), stop - start]
    for a, b in itertools.pairwise(edges):
        here = np.flatnonzero(part[:, a]).tolist()
        while here:
            count = next((i for i, row in enumerate(here) if row != here[0] + i), len(here))
            yield start + a, start + b, here[0], here[0] + count
            here = here[count:]


def _block(truth: Truth, encoder: codec.Encoder, stream: int, a: int, b: int, low: int, high: int) -> Block:
    marks = [
        MarkAt(m.row - low, at - a, m.kind, m.count) for at, m in truth.marks if a <= at < b and low <= m.row < high
    ]
    coded = encoder.encode(np.ascontiguousarray(truth.values[low:high, a:b]))
    return Block(arrival_t(b - 1, truth.rate), stream + low, high - low, a, b - a, coded, marks)


def gaps(truth: Truth, stream: int = 0) -> Iterator[StreamGap]:
    """What the gateway declares of what is not held."""
    for row, held in enumerate(truth.held):
        edges = np.flatnonzero(np.diff(np.concatenate([[1], held.astype(np.int8), [1]])))
        for first, last in edges.reshape(-1, 2).tolist():
            t = arrival_t(min(last, len(held) - 1), truth.rate)
            yield StreamGap(t, stream + row, first, last - first, "device-lost")


def catalogue(truth: Truth, more: Sequence[StreamInfo] = ()) -> Catalogue:
    infos = [*truth.infos(), *more]
    return Catalogue(1, 0, "test_driver", "crc", "usb-1", "Maker", "Model", "SN-4711", "1.2", infos)


def feed(
    url: str,
    truth: Truth,
    more: Sequence[Record] = (),
    infos: Sequence[StreamInfo] = (),
    anchored: bool = True,
    declared: bool = True,
) -> str:
    """Seal, open and store it; return the gateway's id."""
    bedside, counts = Bedside("export"), Counts()
    store = Store(url)
    ingest = Ingest(store, Gate({bedside.gateway: "north"}), (CENTRE,), counts)
    last = arrival_t(truth.values.shape[1], truth.rate)
    said: list[Record] = [catalogue(truth, infos), Association(2, "none", "unvalidated", "", "", "bed 7")]
    said += [Anchor(3, UTC + 3, 20_000, "ntp"), Anchor(last, UTC + last, 20_000, "ntp")] if anchored else []
    ingest.take([bedside.grant(), bedside.vital(*said, *(gaps(truth) if declared else ()), *more)])
    waiting = []
    for made in blocks(truth):
        waiting += [bedside.wave(*made)] if made else []
        if len(waiting) >= BATCH_ENVELOPES:
            ingest.take(waiting)
            waiting = []
    ingest.take(waiting)
    store.close()
    refused = {name: n for name, n in counts.snapshot().items() if name.startswith("refused") and n}
    assert not refused, refused
    return bedside.gateway


@contextmanager
def archive(url: str, gateway: str) -> Iterator[Archive]:
    with opened(url) as engine:
        yield Archive(engine, gateway)


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'centre.db'}"


def stream_of(said: dict) -> rows.Stream:
    """A stream as the context beside a strip tells it."""
    gain, offset = Fraction(*said["gain"]), Fraction(*said["offset"])
    words = ("",) * 6
    return rows.Stream(
        "", 0, 0, 0, said["channel"], said["mdc"], said["unit"], Fraction(1), gain, offset, said["bits"], *words, ""
    )
