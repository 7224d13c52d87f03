"""From the files of one class, in whatever state, to segments, spares and a list of what is damaged.

Reads only. A finished segment is known by its header and footer, two reads; any other is read whole,
so that opening a gigabyte on a slow card stays far below the 5 s of DESIGN 7. Bodies of finished
segments are verified when they are read; `check` reads everything.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from agent.spool.files import Files, read_around
from agent.spool.frame import newest_generation
from agent.spool.scan import Extent, Hole, Name, Scan, scan, told
from agent.spool.segment import (
    VERSION,
    Footer,
    Header,
    Segment,
    Stretch,
    decode_footer,
    decode_header,
    file_name,
    file_number,
    next_numbers,
)
from agent.spool.terms import BLOCK_BYTES, Damage, SpoolError
from wire.ranges import Ranges


@dataclass(slots=True)
class Recovered:
    """`segments` ascending by generation. `current` is the newest, where it may be written on."""

    segments: list[Segment] = field(default_factory=list)
    spares: list[Segment] = field(default_factory=list)
    short: list[tuple[Segment, int]] = field(default_factory=list)  # files that ended early, and where
    unfinished: list[Segment] = field(default_factory=list)  # whole, but without a footer
    headless: list[Segment] = field(default_factory=list)  # the header is damaged; the frames told it
    unknown: list[Segment] = field(default_factory=list)  # neither header nor frames: a spare, with something in it
    damage: list[tuple[Damage, bytes]] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)  # the disk refuses them: not touched, another day it may not
    last_number: int = -1
    current: Segment | None = None
    tails: dict[int, int] = field(default_factory=dict)  # epoch -> next number, damaged frames counted


class Peek(NamedTuple):
    """One file before its frames are looked at."""

    segment: Segment
    header: Header | None
    footer: Footer | None
    size: int


def recover(
    files: Files, folder: Path, cls: int, names: list[str], segment_bytes: int, evicted: Mapping[int, Ranges]
) -> Recovered:
    """SpoolError only for a folder of another format; damage of any kind is in the result.

    `evicted`, per epoch: a segment that still has any of these may be half overwritten, whatever its footer says.
    """
    out = Recovered()
    used: list[Peek] = []
    for number in sorted(n for name in names if (n := file_number(cls, name)) is not None):
        out.last_number = number
        path = folder / file_name(cls, number)
        try:
            peek = _peek(files, cls, Segment(number, path), segment_bytes, out)
        except OSError:
            _leave_alone(cls, path, segment_bytes, out)
            continue
        if peek.size < segment_bytes:
            out.short.append((peek.segment, peek.size))
        if peek.segment.generation:
            used.append(peek)
        else:
            out.spares.append(peek.segment)
        if peek.footer is not None and _any_of(peek.footer.stretches, evicted):
            used[-1] = peek._replace(footer=None)
    used.sort(key=lambda peek: peek.segment.generation)
    _load_all(files, cls, used, segment_bytes, out)
    return out


def read_segment(files: Files, path: Path, segment_bytes: int) -> tuple[bytes, int, int]:
    """The file up to its footer, the file's size, and how many bytes the disk refused (read as zeros)."""
    fd = files.look(path)
    try:
        data, refused = read_around(files, fd, segment_bytes - BLOCK_BYTES, 0)
        return data, files.size(fd), refused
    finally:
        files.close(fd)


def readable(files: Files, path: Path, segment_bytes: int) -> bool:
    """Whether the disk gives all of it."""
    try:
        return not read_segment(files, path, segment_bytes)[2]
    except OSError:
        return False


def damage_of(cls: int, hole: Hole, place: str) -> list[Damage]:
    """One Damage per run of names; one without a name where nothing tells."""
    size = hole.end - hole.offset
    out = [Damage(cls, epoch, first, last, size, hole.torn, place) for epoch, first, last in hole.names]
    if hole.unnamed or not out:
        out.append(Damage(cls, None, None, None, size, hole.torn, place))
    return out


def _peek(files: Files, cls: int, segment: Segment, segment_bytes: int, out: Recovered) -> Peek:
    path = segment.path
    fd = files.look(path)
    try:
        size = files.size(fd)
        start, refused = read_around(files, fd, 2 * BLOCK_BYTES, 0)
        end, _ = read_around(files, fd, BLOCK_BYTES, segment_bytes - BLOCK_BYTES)
    finally:
        files.close(fd)
    header = decode_header(start)
    if header is not None:
        _check_format(header, cls, segment_bytes, path)
        segment.begin(header.generation, header.first_position)
        return Peek(segment, header, decode_footer(end, header.generation), size)
    if size < segment_bytes and not any(start):
        gone = Damage(cls, None, None, None, segment_bytes - size, torn=False, place=path.name)
        out.damage.append((gone, b""))
    if any(start) or refused:
        _look_for_generation(files, cls, segment, segment_bytes, out)
    return Peek(segment, None, None, size)


