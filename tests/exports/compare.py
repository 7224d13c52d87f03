"""What a reader found against what the device said: every sample once, at its index, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tests.exports.rig import Truth

Piece = tuple[str, int, np.ndarray]  # channel, first index, samples


@dataclass
class Verdict:
    """`samples` were said, `equal` came back; `other` came back otherwise, `extra` were never said."""

    samples: int = 0
    equal: int = 0
    other: int = 0
    extra: int = 0

    @property
    def good(self) -> bool:
        return self.samples == self.equal and not self.other and not self.extra


def compare(truth: Truth, pieces: Iterable[Piece]) -> Verdict:
    """A sample that comes back twice must be the same both times."""
    seen = np.zeros(truth.held.shape, bool)
    said = Verdict(samples=int(truth.held.sum()))
    for channel, first, values in pieces:
        row = truth.channels.index(channel)
        stop = first + len(values)
        if first < 0 or stop > truth.values.shape[1]:
            said.extra += len(values)
            continue
        held = truth.held[row, first:stop]
        same = truth.values[row, first:stop] == values
        said.extra += int((~held).sum())
        said.other += int((held & ~same).sum())
        seen[row, first:stop] |= held & same
    said.equal = int(seen.sum())
    return said
