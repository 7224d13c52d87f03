"""The segments of one class: where the next commit goes, and which file is used again when there is no other."""

from __future__ import annotations

import errno
from collections import deque
from pathlib import Path

from agent.spool.acks import Acks
from agent.spool.files import STEP_BYTES, Files, Prewrite, fill, write_all
from agent.spool.frame import HEAD_BYTES, Frame, encode, padded, size_of
from agent.spool.index import Index
from agent.spool.recover import Recovered, readable
from agent.spool.segment import Segment, encode_footer, encode_header, file_name, fits
from agent.spool.terms import BLOCK_BYTES, SECTOR_BYTES, Accepted, Cause, Lost, Stored

_FULL = (errno.ENOSPC, errno.EDQUOT)
_LEAP = 1 << 32  # past whatever a segment that cannot be read today may hold


class Chain:
    """One writer. A commit that fails ends its segment: what was not synced goes to another file whole.

    (After a failed fdatasync Linux marks the pages clean, and a second one on the same file says "done"
    although nothing was written: https://lwn.net/Articles/752063/.)
    """

    def __init__(self, files: Files, folder: Path, cls: int, quota_bytes: int, segment_bytes: int) -> None:
        self._files = files
        self._folder = folder
        self.cls = cls
        self.quota_bytes = quota_bytes
        self.segment_bytes = segment_bytes
        self.index = Index()
        self.spares: list[Segment] = []
        self.current: Segment | None = None
        self.appended_bytes = 0
        self.taken_bytes = 0
        self.spares_refused = 0
        self.unread: list[Path] = []  # the disk refused them at open: what they hold waits for another start
        self.write_errors = 0
        self.evicted: list[Lost] = []  # since the last time the spool looked
        self.evicted_frames = 0
        self._fd: int | None = None
        self._generation = 0
        self._position = 0
        self._next_number = 0
        self._making: Prewrite | None = None
        self._refused_at = -1  # the generation at which the disk made no spare
        self._refusal: OSError | None = None

    def attach(self, found: Recovered, acks: Acks) -> None:
        """Take over what is on the disk; finish and mend what can be."""
        held = {epoch: ranges for (cls, epoch), ranges in acks.held.items() if cls == self.cls}
        for segment in found.segments:
            self.index.attach(segment, held)
        self.spares = list(found.spares)
        self._next_number = found.last_number + 1
        if found.segments:
            self._generation = found.segments[-1].generation
            self._position = found.segments[-1].next_position
        self.unread = found.unread
        if found.unread:
            self._generation += _LEAP
            self._position += _LEAP
        for segment, size in found.short:
            self._make_whole(segment, size)
        for segment in found.headless:
            header = encode_header(self.cls, self.segment_bytes, segment.generation, segment.first_position)
            self._put(segment, header, 0)
        for segment in found.unknown:
            self._put(segment, bytes(2 * BLOCK_BYTES), 0)
        for segment in found.unfinished:
            self._finish(segment)
        if found.current is not None and not found.unread:
            self._continue(found.current)

    def readable_again(self) -> bool:
        """Whether the disk gives now what it refused at open."""
        return any(readable(self._files, path, self.segment_bytes) for path in self.unread)

    @property
    def files_count(self) -> int:
        return len(self.index.segments) + len(self.spares)

    @property
    def free_bytes(self) -> int:
        """For new frames, before a segment with anything unheld must be used again; further files not counted."""
        current = self.current
        whole = sum(not segment.unheld for segment in self.index.segments if segment is not current)
        rest = 0 if current is None else self.segment_bytes - BLOCK_BYTES - current.end
        return (whole + len(self.spares)) * self._data_bytes + rest

    @property
    def growth_bytes(self) -> int:
        return max(0, self.quota_bytes // self.segment_bytes - self.files_count) * self._data_bytes

    @property
    def _data_bytes(self) -> int:
        """Of one segment, between its header and its footer."""
        return self.segment_bytes - 2 * BLOCK_BYTES

    @property
    def wants_spare(self) -> bool:
        """True from the middle of the last free segment on, until the quota is reached."""
        if self.spares or self._refused_at == self._generation or not self._may_grow():
            return False
        return self._making is not None or self.current is None or self.current.end > self.segment_bytes // 2

    def make_spare(self) -> None:
        """One step of at most 256 KiB. A refusal is counted; a full disk is asked again at the next segment."""
        if self._making is None:
            name = file_name(self.cls, self._next_number)
            self._making = Prewrite(self._files, self._folder, name, self.segment_bytes)
        try:
            ready = self._making.step()
        except OSError as error:
            self._making = None
            self._refusal = error
            self._refused_at = self._generation
            self.spares_refused += 1
            return
        if ready:
            self._making = None
            self.spares.append(Segment(self._next_number, self._folder / file_name(self.cls, self._next_number)))
            self._next_number += 1

    def flush(self, waiting: deque[Stored], accepted: list[Accepted], acks: Acks) -> None:
        """Make durable what waits; frames leave `waiting` as they are. OSError: the rest is still there."""
        while waiting:
            segment = self._segment_for(size_of(waiting[0]), acks)
            batch = self._batch(segment, waiting)
            try:
                frames = self._write(segment, batch)
            except OSError:
                self.write_errors += 1
                self._give_up(segment)
                raise
            for stored, frame in zip(batch, frames, strict=True):
                waiting.popleft()
                self._accept(segment, stored, frame, acks, accepted)

    def close(self) -> None:
        if self._fd is not None:
            self._files.close(self._fd)
            self._fd = None

    def _accept(self, segment: Segment, stored: Stored, frame: Frame, acks: Acks, accepted: list[Accepted]) -> None:
        held = stored.seq in acks.of(stored.cls, stored.epoch)
        self.index.add(segment, frame, len(stored.data), 0 if held else 1)
        self.appended_bytes += len(stored.data)
        acks.tails[stored.cls, stored.epoch] = stored.seq + 1
        last = accepted[-1] if accepted else None
        if last and (last.cls, last.epoch, last.last + 1) == (stored.cls, stored.epoch, stored.seq):
            accepted[-1] = last._replace(last=stored.seq)
        else:
            accepted.append(Accepted(stored.cls, stored.epoch, stored.seq, stored.seq))

    def _batch(self, segment: Segment, waiting: deque[Stored]) -> list[Stored]:
        batch: list[Stored] = []
        size = 0
        for stored in waiting:
            size += size_of(stored)
            if not fits(segment, size, self.segment_bytes):
                break
            batch.append(stored)
        return batch

    def _write(self, segment: Segment, batch: list[Stored]) -> list[Frame]:
        """One write and one sync; the header goes with the first frames."""
        if self._fd is None:
            self._fd = self._files.open(segment.path)
        fresh = segment.end == BLOCK_BYTES
        parts: list[bytes] = []
        frames: list[Frame] = []
        at, position = segment.end, segment.next_position
        for stored in batch:
            parts.append(encode(stored, segment.generation, position))
            end = at + HEAD_BYTES + len(stored.data)
            frames.append(Frame(at, end, position, stored.epoch, stored.hour, stored.seq, sound=True))
            at, position = end, position + 1
        if fresh:
            header = encode_header(self.cls, self.segment_bytes, segment.generation, segment.first_position)
            parts.insert(0, header)
        data = b"".join(parts)
        write_all(
            self._files, self._fd, data.ljust(padded(len(data), SECTOR_BYTES), b"\0"), 0 if fresh else segment.end
        )
        self._files.fdatasync(self._fd)
        self.taken_bytes += padded(at) - segment.end
        segment.end = padded(at)
        segment.next_position = self._position = position
        return frames

    def _segment_for(self, size: int, acks: Acks) -> Segment:
        if self.current is not None and fits(self.current, size, self.segment_bytes):
            return self.current
        if self.current is not None:
            self.taken_bytes += self.segment_bytes - BLOCK_BYTES - self.current.end
            self._finish(self.current)
            self.close()
        segment = self._free_segment(acks)
        self._generation += 1
        segment.begin(self._generation, self._position)
        self.index.segments.append(segment)
        self.current = segment
        return segment

    def _free_segment(self, acks: Acks) -> Segment:
        """A spare; else a new file; else the oldest segment the centre holds whole; else the oldest of all."""
        while self.wants_spare_now():
            self.make_spare()
        if self.spares:
            return self.spares.pop(0)
        segments = self.index.segments
        chosen = next((segment for segment in segments if not segment.unheld), segments[0] if segments else None)
        if chosen is None:
            raise OSError(errno.ENOSPC, f"no segment of class {self.cls} can be made")
        if chosen.unheld:
            self._ask_again()
            self._evict(chosen, acks)
        self.index.drop(chosen)
        acks.prune(self.cls, self.index.oldest_numbers())
        return chosen

    def _ask_again(self) -> None:
        """Nothing is given up for a disk that fails at this moment, only for one that has no room. Raises OSError."""
        if self._may_grow() and self._refusal is not None and self._refusal.errno not in _FULL:
            self._refused_at = -1
            raise self._refusal

    def wants_spare_now(self) -> bool:
        """Whether a commit must make its own spare because nobody called `make_spare` in time."""
        return not self.spares and self._may_grow() and self._refused_at != self._generation

    def _may_grow(self) -> bool:
        return (self.files_count + 1) * self.segment_bytes <= self.quota_bytes

    def _evict(self, segment: Segment, acks: Acks) -> None:
        """Write down what is lost before it is overwritten; a disk that refuses that must not stop new frames."""
        lost: list[Lost] = []
        for stretch in segment.stretches:
            for first, last in acks.of(self.cls, stretch.epoch).missing(stretch.first, stretch.last):
                previous = lost[-1] if lost else None
                if previous and previous.epoch == stretch.epoch and previous.last + 1 == first:
                    first = lost.pop().first  # noqa: PLW2901  one statement for one run
                lost.append(Lost(self.cls, stretch.epoch, first, last, Cause.EVICTED))
        self.evicted.extend(lost)
        self.evicted_frames += segment.unheld
        acks.lose(lost)
        acks.try_save()

    def _give_up(self, segment: Segment) -> None:
        """This file failed: keep what it had, and do not add to it."""
        self.close()
        self.current = None
        if segment.stretches:
            self._finish(segment)
            return
        self.index.drop(segment)
        self.spares.append(segment)

    def _finish(self, segment: Segment) -> None:
        """Write the footer. It is only a shortcut for the next open, so a refusal is counted and no more."""
        footer = encode_footer(segment)
        if footer is not None:
            self._put(segment, footer, self.segment_bytes - BLOCK_BYTES)

    def _put(self, segment: Segment, data: bytes, offset: int) -> None:
        try:
            fd = self._files.open(segment.path)
            try:
                write_all(self._files, fd, data, offset)
            finally:
                self._files.close(fd)
        except OSError:
            self.write_errors += 1

    def _continue(self, segment: Segment) -> None:
        """What a killed process wrote may be in memory only: sync it before anyone is told that it is there."""
        try:
            self._fd = self._files.open(segment.path)
            self._files.fdatasync(self._fd)
        except OSError:
            self.write_errors += 1
            self._give_up(segment)
            return
        self.current = segment

    def _make_whole(self, segment: Segment, size: int) -> None:
        """A file that was cut gets its blocks back, so that later commits find them written."""
        try:
            for at in range(size, self.segment_bytes, STEP_BYTES):
                fill(self._files, segment.path, at, min(STEP_BYTES, self.segment_bytes - at))
        except OSError:
            self.write_errors += 1
