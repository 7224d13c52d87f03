"""What a disk may hold after the power failed, from the log of what it was told. Pure.

Before the last flush: everything. After it: nothing, everything, or some of the writes, in any order, some of them torn
at sectors of 512 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from tests.crash.logdisk import FLUSH, WRITE, Entry

SECTOR_BYTES = 512
WAYS = ("some", "some", "some", "none", "none", "all")


class Cut(NamedTuple):
    """The power fails after so many entries; `way`: what becomes of the writes nobody flushed."""

    after: int
    way: str
    seed: str


def cuts(entries: Sequence[Entry], count: int, seed: str) -> list[Cut]:
    """`count` of them: half anywhere in the log, half just before a flush, where most is under way."""
    random = Random(seed)
    flushes = [i for i, entry in enumerate(entries) if entry.kind == FLUSH]
    anywhere = [Cut(random.randint(0, len(entries)), random.choice(WAYS), f"{seed}/{n}") for n in range(0, count, 2)]
    return anywhere + [Cut(random.choice(flushes), "some", f"{seed}/{n}") for n in range(1, count, 2)]


class Disk:
    """The image before the log began, moved along the log; cuts must come in order."""

    def __init__(self, image: bytes, entries: Sequence[Entry]) -> None:
        self._durable = bytearray(image)
        self._entries = entries
        self._flushed = 0

    def after(self, cut: Cut) -> bytearray:
        """A new image."""
        last = max((i for i in range(self._flushed, cut.after) if self._entries[i].kind == FLUSH), default=None)
        if last is not None:
            for entry in self._entries[self._flushed : last]:
                _put(self._durable, entry)
            self._flushed = last + 1
        out = self._durable[:]
        for entry in _survivors([e for e in self._entries[self._flushed : cut.after] if e.kind == WRITE], cut):
            _put(out, entry)
        return out


def _put(image: bytearray, entry: Entry) -> None:
    if entry.kind == WRITE:
        image[entry.offset : entry.offset + len(entry.data)] = entry.data


def _survivors(unflushed: list[Entry], cut: Cut) -> list[Entry]:
    if cut.way == "all":
        return unflushed
    if cut.way == "none":
        return []
    random = Random(cut.seed)
    chance, tears = random.choice([0.1, 0.5, 0.9]), random.choice([0.0, 0.3, 0.9])
    kept = [entry for entry in unflushed if random.random() < chance]
    random.shuffle(kept)
    return [piece for entry in kept for piece in (_torn(entry, random) if random.random() < tears else [entry])]


def _torn(entry: Entry, random: Random) -> list[Entry]:
    """The first sectors of it, or any of them."""
    sectors = [
        Entry(WRITE, entry.offset + at, entry.data[at : at + SECTOR_BYTES])
        for at in range(0, len(entry.data), SECTOR_BYTES)
    ]
    if random.random() < 0.5:
        return sectors[: random.randint(0, len(sectors) - 1)]
    return [sector for sector in sectors if random.random() < 0.5]
