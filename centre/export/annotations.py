"""What EDF+ says beside its samples: time-stamped lists, spread over data records that have equal room."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from centre.export.context import ascii_only

CLOCK_BYTES = 40  # of the record's own onset, at most
NOTE_LIMIT_CHARS = 400


@dataclass(frozen=True, slots=True)
class Note:
    """A text at a sample, for `count` samples (0: an instant)."""

    index: int
    count: int
    text: str


class Notes:
    """`records` data records of `size_bytes` of annotations each, in which all of `said` has room."""

    def __init__(self, records: int, said: Iterable[tuple[Fraction, Note]], rate: Fraction) -> None:
        self._waiting = deque(_list(at, note, rate) for at, note in said)
        longest = max((len(one) for one in self._waiting), default=0)
        self.size_bytes = CLOCK_BYTES + longest + longest % 2
        while not self._fits(records):
            self.size_bytes *= 2

    def take(self, at: Fraction) -> bytes:
        """What the record that begins `at` seconds says: its onset, then what waits."""
        out = f"{onset(at)}\x14\x14\0".encode()
        assert len(out) <= CLOCK_BYTES, "an onset is short"
        while self._waiting and len(out) + len(self._waiting[0]) <= self.size_bytes:
            out += self._waiting.popleft()
        return out.ljust(self.size_bytes, b"\0")

    def _fits(self, records: int) -> bool:
        """Whether greedy filling ends within so many records."""
        used, here = 1, CLOCK_BYTES
        for one in self._waiting:
            if here + len(one) > self.size_bytes:
                used, here = used + 1, CLOCK_BYTES
            here += len(one)
        return used <= records


def _list(at: Fraction, note: Note, rate: Fraction) -> bytes:
    lasting = f"\x15{float(note.count / rate):.9f}" if note.count else ""
    return f"{onset(at)}{lasting}\x14{ascii_only(note.text)[:NOTE_LIMIT_CHARS]}\x14\0".encode()


def onset(at: Fraction) -> str:
    """Seconds with a sign, to a nanosecond."""
    nanos = round(at * 1_000_000_000)
    whole, part = divmod(abs(nanos), 1_000_000_000)
    return f"{'-' if nanos < 0 else '+'}{whole}" + (f".{part:09d}".rstrip("0") if part else "")
