"""What readings look like from afar: the least and the greatest of each span of `t`, and why there was none.

Two levels: buckets of 1 s and of 16 s. A stretch is 512 buckets of its level, and begins where `t` is a multiple of its
length. Nothing is averaged; where a device said that it has no value its reason is kept, and no number stands for it.
Pure. As centre/outline.py has it for samples.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

BUCKETS_COUNT = 512
BUCKET_US = (1_000_000, 16_000_000)  # by level
STRETCH_US = tuple(BUCKETS_COUNT * us for us in BUCKET_US)
_PLAIN_BYTES = 2 * 8 * BUCKETS_COUNT
_LIMIT_BYTES = 1 << 20  # of a stretch: each bucket with many reasons
_BY = BUCKET_US[1] // BUCKET_US[0]
Numbers = NDArray[np.float64]


class Column(NamedTuple):
    """What was said in a column or bucket `at`; where `least` is above `greatest`, no number was."""

    at: int
    least: float
    greatest: float


class Absence(NamedTuple):
    """A column in which the device said that there is no value, and why."""

    at: int
    why: str


class Trend(NamedTuple):
    """A numeric: columns with a value, and those in which it was said to be absent; each in order."""

    stream: int
    columns: list[Column]
    absent: list[Absence]


class Stretch(NamedTuple):
    """512 buckets: least and greatest of each (least above greatest: none), and absences by bucket."""

    least: Numbers
    greatest: Numbers
    absent: tuple[Absence, ...]


def empty() -> Stretch:
    return Stretch(np.full(BUCKETS_COUNT, np.inf), np.full(BUCKETS_COUNT, -np.inf), ())


def drafted(trend: Trend) -> Stretch:
    """Of a trend that has the buckets of a stretch as its columns."""
    made = empty()
    for at, least, greatest in trend.columns:
        made.least[at], made.greatest[at] = least, greatest
    return made._replace(absent=tuple(trend.absent))


def entered(coarse: Stretch, fine: Stretch, stretch: int) -> Stretch:
    """A coarse stretch in which the part of the fine one number `stretch` is said anew."""
    count = BUCKETS_COUNT // _BY
    begin = stretch % _BY * count
    least, greatest = coarse.least.copy(), coarse.greatest.copy()
    least[begin : begin + count] = fine.least.reshape(-1, _BY).min(axis=1)
    greatest[begin : begin + count] = fine.greatest.reshape(-1, _BY).max(axis=1)
    others = {one for one in coarse.absent if not begin <= one.at < begin + count}
    mine = {Absence(begin + one.at // _BY, one.why) for one in fine.absent}
    return Stretch(least, greatest, tuple(sorted(others | mine)))


def packed(one: Stretch) -> bytes:
    """As it is stored: doubles, byte by byte of all of them, then the absences as JSON; deflated."""
    doubles = np.concatenate([one.least, one.greatest]).astype("<f8").view(np.uint8)
    return zlib.compress(doubles.reshape(-1, 8).T.tobytes() + msgspec.json.encode(one.absent), 3)


def unpacked(data: bytes) -> Stretch:
    """The opposite."""
    plain = zlib.decompressobj().decompress(data, _LIMIT_BYTES)
    bytes_ = np.frombuffer(plain, np.uint8, _PLAIN_BYTES).reshape(8, -1).T
    least, greatest = np.ascontiguousarray(bytes_).view("<f8").reshape(2, -1)
    return Stretch(least, greatest, tuple(msgspec.json.decode(plain[_PLAIN_BYTES:], type=list[Absence])))


def level_for(width_us: int) -> int | None:
    """The coarsest level whose buckets are not wider than a column; None: only the readings themselves will do."""
    return next((level for level in (1, 0) if width_us >= BUCKET_US[level]), None)


class Gathering:
    """Columns of `width_us` from `begin` on that are put together from buckets and from columns."""

    def __init__(self, stream: int, begin: int, width_us: int, count: int) -> None:
        self._stream, self._begin, self._width_us = stream, begin, width_us
        self._least, self._greatest = np.full(count, np.inf), np.full(count, -np.inf)
        self._absent: set[Absence] = set()

    def add(self, trend: Trend) -> None:
        """What was read, by these same columns."""
        for at, least, greatest in trend.columns:
            self._least[at] = min(self._least[at], least)
            self._greatest[at] = max(self._greatest[at], greatest)
        self._absent.update(trend.absent)

    def put(self, stretch: Stretch, level: int, number: int, first: int, last: int) -> None:
        """Buckets of stretch `number` that touch `first` up to, not with, `last`; each for every column it touches."""
        size = BUCKET_US[level]
        starts = number * STRETCH_US[level] + size * np.arange(BUCKETS_COUNT)
        near = (starts + size > first) & (starts < last)
        left, right = self._columns(starts, size)
        for step in range(int((right - left).max(initial=0)) + 1):
            here = np.flatnonzero(near & (left + step <= right) & (stretch.least <= stretch.greatest))
            np.minimum.at(self._least, left[here] + step, stretch.least[here])
            np.maximum.at(self._greatest, left[here] + step, stretch.greatest[here])
        for at, why in stretch.absent:
            if near[at]:
                self._absent.update(Absence(column, why) for column in range(int(left[at]), int(right[at]) + 1))

    def _columns(self, starts: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first and the last column that each bucket touches."""
        last = len(self._least) - 1
        left = np.clip((starts - self._begin) // self._width_us, 0, last)
        return left, np.clip((starts + size - 1 - self._begin) // self._width_us, 0, last)

    def trend(self) -> Trend:
        there = np.flatnonzero(self._least <= self._greatest)
        told = zip(there.tolist(), self._least[there].tolist(), self._greatest[there].tolist(), strict=True)
        return Trend(self._stream, [Column(*one) for one in told], sorted(self._absent))
