"""A range of a wave, told so that runs and holes cover it exactly once: nothing absent is ever left unsaid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from centre import rows
from wire.records import MarkAt

NOT_RECEIVED = "not-received"  # nobody declared a loss: it may still come
ANOTHER = "another patient"


@dataclass(frozen=True, slots=True)
class Hole:
    """Samples `first` to `last` (one past) are not there."""

    first: int
    last: int
    cause: str


def cover(
    found: Iterable[rows.Samples], gaps: Sequence[rows.Gap], rate: Fraction, first: int, last: int
) -> tuple[list[rows.Samples], list[Hole]]:
    """Runs cut to `first`..`last` without overlap, and what lies between them with its cause."""
    runs: list[rows.Samples] = []
    holes: list[Hole] = []
    position = first
    for run in sorted(found, key=lambda r: r.first):
        piece = cut(run, position, last, rate)
        if piece is None:
            continue
        holes += causes(position, piece.first, gaps)
        runs.append(piece)
        position = piece.first + len(piece.values)
    return runs, holes + causes(position, last, gaps)


def parted(
    runs: Iterable[rows.Samples], rate: Fraction, asks: Callable[[int, int, int], bool]
) -> tuple[list[rows.Samples], list[Hole]]:
    """Runs that are asked for, by (epoch, t of the first sample, t of the last), and holes in place of the others."""
    kept: list[rows.Samples] = []
    holes: list[Hole] = []
    for run in runs:
        if asks(run.epoch, run.t - int((len(run.values) - 1) * 1_000_000 / rate), run.t):
            kept.append(run)
        else:
            holes.append(Hole(run.first, run.first + len(run.values), ANOTHER))
    return kept, holes


def cut(run: rows.Samples, first: int, last: int, rate: Fraction) -> rows.Samples | None:
    """The part of `run` within `first`..`last`; its `t` moves with its last sample. None where there is none."""
    start, stop = max(run.first, first), min(run.first + len(run.values), last)
    if start >= stop:
        return None
    behind, skipped = run.first + len(run.values) - stop, start - run.first
    return replace(
        run,
        first=start,
        t=run.t - int(behind * 1_000_000 / rate),
        values=run.values[skipped : skipped + stop - start],
        marks=tuple(_cut_marks(run.marks, skipped, stop - start)),
    )


def _cut_marks(marks: Iterable[MarkAt], skipped: int, size: int) -> Iterable[MarkAt]:
    for mark in marks:
        start, stop = max(mark.at - skipped, 0), min(mark.at + mark.count - skipped, size)
        if start < stop:
            yield MarkAt(mark.row, start, mark.kind, stop - start)


def causes(first: int, last: int, gaps: Sequence[rows.Gap]) -> list[Hole]:
    """The hole `first`..`last` in parts, each with the cause that the gateway declared for it."""
    holes: list[Hole] = []
    position = first
    for gap in sorted(gaps, key=lambda g: g.first):
        start = max(gap.first, position)
        stop = last if gap.count is None else min(gap.first + gap.count, last)
        if start >= stop:
            continue
        if start > position:
            holes.append(Hole(position, start, NOT_RECEIVED))
        holes.append(Hole(start, stop, gap.cause))
        position = stop
    if position < last:
        holes.append(Hole(position, last, NOT_RECEIVED))
    return holes
