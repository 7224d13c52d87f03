"""Taking a backlog out of a folder, also that of a dead gateway on a failing card. Reads only; the daemon may run.

What it comes across that cannot be read it remembers by name, as far as the neighbours tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from agent.spool.acks import Acks
from agent.spool.epoch import Epoch
from agent.spool.files import Disk, Files
from agent.spool.opening import classes_of
from agent.spool.recover import read_segment, recover
from agent.spool.scan import Extent, Hole, scan
from agent.spool.segment import Segment
from agent.spool.terms import Limits, Lost, Stored
from wire import statement
from wire.envelope import EnvelopeError
from wire.ranges import Ranges
from wire.topics import Class

Name = tuple[int, int, int, int]  # class, epoch, first, last


class Salvage:
    """`unheld`: only what the centre is not known to hold. OSError, SpoolError: it cannot be read at all."""

    def __init__(self, folder: Path, *, unheld: bool, files: Files | None = None, limits: Limits | None = None) -> None:
        self._files = files or Disk()
        self._folder = folder
        self._limits = limits or Limits()
        self._names = self._files.names(folder)
        self._unheld = unheld
        self._lost: dict[tuple[int, int], Ranges] = {}
        self._acks = self._load()
        self._confirmed: dict[tuple[int, int], Ranges] = {}
        self.unnamed = 0

    def proof(self) -> tuple[str, bytes]:
        """(gateway, a statement it signed), held or not; ("", b"") where no sound one is here."""
        for stored in self._class(int(Class.KEY)):
            try:
                return statement.author(stored.data), stored.data
            except EnvelopeError:  # damaged before it was stored, or no statement: the next may tell
                continue
        return "", b""

    def starts(self, gateway: str) -> list[tuple[int, bytes]]:
        """(epoch, its start's random bytes): as was written down, else as the epoch's first sound statement says."""
        epochs = Epoch(self._files, self._folder)
        epochs.load(self._names)
        found = dict(epochs.starts)
        for stored in self._class(int(Class.KEY)):
            if stored.epoch not in found:
                with suppress(EnvelopeError):  # damaged before it was stored: the next may tell
                    found[stored.epoch] = statement.read(gateway, stored.data)[1].nonce
        return sorted((epoch, start) for epoch, start in found.items() if start)

    def frames(self) -> Iterator[Stored]:
        """Class by class, ascending by (epoch, seq); none twice."""
        self._lost, self.unnamed = {}, 0
        for cls in sorted(classes_of(self._names)):
            before = (0, -1)
            for stored in self._class(cls):
                name = (stored.epoch, stored.seq)
                if name <= before:  # a segment that is there twice
                    continue
                before = name
                if not (self._unheld and self._is_confirmed(stored)):
                    yield stored

    def missing(self) -> list[Name]:
        """After `frames`: what was in the spool, cannot be read, and is not known to be held."""
        for one in self._acks.undeclared():
            self._lose(one.cls, one.epoch, one.first, one.last)
        acks = self._load()  # anew: a daemon that runs uses again what is held
        return [
            (cls, epoch, a, b)
            for (cls, epoch), ranges in sorted(self._lost.items())
            for first, last in ranges
            for a, b in acks.confirmed(cls, epoch).missing(first, last)
        ]

    def confirmed(self) -> dict[tuple[int, int], Ranges]:
        """By (class, epoch): what the centre is known to hold."""
        return {key: self._acks.confirmed(*key) for key in self._acks.held}

    def lost(self) -> list[Lost]:
        """What the gateway noted as lost, and why."""
        return self._acks.undeclared()

    def _is_confirmed(self, stored: Stored) -> bool:
        key = (stored.cls, stored.epoch)
        if key not in self._confirmed:
            self._confirmed[key] = self._acks.confirmed(*key)
        return stored.seq in self._confirmed[key]

    def _load(self) -> Acks:
        acks = Acks(self._files, self._folder)
        acks.load(self._names)
        return acks

    def _class(self, cls: int) -> Iterator[Stored]:
        found = recover(
            self._files, self._folder, cls, self._names, self._limits.segment_bytes, self._acks.evicted(cls)
        )
        for damage, _ in found.damage:
            if damage.torn:  # as a power cut leaves it; what was accepted, the acknowledgements know
                continue
            if damage.epoch is None or damage.first is None or damage.last is None:
                self.unnamed += 1
            else:
                self._lose(cls, damage.epoch, damage.first, damage.last)
        for (its, epoch), tail in self._acks.tails.items():
            if its == cls and found.tails.get(epoch, 0) < tail:
                self._lose(cls, epoch, found.tails.get(epoch, 0), tail - 1)
        for segment in found.segments:
            yield from self._segment(cls, segment)

    def _segment(self, cls: int, segment: Segment) -> Iterator[Stored]:
        try:
            data, _, _ = read_segment(self._files, segment.path, self._limits.segment_bytes)
        except OSError:
            data = b""
        extent = Extent(segment.generation, segment.first_position, segment.next_position, None)
        readable: dict[int, Ranges] = {}
        result = scan(data, cls, extent)
        for frame in result.frames:
            readable.setdefault(frame.epoch, Ranges()).add(frame.seq)
            yield frame.stored(cls, data)
        self._compare(cls, segment, readable, result.holes)

    def _compare(self, cls: int, segment: Segment, readable: dict[int, Ranges], holes: list[Hole]) -> None:
        for stretch in segment.stretches:
            for first, last in readable.get(stretch.epoch, Ranges()).missing(stretch.first, stretch.last):
                self._lose(cls, stretch.epoch, first, last)
        for hole in holes:
            for epoch, first, last in hole.names:
                self._lose(cls, epoch, first, last)

    def _lose(self, cls: int, epoch: int, first: int, last: int) -> None:
        self._lost.setdefault((cls, epoch), Ranges()).add(first, last)
