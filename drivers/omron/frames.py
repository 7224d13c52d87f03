"""Requests to an Omron monitor, and its answers put together again from their notifications.

size | type u16 | address u16 | count | data, 0 in a request | 00 | XOR: that of all bytes is 0     numbers big endian
"""

from __future__ import annotations

from drivers.contract import Counts

ANSWERS = (
    "49123040-aee8-11e1-a74d-0002a5d5c51b",
    "4d0bf320-aee8-11e1-a0d9-0002a5d5c51b",
    "5128ce60-aee8-11e1-b84b-0002a5d5c51b",
    "560f1420-aee8-11e1-8184-0002a5d5c51b",
)
HEAD_BYTES, LEAST_BYTES, MOST_BYTES = 6, 8, 64


def xor(data: bytes | bytearray) -> int:
    out = 0
    for byte in data:
        out ^= byte
    return out


def request(address: int, count: int) -> bytes:
    """Ask for `count` bytes of the memory."""
    head = bytes((LEAST_BYTES, 1, 0, address >> 8, address & 0xFF, count, 0))
    return head + bytes((xor(head),))


class Joiner:
    """The parts of an answer come in their order, each from its own characteristic, the first again for the next."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._parts = bytearray()
        self._number = 0

    def __len__(self) -> int:
        return len(self._parts)

    def feed(self, data: bytes, source: str) -> bytes:
        """The answer whose last part this is; empty where more must come or it is refused."""
        place = ANSWERS.index(source) if source in ANSWERS else -1
        if place == 0 and self._parts:
            self.refuse("cut off")
        if place != self._number or not data:
            self.refuse("order of parts" if source in ANSWERS else "other characteristic", data)
            return b""
        self._parts += data
        self._number += 1
        size = self._parts[0]
        if not LEAST_BYTES <= size <= MOST_BYTES:
            self.refuse("length")
        elif len(self._parts) >= size:
            frame = bytes(self._parts[:size])
            if not xor(frame):
                self._counts.frames += 1
                self._clear()
                return frame
            self.refuse("checksum")
        return b""

    def refuse(self, reason: str, data: bytes = b"") -> None:
        """Count what is there, and `data`, as bad, and begin again."""
        self._counts.refuse(reason)
        self._counts.skipped += len(self._parts) + len(data)
        self._clear()

    def _clear(self) -> None:
        self._parts, self._number = bytearray(), 0
