"""Proving a folder: every frame is read, every invariant tried, nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.spool.acks import Acks
from agent.spool.chain import Chain
from agent.spool.epoch import Epoch
from agent.spool.files import Disk, Files
from agent.spool.losses import Losses
from agent.spool.opening import classes_of
from agent.spool.recover import read_segment, recover
from agent.spool.scan import Extent, Scan, scan
from agent.spool.segment import Segment
from agent.spool.terms import Damage, Limits, Stored
from wire.ranges import Ranges


@dataclass(slots=True)
class Inspection:
    """`names` is what can be read: per (class, epoch) the numbers."""

    problems: list[str] = field(default_factory=list)
    names: dict[tuple[int, int], Ranges] = field(default_factory=dict)
    newest_epoch: int = 0


def check_folder(folder: Path, files: Files | None = None, limits: Limits | None = None) -> list[str]:
    """Every violated invariant of a folder nobody has open. OSError, SpoolError: it cannot be read at all."""
    disk, bounds = files or Disk(), limits or Limits()
    acks = Acks(disk, folder)
    acks.load(disk.names(folder))
    return inspect(disk, folder, bounds, Losses(disk, folder, bounds, acks)).problems


def read_folder(folder: Path, files: Files | None = None, limits: Limits | None = None) -> Iterator[Stored]:
    """Every frame that can be read, class by class and in order; writes nothing."""
    disk, bounds = files or Disk(), limits or Limits()
    names = disk.names(folder)
    for cls in sorted(classes_of(names)):
        found = recover(disk, folder, cls, names, bounds.segment_bytes, {})
        for segment in found.segments:
            data, result = _scan(disk, cls, segment, bounds)
            for frame in result.frames:
                yield frame.stored(cls, data)


def inspect(files: Files, folder: Path, limits: Limits, losses: Losses) -> Inspection:
    """`losses` says what is known already: a damaged frame that was reported is no news."""
    out = Inspection()
    names = files.names(folder)
    for cls in sorted(classes_of(names)):
        _inspect_class(files, folder, cls, names, limits, losses, out)
    epoch, acks = Epoch(files, folder), Acks(files, folder)
    epoch.load(names)
    acks.load(names)
    if epoch.pages.rotten:
        out.problems.append("epoch: neither copy can be read")
    elif epoch.last < max(out.newest_epoch, acks.epoch):
        out.problems.append(f"epoch: the file says {epoch.last}, the segments {max(out.newest_epoch, acks.epoch)}")
    if acks.pages.rotten:
        out.problems.append("acks: neither copy can be read")
    return out


def check_index(chains: Mapping[int, Chain], inspection: Inspection, losses: Losses) -> list[str]:
    """What the memory of an open spool says that its disk does not, or the other way round."""
    problems: list[str] = []
    indexed: dict[tuple[int, int], Ranges] = {}
    for cls, chain in chains.items():
        unheld = 0
        for segment in chain.index.segments:
            for stretch in segment.stretches:
                indexed.setdefault((cls, stretch.epoch), Ranges()).add(stretch.first, stretch.last)
                missing = losses.held(cls, stretch.epoch).missing(stretch.first, stretch.last)
                unheld += sum(b - a + 1 for a, b in missing)
        if unheld != chain.index.unheld:
            problems.append(f"class {cls}: {unheld} frames are not held, the index says {chain.index.unheld}")
    for cls, epoch in sorted(indexed.keys() | inspection.names.keys()):
        memory = indexed.get((cls, epoch), Ranges())
        disk = inspection.names.get((cls, epoch), Ranges())
        for first, last in _without(memory, disk):
            if not losses.explains(Damage(cls, epoch, first, last, 0, torn=False, place="")):
                problems.append(f"class {cls} epoch {epoch}: {first}..{last} are indexed and cannot be read")
        problems.extend(
            f"class {cls} epoch {epoch}: {first}..{last} can be read and are not indexed"
            for first, last in _without(disk, memory)
        )
    return problems


def _without(one: Ranges, other: Ranges) -> Iterator[tuple[int, int]]:
    for first, last in one:
        yield from other.missing(first, last)


def _scan(files: Files, cls: int, segment: Segment, limits: Limits) -> tuple[bytes, Scan]:
    """All of it up to where the segment is known to end: beyond that may lie a commit that failed."""
    data, _, _ = read_segment(files, segment.path, limits.segment_bytes)
    return data, scan(data, cls, Extent(segment.generation, segment.first_position, segment.next_position, None))


def _inspect_class(
    files: Files, folder: Path, cls: int, names: list[str], limits: Limits, losses: Losses, out: Inspection
) -> None:
    found = recover(files, folder, cls, names, limits.segment_bytes, losses.evicted(cls))
    _tell(cls, [damage for damage, _ in found.damage], losses, out)
    out.problems.extend(f"{segment.path.name}: the header is damaged" for segment in found.headless)
    out.problems.extend(f"{segment.path.name}: the file ends at byte {size}" for segment, size in found.short)
    before = (0, -1)
    generations: set[int] = set()
    for segment in found.segments:
        if segment.generation in generations:
            out.problems.append(f"{segment.path.name}: generation {segment.generation} is there twice")
        generations.add(segment.generation)
        _, result = _scan(files, cls, segment, limits)
        _compare(cls, segment, result, losses, out)
        for frame in result.frames:
            if (frame.epoch, frame.seq) <= before:
                out.problems.append(f"{segment.path.name}+{frame.offset}: {frame.epoch}/{frame.seq} after {before}")
            before = (frame.epoch, frame.seq)


def _compare(cls: int, segment: Segment, result: Scan, losses: Losses, out: Inspection) -> None:
    """The frames of one segment against what its footer says; without a footer both are the same."""
    readable: dict[int, Ranges] = {}
    for stretch in result.stretches:
        readable.setdefault(stretch.epoch, Ranges()).add(stretch.first, stretch.last)
        out.names.setdefault((cls, stretch.epoch), Ranges()).add(stretch.first, stretch.last)
        out.newest_epoch = max(out.newest_epoch, stretch.epoch)
    place = f"{segment.path.name}.{segment.generation}"
    for stretch in segment.stretches:
        for first, last in readable.get(stretch.epoch, Ranges()).missing(stretch.first, stretch.last):
            _tell(cls, [Damage(cls, stretch.epoch, first, last, 0, torn=False, place=place)], losses, out)


def _tell(cls: int, damages: list[Damage], losses: Losses, out: Inspection) -> None:
    """A torn tail is how a power cut leaves a folder, not a violation."""
    for damage in damages:
        if damage.torn or losses.explains(damage):
            continue
        out.problems.append(f"class {cls}: {damage.epoch}/{damage.first}..{damage.last} damaged at {damage.place}")
