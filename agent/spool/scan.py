"""Reading a whole segment: which frames it has, and what is damaged between them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from agent.spool.frame import HEAD_BYTES, Frame, names_one, padded, resembles, walk
from agent.spool.segment import Stretch, extend
from agent.spool.terms import BLOCK_BYTES


class Name(NamedTuple):
    """An envelope, as far as one chain must tell them apart."""

    epoch: int
    seq: int


class Hole(NamedTuple):
    """A part of the segment that is not a sound frame; `names` are inclusive (epoch, first, last)."""

    offset: int
    end: int
    names: list[tuple[int, int, int]]
    unnamed: int  # frames missing whose names the neighbours do not tell
    torn: bool


@dataclass(slots=True)
class Scan:
    """All of one segment. `end` is a whole block: where the next commit may go."""

    stretches: list[Stretch] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)
    first_name: Name | None = None
    last_name: Name | None = None
    first_position: int = 0
    next_position: int = 0
    end: int = BLOCK_BYTES


class Extent(NamedTuple):
    """What the header and the neighbours say of a segment before its frames are read."""

    generation: int
    first_position: int | None  # None: the header is damaged
    until: int | None  # the first position of the next segment; None: this is the newest
    before: Name | None  # the last frame of the segment before


def scan(data: bytes, cls: int, extent: Extent) -> Scan:
    """`data` is the segment from its first byte up to its footer, or less where the file is short."""
    out = Scan(last_name=extent.before)
    expected = extent.first_position
    stop = BLOCK_BYTES
    for frame in walk(data, cls, extent.generation, expected or 0):
        if extent.until is not None and frame.position >= extent.until:
            break
        name = Name(frame.epoch, frame.seq)
        if expected is None:
            out.first_position = expected = frame.position
        if frame.position > expected:
            names, unnamed = told(out.last_name, name, frame.position - expected)
            out.holes.append(Hole(stop, frame.offset, names, unnamed, torn=False))
        _take(out, frame, len(data))
        out.first_name = out.first_name or name
        out.last_name = name
        expected, stop = frame.position + 1, frame.end
    if extent.first_position is not None:
        out.first_position = extent.first_position
    out.next_position = expected or 0
    out.end = max(BLOCK_BYTES, padded(stop))
    _look_at_tail(out, data, stop, extent)
    return out


def told(before: Name | None, after: Name | None, missing: int) -> tuple[list[tuple[int, int, int]], int]:
    """The names of `missing` frames between two neighbours, and how many of them stay without one.

    Numbers of a class start at 0 in each epoch and have no holes; that is what tells. Where an epoch may have passed
    of which nothing is left, nothing does.
    """
    if after is None:
        return [], missing
    if before and before.epoch == after.epoch:
        first, last = before.seq + 1, after.seq - 1
        return ([(before.epoch, first, last)] if first <= last else []), 0
    names: list[tuple[int, int, int]] = []
    count = min(missing, after.seq)
    if count:
        names.append((after.epoch, after.seq - count, after.seq - 1))
    missing -= count
    if before and missing and before.epoch + 1 == after.epoch:
        names.insert(0, (before.epoch, before.seq + 1, before.seq + missing))
        missing = 0
    return names, missing


def _take(out: Scan, frame: Frame, size: int) -> None:
    if frame.sound:
        out.frames.append(frame)
        extend(out.stretches, frame, frame.end - frame.offset - HEAD_BYTES)
        return
    out.holes.append(Hole(frame.offset, min(frame.end, size), [(frame.epoch, frame.seq, frame.seq)], 0, torn=False))


def _look_at_tail(out: Scan, data: bytes, stop: int, extent: Extent) -> None:
    if extent.until is not None:
        return
    whole_end = out.frames[-1].end if out.frames else 0
    out.holes = [hole._replace(torn=hole.offset >= whole_end) for hole in out.holes]
    for at in sorted({stop, padded(stop)}):
        if resembles(data, at, extent.generation, out.next_position):
            before = out.last_name
            named = before is not None and names_one(data, at, before.epoch, before.seq + 1)
            names = [(before.epoch, before.seq + 1, before.seq + 1)] if before and named else []
            out.holes.append(Hole(at, min(len(data), padded(at + 1)), names, 1 - len(names), torn=True))
            return
