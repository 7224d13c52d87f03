"""A set of whole numbers kept as sorted, disjoint, inclusive ranges.

What was sealed, sent, held or received is nearly always one long run, so a set of a million
numbers is one pair here. Spool acknowledgements, receipts and the ledger all speak in these.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class Ranges:
    """Sorted disjoint ranges `(first, last)`, both ends included."""

    __slots__ = ("_first", "_last")

    def __init__(self, pairs: Iterable[tuple[int, int]] = ()) -> None:
        self._first: list[int] = []
        self._last: list[int] = []
        for first, last in pairs:
            self.add(first, last)

    def add(self, first: int, last: int | None = None) -> int:
        """Add `first..last`; return how many of these numbers were not there before."""
        end = first if last is None else last
        if first > end:
            raise ValueError(f"a range ends before it starts: {first}..{end}")
        low = bisect_left(self._last, first - 1)
        high = bisect_right(self._first, end + 1)
        before = sum(b - a + 1 for a, b in zip(self._first[low:high], self._last[low:high], strict=True))
        if low < high:
            start, end = min(first, self._first[low]), max(end, self._last[high - 1])
        else:
            start = first
        self._first[low:high] = [start]
        self._last[low:high] = [end]
        return (end - start + 1) - before

    def remove(self, first: int, last: int) -> None:
        """Take `first..last` out, whether there or not."""
        kept = [(a, b) for a, b in self if b < first or a > last]
        for a, b in self:
            if a < first <= b:
                kept.append((a, first - 1))
            if a <= last < b:
                kept.append((last + 1, b))
        kept.sort()
        self._first = [a for a, _ in kept]
        self._last = [b for _, b in kept]

    def missing(self, first: int, last: int) -> list[tuple[int, int]]:
        """The parts of `first..last` that are not in the set."""
        out: list[tuple[int, int]] = []
        at = first
        for i in range(bisect_left(self._last, first), len(self._first)):
            if self._first[i] > last:
                break
            if self._first[i] > at:
                out.append((at, self._first[i] - 1))
            at = self._last[i] + 1
        if at <= last:
            out.append((at, last))
        return out

    def covers(self, first: int, last: int) -> bool:
        i = bisect_left(self._last, first)
        return i < len(self._first) and self._first[i] <= first and last <= self._last[i]

    def __contains__(self, number: int) -> bool:
        return self.covers(number, number)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self.pairs())

    def pairs(self) -> list[tuple[int, int]]:
        """The ranges. (`list(set)` would make room for every number first: Python takes its length for a hint.)"""
        return list(zip(self._first, self._last, strict=True))

    def __len__(self) -> int:
        """How many numbers the set holds (not how many ranges)."""
        return sum(b - a + 1 for a, b in self)

    def __bool__(self) -> bool:
        return bool(self._first)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and self._first == other._first and self._last == other._last

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Ranges({self.pairs()})"

    @property
    def runs(self) -> int:
        """How many separate ranges there are."""
        return len(self._first)

    @property
    def last(self) -> int:
        """The greatest number in the set; -1 where it is empty."""
        return self._last[-1] if self._last else -1
