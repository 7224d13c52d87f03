"""Reading committed frames back, one stretch (about 512 KiB) at a time, every body verified."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.spool.files import Files, read_around
from agent.spool.frame import Frame, walk
from agent.spool.scan import Hole
from agent.spool.segment import Segment, Stretch
from agent.spool.terms import BLOCK_BYTES, Stored


@dataclass(slots=True)
class Page:
    """One stretch as it was read; `frames` by number, sound or not."""

    data: bytes = b""
    frames: dict[int, Frame] = field(default_factory=dict)


class Reader:
    """Keeps the last stretch, so that draining it in small portions reads the disk once."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._key: tuple[object, ...] = ()
        self._page = Page()
        self.errors = 0

    def page(self, cls: int, segment: Segment, stretch: Stretch) -> Page:
        """OSError: the disk is gone. A block it refuses, or a file that is gone, costs the frames in it."""
        key = (segment.path, segment.generation, stretch.offset, stretch.end)
        if key != self._key:
            self.forget()  # before there are two
            self._page = self._load(cls, segment, stretch)
            self._key = key
        return self._page

    def forget(self) -> None:
        """Let go of the last stretch."""
        self._key, self._page = (), Page()

    def _load(self, cls: int, segment: Segment, stretch: Stretch) -> Page:
        try:
            data = self._bytes(segment, stretch)
        except FileNotFoundError:
            self.errors += 1
            data = b""
        page = Page(data)
        for frame in walk(data, cls, segment.generation):
            if frame.epoch == stretch.epoch and stretch.first <= frame.seq <= stretch.last:
                page.frames[frame.seq] = frame
        return page

    def _bytes(self, segment: Segment, stretch: Stretch) -> bytes:
        fd = self._files.look(segment.path)
        try:
            data, refused = read_around(self._files, fd, stretch.end - stretch.offset, stretch.offset)
            if refused:
                self.errors += 1
            if refused and refused >= len(data):
                self._files.pread(fd, BLOCK_BYTES, 0)  # the header still reads: one bad place, not a dead disk
            return data
        finally:
            self._files.close(fd)


def sound(cls: int, page: Page, seq: int) -> Stored | None:
    frame = page.frames.get(seq)
    return frame.stored(cls, page.data) if frame is not None and frame.sound else None


def holes_of(page: Page, stretch: Stretch, missing: Iterable[int]) -> list[Hole]:
    """Where in the segment the missing numbers must have been, a hole for each run of them."""
    runs: list[list[int]] = []
    for seq in missing:
        if runs and runs[-1][1] + 1 == seq:
            runs[-1][1] = seq
        else:
            runs.append([seq, seq])
    out: list[Hole] = []
    for first, last in runs:
        start = max((f.end for seq, f in page.frames.items() if seq < first), default=0)
        end = min((f.offset for seq, f in page.frames.items() if seq > last), default=len(page.data))
        names = [(stretch.epoch, first, last)]
        out.append(Hole(stretch.offset + start, stretch.offset + max(start, end), names, 0, torn=False))
    return out
