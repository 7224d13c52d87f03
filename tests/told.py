"""Receipts for tests: no two alike, of one start unless a test says another."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from wire import receipt
from wire.receipt import Held, Receipt

START = b"a start."
_numbers = count()


def held(epoch: int, cls: int, ranges: Iterable[tuple[int, int]], start: bytes = START) -> Held:
    return Held(epoch, start, int(cls), list(ranges))


def told(utc: int, said: list[Held]) -> Receipt:
    """A receipt as the centre makes them."""
    return receipt.made(utc, next(_numbers).to_bytes(8), said)


class OneStart:
    """A spool of which every epoch was sealed by one start, but for those in `others`; notes what was used before."""

    def __init__(self, others: dict[int, bytes | None] | None = None) -> None:
        self.others = others or {}
        self.used_epochs: list[int] = []

    def start(self, epoch: int) -> bytes | None:
        return self.others.get(epoch, START)

    def used(self, epoch: int) -> None:
        self.used_epochs.append(epoch)
