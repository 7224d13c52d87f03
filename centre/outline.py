"""What a wave looks like from afar: the least and the greatest sample of each bucket; hours are drawn from little.

Two levels: buckets of 64 samples and of 4096. A stretch is 512 buckets of its level. Nothing is averaged, so a spike of
one sample is seen at every zoom; what is not there stays absent (least above greatest), never zero. Pure.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from centre import rows

BUCKETS_COUNT = 512
BUCKET_SAMPLES = (64, 4096)  # by level
STRETCH_SAMPLES = tuple(BUCKETS_COUNT * samples for samples in BUCKET_SAMPLES)
_NOTHING = np.iinfo(np.int32)
Ends = NDArray[np.int32]  # shape (2, n): least and greatest of each bucket


def empty(count: int) -> Ends:
    ends = np.empty((2, count), np.int32)
    ends[0], ends[1] = _NOTHING.max, _NOTHING.min
    return ends


def is_there(ends: Ends) -> NDArray[np.bool_]:
    there: NDArray[np.bool_] = ends[0] <= ends[1]
    return there


def outlined(runs: Iterable[rows.Samples], first: int, count: int, size: int) -> Ends:
    """Of the samples `first` to `first + count * size`, buckets of `size`."""
    made = empty(count)
    for run in runs:
        start, stop = max(run.first, first), min(run.first + len(run.values), first + count * size)
        if start < stop:
            values = run.values[start - run.first : stop - run.first]
            _enter(made, values, values, (np.arange(start - first, stop - first)) // size)
    return made


def joined(parts: Iterable[tuple[int, int, Ends]], first: int, last: int, count: int) -> Ends:
    """Columns of `first` to `last` (one past) from parts: (index of its first sample, samples a bucket, its ends).

    A bucket counts for each column that it touches.
    """
    made, span = empty(count), last - first
    for begin, size, ends in parts:
        there = np.flatnonzero(is_there(ends))
        starts = begin + there * size
        left = np.clip((starts - first) * count // span, 0, count - 1)
        right = np.clip((np.minimum(starts + size, last) - 1 - first) * count // span, 0, count - 1)
        here = (starts + size > first) & (starts < last)
        there, left, right = there[here], left[here], right[here]
        for step in range(int((right - left).max(initial=0)) + 1):
            more = left + step <= right
            _enter(made, ends[0, there[more]], ends[1, there[more]], left[more] + step)
    return made


def coarser(ends: Ends) -> Ends:
    """Of all buckets of a stretch those of the next level."""
    by = BUCKET_SAMPLES[1] // BUCKET_SAMPLES[0]
    return np.stack([ends[0].reshape(-1, by).min(axis=1), ends[1].reshape(-1, by).max(axis=1)])


def packed(ends: Ends) -> bytes:
    """As it is stored: differences from bucket to bucket, deflated."""
    return zlib.compress(np.diff(ends.astype("<i4"), axis=1, prepend=np.int32(0)).astype("<i4").tobytes(), 3)


def unpacked(data: bytes) -> Ends:
    """The opposite, and never more than a stretch; 32-bit sums wrap as the differences did."""
    plain = zlib.decompressobj().decompress(data, 2 * BUCKETS_COUNT * 4)
    steps = np.frombuffer(plain, "<i4").reshape(2, BUCKETS_COUNT)
    return np.cumsum(steps, axis=1, dtype=np.int32)


def ends_of(values: NDArray[np.int32]) -> Ends:
    """Each sample as a bucket of its own."""
    return np.stack([values, values])


def _enter(made: Ends, least: NDArray[np.int32], greatest: NDArray[np.int32], at: NDArray[np.int64]) -> None:
    """`at` grows."""
    if len(at) == 0:
        return
    cuts = np.flatnonzero(np.diff(at, prepend=at[0] - 1))
    places = at[cuts]
    made[0, places] = np.minimum(made[0, places], np.minimum.reduceat(least, cuts))
    made[1, places] = np.maximum(made[1, places], np.maximum.reduceat(greatest, cuts))
