"""Waves of an epoch as a window shows them: pieces, and what is missing between and within them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from centre import outline, placing, rows
from centre.mapping import Mapping
from centre.outline import Ends
from centre.placing import Stretch
from centre.store.drawn import Outlines
from centre.web import covering, past, telling
from centre.web.plain import plain
from centre.web.sources import Store
from wire.grades import grade

LATE_US = 11_000_000  # a block spans at most ten seconds, and `index_at` finds where one begins
LOOKS_COUNT = 16  # instants of a piece at which its error is looked at
SMALL_LIMIT_COUNT = 200  # losses of a piece that are too small to be seen, but said


class Window(NamedTuple):
    """UTC `first` to `last` in `columns`."""

    first: int
    last: int
    columns: int

    @property
    def width(self) -> float:
        return (self.last - self.first) / self.columns

    def column(self, utc: int) -> int:
        """The column that holds an instant; the outermost for what lies outside."""
        return min(max((utc - self.first) * self.columns // (self.last - self.first), 0), self.columns - 1)


class Dated(NamedTuple):
    """UTC of the ends of something, and how far any instant between them may be off, microseconds."""

    begun: int
    ended: int
    error: int


def dated(mapping: Mapping, first: int, last: int) -> Dated:
    """From `first` to `last`, microseconds of t, of an epoch that is dated. Far from anchors the error grows."""
    found = [mapping.at(first + (last - first) * at // LOOKS_COUNT) for at in range(LOOKS_COUNT + 1)]
    utcs = [moment.utc for moment in found if moment.utc is not None]
    return Dated(utcs[0], utcs[-1], max(moment.error or 0 for moment in found))


def waves_of(
    store: Store,
    outlines: Outlines,
    place: tuple[str, int],
    streams: Iterable[rows.Stream],
    mapping: Mapping,
    window: Window,
    span: tuple[int, int],
) -> list[past.PastWave]:
    """Those of `streams` that have samples in `span` (first and last t of the epoch in the window)."""
    gaps: dict[int, list[rows.Gap]] = {}
    for gap in store.gaps(*place):
        gaps.setdefault(gap.stream, []).append(gap)
    seen = Seen(outlines, place, span, int(window.width))
    found = []
    for row in streams:
        mine = sorted(gaps.get(row.stream, []), key=lambda gap: gap.first)
        parts = seen.parts(row, store.last_index(*place, row.stream) or 0, mine) if row.rate > 0 else ()
        if parts:
            wave = _Wave(outlines, row, mine, mapping, window)
            pieces, holes = wave.drawn(place[0], parts)
            found.append(past.PastWave(wave=telling.stream(row), pieces=pieces, holes=holes))
    return found


class Seen:
    """Which samples of a stream are in the span; asked once of streams that were coded together."""

    def __init__(self, outlines: Outlines, place: tuple[str, int], span: tuple[int, int], width_us: int) -> None:
        self._outlines, self._place, self._span, self._width_us = outlines, place, span, width_us
        self._kin = outlines.kin(*place)
        self._found: dict[object, list[Stretch]] = {}

    def parts(self, row: rows.Stream, end: int, gaps: Sequence[rows.Gap]) -> list[Stretch]:
        cuts = sorted({gap.first for gap in gaps if gap.count is None})
        key = (self._kin.get(row.stream), row.rate, end, tuple(cuts))
        if key not in self._found:
            self._found[key] = self._read(row, end, cuts) if end else []
        return self._found[key]

    def _read(self, row: rows.Stream, end: int, cuts: Sequence[int]) -> list[Stretch]:
        first_t, last_t = self._span

        @lru_cache(maxsize=1024)
        def ends(first: int, last: int) -> placing.Ends | None:
            return self._outlines.ends(*self._place, row.stream, row.rate, first, last)

        whole = ends(0, end)
        if whole is None or whole.end[1] < first_t or whole.begin[1] > last_t:
            return []
        first = self._outlines.index_at(*self._place, row.stream, first_t, 0, end)
        last = self._outlines.index_at(*self._place, row.stream, last_t + LATE_US, first, end)
        found = placing.stretches((first, last), cuts, row.rate, ends, self._width_us) if first < last else []
        return [part for one in found if (part := placing.clipped(one, first_t, last_t)) is not None]


class _Wave:
    """One stream of an epoch that is being drawn."""

    def __init__(
        self, outlines: Outlines, row: rows.Stream, gaps: Sequence[rows.Gap], mapping: Mapping, window: Window
    ) -> None:
        self._outlines, self._row, self._gaps, self._mapping, self._window = outlines, row, gaps, mapping, window

    def drawn(self, gateway: str, parts: Sequence[Stretch]) -> tuple[list[past.PastPiece], list[past.PastHole]]:
        pieces: list[past.PastPiece] = []
        holes: list[past.PastHole] = []
        for part in parts:
            piece, ends = self._piece(gateway, part)
            if pieces and piece.left > pieces[-1].right:
                holes.append(self._jump(pieces[-1].right, piece.left, piece.first))
            pieces.append(piece)
            holes += self._holes(piece, ends)
        return pieces, sorted(holes, key=lambda hole: (hole.left, hole.right))

    def _piece(self, gateway: str, part: Stretch) -> tuple[past.PastPiece, Ends]:
        window = self._window
        begun, ended, error = dated(self._mapping, part.begun, part.ended)
        left, right = window.column(begun), window.column(ended) + 1
        count = min(right - left, part.last - part.first)
        ends = self._outlines.columns(gateway, self._row.epoch, self._row.stream, part.first, part.last, count)
        there = outline.is_there(ends)
        piece = past.PastPiece(
            first=part.first,
            last=part.last,
            left=left,
            right=right,
            begun=begun,
            ended=ended,
            error=error,
            grade=grade(error),
            least=_listed(ends[0], there),
            greatest=_listed(ends[1], there),
        )
        return piece, ends

    def _jump(self, left: int, right: int, index: int) -> past.PastHole:
        """Between two pieces: a gap of unknown size."""
        cause = cause_between(self._gaps, index)
        return past.PastHole(left=left, right=right, first=index, last=None, cause=cause)

    def _holes(self, piece: past.PastPiece, ends: Ends) -> list[past.PastHole]:
        """Empty columns, each with its causes; and losses that no column shows."""
        found: dict[tuple[int, int, str], past.PastHole] = {}
        edges = np.flatnonzero(np.diff(outline.is_there(ends), prepend=True, append=True))
        for begin, end in edges.reshape(-1, 2).tolist():
            first, last = (self._index(piece, at, ends.shape[1]) for at in (begin, end))
            for hole in covering.causes(first, last, self._gaps):
                self._enter(found, piece, hole.first, hole.last, hole.cause)
        seen = sorted((hole.first, hole.last or hole.first) for hole in found.values())
        for gap in self._gaps:
            stop = gap.first + (gap.count or 1)
            at = bisect_right(seen, (gap.first, stop))
            is_seen = any(first < stop and last > gap.first for first, last in seen[max(0, at - 1) : at + 1])
            is_here = piece.first + (gap.count is None) <= gap.first < piece.last  # else it lies between two pieces
            if is_here and not is_seen and len(found) < SMALL_LIMIT_COUNT:
                self._enter(found, piece, gap.first, None if gap.count is None else stop, gap.cause)
        return list(found.values())

    def _index(self, piece: past.PastPiece, at: int, count: int) -> int:
        return piece.first + -(-at * (piece.last - piece.first) // count)

    def _enter(
        self, found: dict[tuple[int, int, str], past.PastHole], piece: past.PastPiece, first: int, last: int | None,
        cause: str,
    ) -> None:  # fmt: skip
        """One for each place and cause: others there would not be seen either."""
        size, columns = piece.last - piece.first, piece.right - piece.left
        left = piece.left + (first - piece.first) * columns // size
        right = left if last is None else piece.left + (min(last, piece.last) - piece.first) * columns // size
        hole = past.PastHole(left=left, right=max(left, right), first=first, last=last, cause=plain(cause))
        found.setdefault((hole.left, hole.right, hole.cause), hole)


def cause_between(gaps: Sequence[rows.Gap], index: int) -> str:
    """Why the time jumps before sample `index`."""
    found = next((gap.cause for gap in gaps if gap.first == index and gap.count is None), covering.NOT_RECEIVED)
    return plain(found)


def _listed(values: np.ndarray, there: np.ndarray) -> list[int | None]:
    return [value if is_there else None for value, is_there in zip(values.tolist(), there.tolist(), strict=True)]
