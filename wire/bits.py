"""Bit fields: written all at once with numpy, read one by one.

A field is an unsigned number and its width; fields follow each other most significant bit
first, without alignment, and the last byte is filled with zero bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

WIDTH_MAX_BITS = 57  # what a 64-bit window holds wherever in its first byte the field starts
UNARY_MAX_BITS = 24


class CodecError(ValueError):
    """The bytes are not a chunk this codec wrote for that shape."""


class Fields:
    """A growing list of fields; `put` for single ones, `extend` for arrays of them."""

    def __init__(self) -> None:
        self._parts: list[tuple[Ints, Ints]] = []
        self._values: list[int] = []
        self._widths: list[int] = []

    def put(self, value: int, width: int) -> None:
        self._values.append(value)
        self._widths.append(width)

    def put_signed(self, value: int, shift: int) -> None:
        """A Rice code: zigzag, the part above `shift` in unary (ones, then a zero), the rest plain.

        From `UNARY_MAX_BITS` ones on there is no closing zero and the zigzag number follows in 40 bits.
        """
        folded = fold(value)
        high = folded >> shift
        if high >= UNARY_MAX_BITS:
            self.put((1 << UNARY_MAX_BITS) - 1, UNARY_MAX_BITS)
            self.put(folded, 40)
            return
        self.put((1 << (high + 1)) - 2, high + 1)
        self.put(folded & ((1 << shift) - 1), shift)

    def extend(self, values: Ints, widths: Ints) -> None:
        self._flush()
        self._parts.append((values, widths))

    def _flush(self) -> None:
        if self._values:
            self._parts.append((np.array(self._values, np.int64), np.array(self._widths, np.int64)))
            self._values, self._widths = [], []

    def pack(self) -> bytes:
        self._flush()
        values = np.concatenate([part[0] for part in self._parts])
        widths = np.concatenate([part[1] for part in self._parts])
        return _pack(values, widths)


def _pack(values: Ints, widths: Ints) -> bytes:
    """Lay the fields into 64-bit words: each goes to the word it starts in, its overhang to the next."""
    ends = np.cumsum(widths)
    starts = ends - widths
    word = starts >> 6
    room = 64 - (starts & 63) - widths  # bits free behind the field in its word, negative: overhang
    bits = values.astype(np.uint64)
    inside = (bits << np.maximum(room, 0).astype(np.uint64)) >> np.maximum(-room, 0).astype(np.uint64)
    first = np.flatnonzero(np.diff(word, prepend=-1))
    words = np.zeros((int(ends[-1]) >> 6) + 2, np.uint64)
    words[word[first]] = np.bitwise_or.reduceat(inside, first)
    over = np.flatnonzero(room < 0)
    words[word[over] + 1] |= bits[over] << (64 + room[over]).astype(np.uint64)
    return words.astype(">u8").tobytes()[: (int(ends[-1]) + 7) >> 3]


class Reader:
    """Reads fields from bytes; reading past the end is a `CodecError`."""

    def __init__(self, data: bytes) -> None:
        padded = np.frombuffer(data + bytes(8), np.uint8)
        windows = np.lib.stride_tricks.sliding_window_view(padded, 8)
        # windows[i] is bytes i .. i+7 as one big-endian number
        self.windows: list[int] = np.ascontiguousarray(windows).view(">u8").ravel().tolist()
        self.at = 0
        self.end = 8 * len(data)

    def take(self, width: int) -> int:
        at = self.at
        self.at = at + width
        if self.at > self.end:
            raise CodecError("the chunk ends too early")
        return (self.windows[at >> 3] >> (64 - (at & 7) - width)) & ((1 << width) - 1)

    def expect_end(self) -> None:
        """Nothing may follow but the zero bits that fill the last byte."""
        if self.end - self.at > 7 or self.take(self.end - self.at):
            raise CodecError("something follows the last sample")

    def take_signed(self, shift: int) -> int:
        high = 0
        while self.take(1):
            high += 1
            if high == UNARY_MAX_BITS:
                return unfold(self.take(40))
        return unfold(high << shift | self.take(shift))


def fold(value: int) -> int:
    """Zigzag: 0, -1, 1, -2 ... become 0, 1, 2, 3 ..."""
    return 2 * value if value >= 0 else -2 * value - 1


def unfold(folded: int) -> int:
    return -(folded >> 1) - 1 if folded & 1 else folded >> 1
