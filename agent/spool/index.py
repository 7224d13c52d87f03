"""What one chain has, in memory: stretches by (epoch, hour), and counts. No I/O; nothing per frame."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping

from agent.spool.frame import Frame
from agent.spool.segment import Segment, Stretch, extend
from wire.ranges import Ranges

Hour = tuple[int, int]  # (epoch, hour)
Place = tuple[Segment, Stretch]


class Index:
    """`segments` ascend by generation, so their frames ascend by (epoch, seq)."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.frames = 0
        self.frames_bytes = 0
        self.unheld = 0
        self.unheld_bytes = 0
        self._open: dict[Hour, dict[Stretch, Segment]] = {}  # only what has unheld frames, oldest first

    def attach(self, segment: Segment, held: Mapping[int, Ranges]) -> None:
        """Take over a segment found on the disk. `held` is per epoch."""
        self.segments.append(segment)
        for stretch in segment.stretches:
            ranges = held.get(stretch.epoch, Ranges())
            unheld = sum(b - a + 1 for a, b in ranges.missing(stretch.first, stretch.last))
            self.frames += stretch.count
            self.frames_bytes += stretch.body_bytes
            self._change(segment, stretch, unheld)

    def add(self, segment: Segment, frame: Frame, body_bytes: int, unheld: int) -> None:
        """One more frame, committed, at the end of the newest segment; `unheld` is 1, or 0 where it is held already."""
        last = segment.stretches[-1] if segment.stretches else None
        if last is not None:
            self.unheld_bytes -= _unheld_bytes(last)
        stretch = extend(segment.stretches, frame, body_bytes)
        if last is not None:
            self.unheld_bytes += _unheld_bytes(last)
        self.frames += 1
        self.frames_bytes += body_bytes
        if unheld:
            self._change(segment, stretch, unheld)

    def drop(self, segment: Segment) -> None:
        """Its file is about to be used again."""
        self.segments.remove(segment)
        for stretch in segment.stretches:
            self.frames -= stretch.count
            self.frames_bytes -= stretch.body_bytes
            self._change(segment, stretch, -stretch.unheld)

    def settle(self, epoch: int, first: int, last: int) -> int:
        """`first..last` were not held and now are; return how many of them are here."""
        settled = 0
        for segment, stretch in self.find(epoch, first, last):
            count = min(last, stretch.last) - max(first, stretch.first) + 1
            self._change(segment, stretch, -count)
            settled += count
        return settled

    def unsettle(self, epoch: int, first: int, last: int, held: Ranges) -> list[tuple[int, int]]:
        """Of `first..last` those of `held` are not held any more; return what is here of them all, held or not.

        `reorder` must follow: a stretch that is open again stands behind younger ones.
        """
        here: list[tuple[int, int]] = []
        for segment, stretch in self.find(epoch, first, last):
            low, high = max(first, stretch.first), min(last, stretch.last)
            unheld = sum(b - a + 1 for a, b in held.missing(low, high))
            self._change(segment, stretch, high - low + 1 - unheld)
            here.append((low, high))
        return here

    def reorder(self) -> None:
        """Open hours and their stretches oldest first."""
        self._open = {
            hour: dict(sorted(places.items(), key=lambda place: place[0].first))
            for hour, places in sorted(self._open.items())
        }

    def find(self, epoch: int, first: int, last: int) -> Iterator[Place]:
        """The stretches with any of these numbers, ascending."""
        for segment in self.segments:
            some = segment.stretches
            if not some or (some[-1].epoch, some[-1].last) < (epoch, first):
                continue
            if (some[0].epoch, some[0].first) > (epoch, last):
                break
            start = bisect_left(some, (epoch, first), key=lambda s: (s.epoch, s.last))
            for at in range(start, len(some)):
                if (some[at].epoch, some[at].first) > (epoch, last):
                    break
                yield segment, some[at]

    def oldest_first(self) -> Iterator[Place]:
        """Stretches with frames nobody holds, in the order of their numbers."""
        return self._places(list(self._open))

    def newest_first(self) -> Iterator[Place]:
        """The same, newest hour first; ascending inside the hour."""
        return self._places(reversed(list(self._open)))

    def oldest_unheld(self) -> Stretch | None:
        return next((stretch for _, stretch in self.oldest_first()), None)

    def oldest_numbers(self) -> dict[int, int]:
        """Per epoch the smallest number that is here."""
        out: dict[int, int] = {}
        for segment in self.segments:
            for stretch in segment.stretches:
                out.setdefault(stretch.epoch, stretch.first)
        return out

    def _places(self, hours: Iterable[Hour]) -> Iterator[Place]:
        for hour in hours:
            for stretch, segment in list(self._open.get(hour, {}).items()):
                yield segment, stretch

    def _change(self, segment: Segment, stretch: Stretch, unheld: int) -> None:
        self.unheld_bytes -= _unheld_bytes(stretch)
        stretch.unheld += unheld
        segment.unheld += unheld
        self.unheld += unheld
        self.unheld_bytes += _unheld_bytes(stretch)
        assert stretch.unheld >= 0
        hour = (stretch.epoch, stretch.hour)
        if stretch.unheld:
            self._open.setdefault(hour, {})[stretch] = segment
        elif stretch in self._open.get(hour, {}):
            del self._open[hour][stretch]
            if not self._open[hour]:
                del self._open[hour]


def _unheld_bytes(stretch: Stretch) -> int:
    """Bodies differ in size and the index does not know which are held: their share of the stretch."""
    return stretch.body_bytes * stretch.unheld // stretch.count
