"""Cutting a byte stream into frames: one loop, fed by a pure function that knows the protocol.

`Cut` looks at the start of the buffer and says one of four things; the `Framer` does the book-keeping
(DESIGN 5: every byte is in a frame, skipped, or waiting). A refused frame costs one byte and a new search,
so a damaged length never swallows the good frame behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from drivers.contract import Counts


@dataclass(frozen=True, slots=True)
class Frame:
    """`size` bytes of the buffer are one good frame; `body` is what it holds."""

    size: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Skip:
    """`size` bytes of the buffer belong to no frame."""

    size: int


@dataclass(frozen=True, slots=True)
class Bad:
    """The bytes look like a frame and are refused for `reason`; the search goes on `size` bytes later."""

    reason: str
    size: int = 1


MORE = Skip(0)  # the frame may begin here, but is not all there
Cut = Callable[[bytearray], Frame | Skip | Bad]


class Framer:
    """Holds at most `limit_bytes` and yields frame bodies in order."""

    def __init__(self, cut: Cut, counts: Counts, limit_bytes: int = 65536) -> None:
        self._cut = cut
        self._counts = counts
        self._limit_bytes = limit_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        buffer, counts = self._buffer, self._counts
        buffer += data
        while buffer:
            found = self._cut(buffer)
            if isinstance(found, Frame):
                del buffer[: found.size]
                counts.frames += 1
                yield found.body
            elif found.size == 0:
                if len(buffer) <= self._limit_bytes:
                    return
                counts.refuse("too long")
                self._drop(1)
            else:
                if isinstance(found, Bad):
                    counts.refuse(found.reason)
                self._drop(found.size)

    def _drop(self, size: int) -> None:
        self._counts.skipped += min(size, len(self._buffer))
        del self._buffer[:size]

    def __len__(self) -> int:
        return len(self._buffer)


def find(buffer: bytearray, start: bytes) -> Skip | None:
    """None where the buffer begins with `start` (or with all that is there of it), else how much to skip to it."""
    at = buffer.find(start)
    if at == 0:
        return None
    if at > 0:
        return Skip(at)
    for tail in range(min(len(start) - 1, len(buffer)), 0, -1):
        if buffer.endswith(start[:tail]):
            return Skip(len(buffer) - tail) if len(buffer) > tail else MORE
    return Skip(len(buffer))


class Lines:
    """Cuts lines of text: the line ends before one and the first one behind it are part of its frame.

    `wrong` says why a line (latin-1) is none of the device's, or None. Until the first good one lines are skipped and
    not refused: the one we come in on may be a piece.
    """

    def __init__(self, wrong: Callable[[str], str | None], limit_bytes: int) -> None:
        self._wrong = wrong
        self._limit_bytes = limit_bytes
        self._in_step = False

    def __call__(self, buffer: bytearray) -> Frame | Skip | Bad:
        limit = self._limit_bytes
        start = next((at for at, byte in enumerate(buffer[: limit + 1]) if byte not in b"\r\n"), len(buffer))
        end = next((at for at in range(start, min(len(buffer), limit)) if buffer[at] in b"\r\n"), None)
        if end is None:
            return MORE if len(buffer) < limit else self._refuse("too long", limit)
        line = bytes(buffer[start:end])
        why = self._wrong(line.decode("latin-1"))
        if why is not None:
            return self._refuse(why, end)
        self._in_step = True
        return Frame(end + 1, line)

    def _refuse(self, why: str, size: int) -> Skip | Bad:
        return Bad(why, size) if self._in_step else Skip(size)
