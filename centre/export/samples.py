"""The samples of a strip, a bounded matrix at a time, exactly as the device said them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from centre import rows
from centre.export.archive import Archive
from centre.export.plan import RefusedError, Strip
from centre.export.segments import Segment
from wire.records import MarkAt

CHUNK_SAMPLES = 1 << 18  # of all rows together
MARKS_LIMIT_COUNT = 2_000_000


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the greatest sample of a row."""

    least: int
    most: int


def chunks(archive: Archive, strip: Strip, segment: Segment, length: int = 0) -> Iterator[NDArray[np.int32]]:
    """Shape (rows of the segment, at most `length`), in order; all of the segment, each sample once."""
    size = length or max(1, CHUNK_SAMPLES // len(segment.rows))
    for first in range(segment.first, segment.last, size):
        yield _matrix(archive, strip, segment.rows, first, min(first + size, segment.last))


def _matrix(archive: Archive, strip: Strip, numbers: Sequence[int], first: int, last: int) -> NDArray[np.int32]:
    values = np.zeros((len(numbers), last - first), np.int32)
    filled = np.zeros(values.shape, np.bool_)
    wanted = [strip.streams[number].stream for number in numbers]
    for band in strip.bands:
        pairs = [(row, s - band.stream) for row, s in enumerate(wanted) if band.stream <= s < band.stream + band.rows]
        if not pairs or filled[[row for row, _ in pairs]].all():
            continue
        for block in archive.blocks(strip.epoch, band, first, last):
            start, stop = max(block.first, first), min(block.first + block.values.shape[1], last)
            for row, of in pairs:
                _put(values[row], filled[row], block.values[of], (start - first, stop - first, start - block.first))
    if not filled.all():
        raise RefusedError("samples went away while they were read", "is another program changing this store?")
    return values


def _put(
    into: NDArray[np.int32], filled: NDArray[np.bool_], said: NDArray[np.int32], place: tuple[int, int, int]
) -> None:
    """What is there already stays: of two blocks the one that came first counts."""
    start, stop, at = place
    fresh = ~filled[start:stop]
    into[start:stop][fresh] = said[at : at + stop - start][fresh]
    filled[start:stop] = True


def ranges(archive: Archive, strip: Strip) -> list[Range]:
    """Of each row, over the whole strip: what width it needs."""
    least = [2**31] * len(strip.streams)
    most = [-(2**31)] * len(strip.streams)
    for segment in strip.segments:
        for values in chunks(archive, strip, segment):
            for row, low, high in zip(segment.rows, values.min(axis=1), values.max(axis=1), strict=True):
                least[row], most[row] = min(least[row], int(low)), max(most[row], int(high))
    return [Range(low, high) for low, high in zip(least, most, strict=True)]


def marks(archive: Archive, strip: Strip) -> Iterator[tuple[int, MarkAt]]:
    """What the device says of samples of the strip, with the first index of each; `row` is that of the strip.

    Band by band, each in the order of its blocks; cut to the strip.
    """
    places = {stream.stream: row for row, stream in enumerate(strip.streams)}
    for band in strip.bands:
        for first, mark in archive.marks(strip.epoch, band, strip.first, strip.last):
            row = places.get(band.stream + mark.row)
            start, stop = max(first + mark.at, strip.first), min(first + mark.at + mark.count, strip.last)
            if row is not None and start < stop:
                yield start, MarkAt(row, mark.at, mark.kind, stop - start)


def in_order(archive: Archive, strip: Strip) -> list[tuple[int, MarkAt]]:
    """Marks by index, for formats that need it; bounded."""
    found: list[tuple[int, MarkAt]] = []
    for one in marks(archive, strip):
        found.append(one)
        if len(found) > MARKS_LIMIT_COUNT:
            raise RefusedError(f"more than {MARKS_LIMIT_COUNT} marks in {strip.name}", "ask for a shorter time")
    return sorted(found, key=lambda one: (one[0], one[1].row))


def zero(stream: rows.Stream) -> int:
    """The count of value 0. Raises RefusedError where it lies between two counts."""
    if stream.offset.denominator != 1:
        raise RefusedError(f"{stream.channel} has its zero between two counts ({stream.offset})", "csv or parquet")
    return stream.offset.numerator
