"""What the centre holds, what is lost and not yet declared, and how far each class had come.

Kept in memory as ranges and on the disk in two alternating pages. Content of a page: epoch u32 of
the writer, then entries (kind u8, class u8, zero u16, epoch u32, count u32, `count` pairs of u32).
Should it not fit, losses come first, and of what is held the newest is forgotten: duplicates, no more.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from agent.spool.files import Files
from agent.spool.pages import Pages
from agent.spool.terms import Cause, Lost
from wire.ranges import Ranges

FILE = "acks"
PAGE_BYTES = 64 * 1024
EMPTY_LIMIT_EPOCHS = 16  # as many as are said to have ended, at each start
_TAIL, _HELD = 0, 9
_CAUSES = {1: Cause.EVICTED, 2: Cause.DROPPED, 3: Cause.DAMAGED, 4: Cause.ABSENT}
_KINDS = {cause: kind for kind, cause in _CAUSES.items()}
_EPOCH = struct.Struct("<I")
_ENTRY = struct.Struct("<BBxxII")
_PAIR = struct.Struct("<II")
Key = tuple[int, int]  # (class, epoch)
Entry = tuple[int, int, int, list[tuple[int, int]]]  # kind, class, epoch, pairs


class Acks:
    """`held` needs nothing more from us; `lost` waits to be declared; `tails` is the next number per class; of earlier
    epochs only where it is 0."""

    def __init__(self, files: Files, folder: Path) -> None:
        self.pages = Pages(files, folder / FILE, b"WLak", PAGE_BYTES)
        self.epoch = 0
        self.held: dict[Key, Ranges] = {}
        self.lost: dict[tuple[int, int, Cause], Ranges] = {}
        self.tails: dict[Key, int] = {}
        self.failures = 0
        self.forgotten = 0  # ranges that did not fit at the last save

    def begin(self, epoch: int, classes: Iterable[int], tails: Mapping[tuple[int, int], int]) -> None:
        """An epoch begins. `tails`, by (epoch, class): of the earlier ones it is kept that nothing ever came."""
        since = epoch - EMPTY_LIMIT_EPOCHS
        empty = [(cls, ended) for (ended, cls), tail in tails.items() if not tail and ended > since]
        self.epoch = epoch
        self.tails = dict.fromkeys([*empty, *((cls, epoch) for cls in classes)], 0)

    def load(self, names: list[str]) -> None:
        self.pages.load(names)
        content = self.pages.content
        if content is None or len(content) < _EPOCH.size:
            return
        self.epoch = _EPOCH.unpack_from(content)[0]
        for kind, cls, epoch, pairs in _entries(content):
            if kind == _TAIL:
                self.tails[cls, epoch] = pairs[0][0]
            elif kind == _HELD:
                self.held[cls, epoch] = Ranges(pairs)
            elif kind in _CAUSES:
                self.lost[cls, epoch, _CAUSES[kind]] = Ranges(pairs)

    def of(self, cls: int, epoch: int) -> Ranges:
        """What is held of one class and epoch, to be read and added to."""
        return self.held.setdefault((cls, epoch), Ranges())

    def confirmed(self, cls: int, epoch: int) -> Ranges:
        """A copy of what is held, without what counts as held only because it is lost."""
        out = Ranges(self.held.get((cls, epoch), ()))
        for cause in Cause:
            for first, last in self.lost.get((cls, epoch, cause), ()):
                out.remove(first, last)
        return out

    def lose(self, lost: Iterable[Lost]) -> None:
        for one in lost:
            self.lost.setdefault((one.cls, one.epoch, one.cause), Ranges()).add(one.first, one.last)

    def evicted(self, cls: int) -> dict[int, Ranges]:
        """Per epoch what was given up for its space and is not declared yet."""
        return {
            epoch: ranges
            for (its_class, epoch, cause), ranges in self.lost.items()
            if its_class == cls and cause is Cause.EVICTED
        }

    def unsettled(self, cls: int, epoch: int, first: int, last: int) -> list[tuple[int, int]]:
        """The parts of `first..last` that are neither held nor known to be lost."""
        held = self.held.get((cls, epoch), Ranges())
        return [gap for low, high in self.unowed(cls, epoch, first, last) for gap in held.missing(low, high)]

    def settle(self, cls: int, epoch: int, first: int, last: int) -> None:
        """Declared, or found to be held after all: no longer owed."""
        for cause in Cause:
            ranges = self.lost.get((cls, epoch, cause))
            if ranges is None:
                continue
            ranges.remove(first, last)
            if not ranges:
                del self.lost[cls, epoch, cause]

    def unowed(self, cls: int, epoch: int, first: int, last: int) -> list[tuple[int, int]]:
        """The parts of `first..last` that no statement is owed for."""
        pieces = [(first, last)]
        for cause in Cause:
            ranges = self.lost.get((cls, epoch, cause), Ranges())
            pieces = [gap for low, high in pieces for gap in ranges.missing(low, high)]
        return pieces

    def keep(self, cls: int, epoch: int, first: int, last: int) -> None:
        """They were to be overwritten, and are still there."""
        ranges = self.lost.get((cls, epoch, Cause.EVICTED))
        if ranges is not None:
            ranges.remove(first, last)

    def undeclared(self) -> list[Lost]:
        return [
            Lost(cls, epoch, first, last, cause)
            for (cls, epoch, cause), ranges in sorted(self.lost.items())
            for first, last in ranges
        ]

    def prune(self, cls: int, oldest: dict[int, int]) -> None:
        """Forget what is older than the oldest number still in a segment; `oldest` has every live epoch."""
        for key in [key for key in self.held if key[0] == cls]:
            first = oldest.get(key[1])
            if first is None and key[1] != self.epoch:
                del self.held[key]
            elif first:
                self.held[key].remove(0, first - 1)

    def save(self) -> None:
        """Make it durable. OSError: what was saved before still is."""
        content = self._encode()
        if content != self.pages.content:
            self.pages.save(content)

    def try_save(self) -> None:
        """As `save`, where a refusal must not stop the caller: it is counted."""
        try:
            self.save()
        except OSError:
            self.failures += 1

    def _encode(self) -> bytes:
        parts = [_EPOCH.pack(self.epoch)]
        room = self.pages.room_bytes - _EPOCH.size
        self.forgotten = 0
        for kind, cls, epoch, pairs in self._all_entries():
            count = min(len(pairs), max(0, (room - _ENTRY.size) // _PAIR.size))
            self.forgotten += len(pairs) - count
            if count:
                parts.append(_ENTRY.pack(kind, cls, epoch, count))
                parts.extend(_PAIR.pack(first, last) for first, last in pairs[:count])
                room -= _ENTRY.size + count * _PAIR.size
        return b"".join(parts)

    def _all_entries(self) -> Iterator[Entry]:
        for (cls, epoch), tail in sorted(self.tails.items()):
            yield _TAIL, cls, epoch, [(tail, 0)]
        for (cls, epoch, cause), lost in sorted(self.lost.items()):
            yield _KINDS[cause], cls, epoch, lost.pairs()
        for (cls, epoch), held in sorted(self.held.items(), key=lambda item: (item[0][1], item[0][0])):
            yield _HELD, cls, epoch, held.pairs()


def _entries(content: bytes) -> Iterator[Entry]:
    at = _EPOCH.size
    while at + _ENTRY.size <= len(content):
        kind, cls, epoch, count = _ENTRY.unpack_from(content, at)
        at += _ENTRY.size
        pairs = list(_PAIR.iter_unpack(content[at : at + count * _PAIR.size]))
        at += count * _PAIR.size
        yield kind, cls, epoch, pairs
