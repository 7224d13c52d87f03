"""Which streams count together, and where which of them have samples: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from centre.rows import Band, Stream
from wire.ranges import Ranges

Span = tuple[int, int]  # first, one past the last


@dataclass(frozen=True, slots=True)
class Segment:
    """`rows` of a strip have all samples from `first` up to, not with, `last`."""

    first: int
    last: int
    rows: tuple[int, ...]

    @property
    def count(self) -> int:
        return self.last - self.first

    @staticmethod
    def cover(streams: Sequence[Stream], runs: Mapping[Band, Sequence[Span]], limits: Span) -> tuple[Segment, ...]:
        """All samples of `streams` within `limits`, by index; no two that touch have the same rows."""
        held = [_held(stream.stream, runs, limits) for stream in streams]
        edges: dict[int, set[tuple[int, bool]]] = {}
        for row, spans in enumerate(held):
            for first, last in spans:
                edges.setdefault(first, set()).add((row, True))
                edges.setdefault(last, set()).add((row, False))
        return tuple(_swept(edges))


def _held(stream: int, runs: Mapping[Band, Sequence[Span]], limits: Span) -> list[Span]:
    """Where a stream has samples."""
    found = Ranges()
    for band, spans in runs.items():
        if band.stream <= stream < band.stream + band.rows:
            for first, last in spans:
                start, stop = max(first, limits[0]), min(last, limits[1])
                if start < stop:
                    found.add(start, stop - 1)
    return [(first, last + 1) for first, last in found]


def _swept(edges: Mapping[int, Iterable[tuple[int, bool]]]) -> Iterator[Segment]:
    here: set[int] = set()
    begun = 0
    for at in sorted(edges):
        if here and begun < at:
            yield Segment(begun, at, tuple(sorted(here)))
        for row, begins in edges[at]:
            (here.add if begins else here.discard)(row)
        begun = at


def present(came: Iterable[tuple[int, int, int]]) -> Iterator[Span]:
    """Blocks (first, count, t) by index as runs without a hole."""
    begun, end = -1, -1
    for first, count, _ in came:
        if first > end:
            if begun >= 0:
                yield begun, end
            begun, end = first, first + count
        end = max(end, first + count)
    if begun >= 0:
        yield begun, end


def together(
    waves: Sequence[Stream], bands: Sequence[Band], cuts: Mapping[int, tuple[int, ...]]
) -> list[tuple[Stream, ...]]:
    """Streams of one device, one rate and one count: coded together in some block, and never cut apart since."""
    leader = {s.stream: s.stream for s in waves}
    known = {s.stream: s for s in waves}

    def of(number: int) -> int:
        while leader[number] != number:
            number = leader[number]
        return number

    for band in bands:
        numbers = [n for n in range(band.stream, band.stream + band.rows) if n in known]
        for one, other in pairwise(numbers):
            if _alike(known[one], known[other]) and cuts[one] == cuts[other]:
                leader[max(of(one), of(other))] = min(of(one), of(other))
    groups: dict[int, list[Stream]] = {}
    for stream in waves:
        groups.setdefault(of(stream.stream), []).append(stream)
    return [tuple(group) for group in groups.values()]


def _alike(one: Stream, other: Stream) -> bool:
    return one.session == other.session and one.rate == other.rate
