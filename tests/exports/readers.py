"""Exports read back by the field's own readers: pieces of (channel, first index, integers)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.exports.compare import Piece
from tests.exports.field import load


def contexts(folder: Path) -> Iterator[dict]:
    """The JSON beside each strip, with its name as `name`."""
    for path in sorted(folder.glob("*.json")):
        yield {"name": path.stem, **json.loads(path.read_text())}


def wfdb(folder: Path) -> Iterator[Piece]:
    """By the package of PhysioNet; what it takes for no sample is none."""
    package = load("wfdb")

    for said in contexts(folder):
        record = package.rdrecord(str(folder / said["name"]), physical=False, return_res=64)
        for row, stream in enumerate(said["streams"]):
            none = -(1 << int(record.fmt[row]) - 1)
            yield from runs(record.sig_name[row], said["first"], record.d_signal[:, row].astype(np.int64), none)
            assert record.sig_name[row] == stream["channel"]


def runs(channel: str, first: int, values: np.ndarray, none: int) -> Iterator[Piece]:
    there = np.concatenate([[0], (values != none).astype(np.int8), [0]])
    for start, stop in np.flatnonzero(np.diff(there)).reshape(-1, 2).tolist():
        yield channel, first + start, values[start:stop]
