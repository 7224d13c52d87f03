"""Which epochs of a gateway lie in a window of UTC, or may."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from centre.boots import mapping_of
from centre.mapping import Mapping
from centre.rows import Dating
from centre.web.drawing import Window
from centre.web.sources import Store

EPOCHS_LIMIT_COUNT = 48
_FOREVER = 2**53 - 1


class Dated(NamedTuple):
    """When an epoch was: `first` to `last` of its t, and what its mapping makes of them."""

    epoch: int
    mapping: Mapping
    first: int
    last: int

    @property
    def is_dated(self) -> bool:
        return self.mapping.at(self.first).utc is not None and self.mapping.at(self.last).utc is not None


def within(store: Store, gateway: str, window: Window) -> tuple[list[Dated], int]:
    """Epochs that lie in the window, or may; and how many were not looked at. Numbers grow with time."""
    held = sorted(store.epochs(gateway))
    begin = bisect_left(range(len(held)), window.first, key=lambda at: _end(store, gateway, held, at))
    found: list[Dated] = []
    for at, epoch in enumerate(held[begin:], begin):
        if len(found) == EPOCHS_LIMIT_COUNT:
            return found, len(held) - at
        one = _dated(store, gateway, epoch)
        if one is None:
            continue
        starts, ends = one.mapping.at(one.first).earliest, one.mapping.at(one.last).latest
        if starts is not None and starts > window.last:
            if one.is_dated:
                break
            continue
        if ends is None or ends >= window.first:
            found.append(one)
    return found, 0


def _end(store: Store, gateway: str, held: list[int], at: int) -> int:
    """Not after this `held[at]` or, where nothing of it is dated in any way, one before it had ended."""
    for epoch in reversed(held[: at + 1]):
        one = _dated(store, gateway, epoch)
        if one is not None:
            latest = one.mapping.at(one.last).latest
            return _FOREVER if latest is None else latest
    return 0


def _dated(store: Store, gateway: str, epoch: int) -> Dated | None:
    known = store.datings(gateway, epoch)
    own: list[Dating] = [one for one in known if one.epoch == epoch and one.arrived]
    if not own:
        return None
    first, last = min(a.first for a in own[0].arrived), max(a.last for a in own[0].arrived)
    return Dated(epoch, mapping_of(epoch, known), first, last)
