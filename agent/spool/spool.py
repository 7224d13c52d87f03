"""The spool: what it accepted survives any power cut, and what it lost it can name.

Synchronous, no locks: one thread calls it. It stores bytes of numbered classes and knows nothing of them,
except that class 0 drains first (what opens the others), and the last one gives way first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from agent.spool.buffer import Buffer
from agent.spool.check import check_index, inspect
from agent.spool.epoch import NONCE_BYTES
from agent.spool.files import Disk, Files
from agent.spool.frame import HEAD_BYTES
from agent.spool.lacked import lacked
from agent.spool.opening import Opened, hint_for, open_folder
from agent.spool.reader import Page, Reader, holes_of, sound
from agent.spool.recover import damage_of
from agent.spool.segment import Segment, Stretch
from agent.spool.stat import stat_of
from agent.spool.terms import (
    BLOCK_BYTES,
    Accepted,
    Commit,
    Damage,
    Limits,
    Lost,
    SpoolError,
    Stat,
    StorageError,
    Stored,
)
from wire.ranges import Ranges

Skip = Callable[[int, int, int], bool]  # (class, epoch, seq) -> the uplink has it


class Spool:
    """Made by `Spool.open`. Every method raises StorageError where the disk refuses, and nothing else of it."""

    def __init__(self, folder: Path, files: Files, opened: Opened, nonce: bytes, limits: Limits) -> None:
        self.folder = folder
        self.epoch = opened.number
        self.nonce = nonce
        self.numbers = opened.epoch  # of the starts before, and above which the next one begins
        self._files = files
        self._limits = limits
        self._opened = opened
        self._chains = opened.chains
        self._acks = opened.acks
        self._losses = opened.losses
        self._buffer = Buffer(limits.buffer_bytes)
        self._reader = Reader(files)
        self._next: dict[int, int] = {}
        self._commits = 0
        self.body_limit_bytes = min(limits.body_bytes, limits.segment_bytes - 2 * BLOCK_BYTES - HEAD_BYTES)

    @classmethod
    def open(
        cls,
        folder: Path,
        quotas: Mapping[int, int],
        files: Files | None = None,
        entropy: bytes | None = None,
        limits: Limits | None = None,
    ) -> Spool:
        """`quotas`: bytes per class, two segments or more. `entropy`: 8 bytes, for tests. SpoolError: unusable."""
        nonce = entropy if entropy is not None else os.urandom(NONCE_BYTES)
        disk, bounds = files or Disk(), limits or Limits()
        try:
            opened = open_folder(disk, folder, quotas, nonce, bounds)
        except OSError as error:
            raise SpoolError(f"the spool {folder} cannot be opened: {error}", hint_for(error)) from error
        return cls(folder, disk, opened, nonce, bounds)

    @property
    def damage(self) -> tuple[Damage, ...]:
        """What was found unreadable since open, by open itself or when it was read."""
        return tuple(self._losses.damage)

    def tails(self) -> dict[tuple[int, int], int]:
        """(epoch, class) -> the number after the last one, of earlier epochs the spool knows of."""
        return dict(self._opened.tails)

    def append(self, stored: Stored) -> None:
        """Buffer one frame of this epoch; numbers of a class only grow."""
        assert stored.cls in self._chains, f"class {stored.cls} has no quota"
        assert stored.epoch == self.epoch, "only this epoch is appended to"
        assert self._next.get(stored.cls, 0) <= stored.seq < 1 << 32, "numbers of a class only grow"
        assert 0 <= stored.hour < 1 << 16, "the hour is 16 bits wide"
        assert len(stored.data) <= self.body_limit_bytes, f"a body of {len(stored.data)} bytes is too long"
        self._next[stored.cls] = stored.seq + 1
        self._buffer.add(stored, self._acks)

    def commit(self) -> Commit:
        """Make durable what is buffered: one write and one sync per class. StorageError keeps the rest for the next.

        Where a class cannot be written those behind it wait while there is room: the readings say what the waves are.
        """
        accepted: list[Accepted] = []
        trouble: OSError | None = None
        for cls in sorted(self._buffer.waiting):
            if trouble is not None and self._buffer.has_room:
                break
            waiting = self._buffer.waiting[cls]
            try:
                self._chains[cls].flush(waiting, accepted, self._acks)
            except OSError as error:
                trouble = trouble or error
        if accepted:
            self._buffer.recount()
        self._commits += 1
        done = Commit(accepted, self._take_evicted(), self._buffer.dropped)
        self._buffer.dropped = []
        if trouble is not None:
            raise StorageError(f"the disk refused a commit: {trouble}", hint_for(trouble), done) from trouble
        if done.dropped:
            self._acks.try_save()
        return done

    @property
    def wants_spare(self) -> bool:
        return any(chain.wants_spare for chain in self._chains.values())

    def make_spare(self) -> None:
        """One step (256 KiB) of the next segment of the first class that wants one; call again while it is wanted."""
        for chain in self._chains.values():
            if chain.wants_spare:
                chain.make_spare()
                return

    def held(self, cls: int, epoch: int, ranges: Iterable[tuple[int, int]]) -> int:
        """The centre has these (or nothing more can be done for them); how many frames here that was news for."""
        chain = self._chains.get(cls)
        tail = self._tail(cls, epoch)
        if chain is None or tail == 0:
            return 0
        known = self._acks.of(cls, epoch)
        news = 0
        for first, last in ranges:
            low, high = max(first, 0), min(last, tail - 1)
            if low > high:
                continue
            for start, end in known.missing(low, high):
                news += chain.index.settle(epoch, start, end)
            known.add(low, high)
            self._acks.settle(cls, epoch, low, high)
        return news

    def confirmed(self, cls: int, epoch: int) -> Ranges:
        """What the centre has, as far as this spool knows."""
        return self._acks.confirmed(cls, epoch)

    def lacked(self, cls: int, epoch: int, ranges: Iterable[tuple[int, int]]) -> tuple[int, int]:
        """The centre lacks these, whatever it said before: what is here is backlog again, what is not any more is
        owed a statement. How many of each. Numbers that this epoch has not committed are neither."""
        if cls not in self._chains:
            return 0, 0
        earlier = self._acks.tails.get((cls, epoch), 0) if epoch == self.epoch else 1 << 32
        return lacked(self._chains[cls], self._acks, epoch, earlier if epoch <= self.epoch else 0, ranges)

    def undeclared(self) -> list[Lost]:
        """Losses the gateway still owes a statement for; kept over a restart."""
        return self._acks.undeclared()

    def declared(self, losses: Iterable[Lost]) -> None:
        """A statement about these is where it should be: they are owed no more."""
        for lost in losses:
            self._acks.settle(lost.cls, lost.epoch, lost.first, lost.last)

    def save_acks(self) -> None:
        """Make durable what is held; every 10 s is enough, for forgetting it costs duplicates only."""
        try:
            self._acks.save()
        except OSError as error:
            self._acks.failures += 1
            raise StorageError(f"the acknowledgements cannot be saved: {error}", hint_for(error)) from error

    def backlog(self, limit_bytes: int, skip: Skip) -> list[Stored]:
        """Committed frames nobody holds, up to `limit_bytes` and one frame: class by class, of each the newest hour
        first, ascending inside it. What opens the present hour goes before days of what opens earlier ones."""
        out: list[Stored] = []
        room = limit_bytes
        for cls, chain in sorted(self._chains.items()):
            for segment, stretch in chain.index.newest_first():
                if room <= 0:
                    return out
                unheld = self._acks.of(cls, stretch.epoch).missing(stretch.first, stretch.last)
                wanted = (
                    seq for first, last in unheld for seq in range(first, last + 1) if not skip(cls, stretch.epoch, seq)
                )
                found = self._read(cls, segment, stretch, wanted, room)
                room -= sum(len(stored.data) for stored in found)
                out.extend(found)
        if room > 0:
            self._reader.forget()  # all was given: who asks next wants something else
        return out

    def read(self, cls: int, epoch: int, first: int, last: int) -> list[Stored]:
        """What is here of `first..last`, held or not, ascending, about `read_bytes` (1 MiB) at most: ask again
        from the number after the last one. Empty: there is no more."""
        out: list[Stored] = []
        room = self._limits.read_bytes
        if cls not in self._chains:
            return out
        for segment, stretch in self._chains[cls].index.find(epoch, first, last):
            numbers = range(max(first, stretch.first), min(last, stretch.last) + 1)
            found = self._read(cls, segment, stretch, numbers, room)
            room -= sum(len(stored.data) for stored in found)
            out.extend(found)
            if room <= 0:
                return out
        self._reader.forget()  # all was given
        return out

    def export(self, write: Callable[[Stored], object]) -> int:
        """Every frame that can be read, class by class and in order, to `write`; how many."""
        count = 0
        for stored in self._everything():
            write(stored)
            count += 1
        return count

    def readable_again(self) -> bool:
        """Whether some of what the disk refused at open would be there at another start."""
        return any(chain.readable_again() for chain in self._chains.values())

    def stat(self) -> Stat:
        return stat_of(self._opened, self._buffer, self._reader.errors, self._commits, self._files.written_bytes)

    def check(self) -> list[str]:
        """Every invariant that does not hold, as a sentence; reads all, writes nothing."""
        inspection = inspect(self._files, self.folder, self._limits, self._losses)
        return inspection.problems + check_index(self._chains, inspection, self._losses)

    def close(self) -> None:
        """Save the acknowledgements and let go. What is buffered and not committed is gone: commit first."""
        try:
            self.save_acks()
        finally:
            for chain in self._chains.values():
                chain.close()
            self._files.close(self._opened.lock)

    def _tail(self, cls: int, epoch: int) -> int:
        """The number after the last one that was ever handed in."""
        return self._next.get(cls, 0) if epoch == self.epoch else self._opened.tails.get((epoch, cls), 0)

    def _take_evicted(self) -> list[Lost]:
        out: list[Lost] = []
        for chain in self._chains.values():
            out.extend(chain.evicted)
            chain.evicted = []
        return out

    def _everything(self) -> Iterator[Stored]:
        for cls, chain in sorted(self._chains.items()):
            for segment in list(chain.index.segments):
                for stretch in list(segment.stretches):
                    numbers = range(stretch.first, stretch.last + 1)
                    yield from self._read(cls, segment, stretch, numbers, self._limits.segment_bytes)

    def _read(self, cls: int, segment: Segment, stretch: Stretch, numbers: Iterable[int], room: int) -> list[Stored]:
        """Frames of one stretch until `room` bytes are used; damage found on the way is reported, not returned."""
        out: list[Stored] = []
        missing: list[int] = []
        page: Page | None = None
        for seq in numbers:
            page = page or self._page(cls, segment, stretch)
            stored = sound(cls, page, seq)
            if stored is None:
                missing.append(seq)
                continue
            out.append(stored)
            room -= len(stored.data)
            if room <= 0:
                break
        if missing and page is not None:
            self._found_damage(cls, segment, stretch, page, missing)
        return out

    def _page(self, cls: int, segment: Segment, stretch: Stretch) -> Page:
        try:
            return self._reader.page(cls, segment, stretch)
        except OSError as error:
            raise StorageError(f"the disk refused a read: {error}", hint_for(error)) from error

    def _found_damage(self, cls: int, segment: Segment, stretch: Stretch, page: Page, missing: list[int]) -> None:
        held = self._acks.of(cls, stretch.epoch)
        for hole in holes_of(page, stretch, missing):
            for epoch, first, last in hole.names:
                for low, high in held.missing(first, last):
                    self._chains[cls].index.settle(epoch, low, high)
            place = f"{segment.path.name}.{segment.generation}+{hole.offset}"
            data = page.data[hole.offset - stretch.offset : hole.end - stretch.offset]
            for damage in damage_of(cls, hole, place):
                self._losses.report(damage, data)