def _any_of(stretches: list[Stretch], evicted: Mapping[int, Ranges]) -> bool:
    return any(
        s.epoch in evicted and evicted[s.epoch].missing(s.first, s.last) != [(s.first, s.last)] for s in stretches
    )


def _check_format(header: Header, cls: int, segment_bytes: int, path: Path) -> None:
    if header.version != VERSION or header.segment_bytes != segment_bytes or header.cls != cls:
        raise SpoolError(
            f"{path.name} is of another format (version {header.version}, {header.segment_bytes} bytes)",
            "start the version of wardlink that wrote it, or move the folder away and keep it",
        )


def _look_for_generation(files: Files, cls: int, segment: Segment, segment_bytes: int, out: Recovered) -> None:
    """The header is damaged; the frames know the generation as well."""
    data, _, refused = read_segment(files, segment.path, segment_bytes)
    generation = newest_generation(data, cls)
    if generation:
        first = scan(data, cls, Extent(generation, None, None, None)).first_position
        segment.begin(generation, first)
        out.headless.append(segment)
        return
    if refused:
        raise OSError(errno.EIO, "neither header nor frames can be read")
    out.unknown.append(segment)
    torn = not any(data[:BLOCK_BYTES])  # a spare whose first commit was cut short
    damage = Damage(cls, None, None, None, len(data), torn, place=segment.path.name)
    out.damage.append((damage, data[:BLOCK_BYTES]))


def _load_all(files: Files, cls: int, used: list[Peek], segment_bytes: int, out: Recovered) -> None:
    before: Name | None = None
    for i, peek in enumerate(used):
        segment = peek.segment
        previous = out.segments[-1] if out.segments else None
        if previous is None or previous.generation + 1 != segment.generation:
            previous = before = None
        after = used[i + 1].segment if i + 1 < len(used) else None
        until = after.first_position if after else None
        first = peek.header.first_position if peek.header else None
        whole = previous is None or previous.next_position >= segment.first_position
        try:
            extent = Extent(segment.generation, first, until, before if whole else None)
            last, cut = _load(files, cls, peek, extent, segment_bytes, out)
        except OSError:
            _leave_alone(cls, segment.path, segment_bytes, out)
            continue
        if cut is not None and (after is None or after.generation != segment.generation + 1):
            _report(cls, segment, cut, b"", out)  # else the next segment tells what is missing
        if previous is not None and not whole:
            _lost_between(cls, previous, segment, before, out)
        before = last
        out.segments.append(segment)
        for epoch, tail in [*next_numbers([segment]).items(), *([(last.epoch, last.seq + 1)] if last else [])]:
            out.tails[epoch] = max(out.tails.get(epoch, 0), tail)


def _load(
    files: Files, cls: int, peek: Peek, extent: Extent, segment_bytes: int, out: Recovered
) -> tuple[Name | None, Hole | None]:
    """Take the footer, or read the segment whole; the last name in it, and what is missing at its end."""
    segment = peek.segment
    if peek.footer is not None:
        segment.stretches = peek.footer.stretches
        segment.next_position, segment.end = peek.footer.next_position, peek.footer.end
        last = segment.stretches[-1] if segment.stretches else None
        return (Name(last.epoch, last.last) if last else None), None
    data, size, refused = read_segment(files, segment.path, segment_bytes)
    found = scan(data, cls, extent)
    segment.stretches, segment.end = found.stretches, found.end
    segment.next_position = found.next_position
    for hole in found.holes:
        _report(cls, segment, hole, data, out)
    if not refused and extent.until is None:
        out.current = segment
    elif not refused:
        out.unfinished.append(segment)
    cut = _cut(found, min(size, segment_bytes), segment_bytes, refused)
    return found.last_name, cut if refused or size < segment_bytes else None


def _cut(found: Scan, size: int, segment_bytes: int, refused: int) -> Hole:
    """Whatever came after the last frame is gone, and nobody tells what it was."""
    return Hole(min(found.end, size), min(found.end, size) + refused + segment_bytes - size, [], 1, torn=True)


def _leave_alone(cls: int, path: Path, segment_bytes: int, out: Recovered) -> None:
    out.unread.append(path)
    out.damage.append((Damage(cls, None, None, None, segment_bytes, torn=False, place=path.name), b""))


def _report(cls: int, segment: Segment, hole: Hole, data: bytes, out: Recovered) -> None:
    place = f"{segment.path.name}.{segment.generation}+{hole.offset}"
    for damage in damage_of(cls, hole, place):
        out.damage.append((damage, data[hole.offset : hole.end]))


def _lost_between(cls: int, left: Segment, right: Segment, before: Name | None, out: Recovered) -> None:
    """The end of `left` is unreadable: the positions in `right` say how many frames it had."""
    missing = right.first_position - left.next_position
    after = Name(right.stretches[0].epoch, right.stretches[0].first) if right.stretches else None
    names, unnamed = told(before, after, missing)
    place = f"{left.path.name}.{left.generation}+{left.end}"
    for damage in damage_of(cls, Hole(left.end, left.end, names, unnamed, torn=False), place):
        out.damage.append((damage, b""))
