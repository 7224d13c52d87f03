"""Puts what came by several consumers back into the order of its numbers. Pure: time and the ledger's words come in.

The next number of a sequence goes on at once, and so does a smaller one (it is late by nature). A greater one waits for
those before it, which another consumer may be handing over; not longer than `limit_s`, for they may be missing. In the
same way a wave waits for the statement that opens its hour.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from centre.ledger import Place
from wire.envelope import EnvelopeError, header_of
from wire.topics import Class

LIMIT_S = 1.0
PLACES_LIMIT_COUNT = 65_536  # forgotten beyond that: then the store is asked again
_Hour = tuple[int, int]


Tag = TypeVar("Tag")


class Item(NamedTuple, Generic[Tag]):
    """Something that waits its turn. `tag` is for whoever asks; `came_s` when it was put."""

    seq: int
    came_s: float
    number: int  # of putting, so that equals keep their order
    hour: _Hour
    tag: Tag


class Sequence(Generic[Tag]):
    """`reached(place)`: one past the greatest number that is held of a sequence not met before."""

    def __init__(self, reached: Callable[[Place], int], limit_s: float = LIMIT_S) -> None:
        self._reached = reached
        self._limit_s = limit_s
        self._following: dict[Place, int] = {}
        self._hours: dict[str, _Hour] = {}  # the newest that can be opened
        self._waiting: dict[Place, list[Item[Tag]]] = {}
        self._at_once: list[Tag] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._at_once) + sum(map(len, self._waiting.values()))

    def put(self, gateway: str, word: str, data: bytes, tag: Tag, now_s: float) -> None:
        """What has no number goes on at once; whether it is genuine is not asked here."""
        self._count += 1
        try:
            header = header_of(data) if word in _WORDS else None
        except EnvelopeError:
            header = None
        if header is None:
            self._at_once.append(tag)
            return
        place = Place(gateway, header.epoch, header.cls)
        item = Item(header.seq, now_s, self._count, (header.epoch, header.hour), tag)
        heapq.heappush(self._waiting.setdefault(place, []), item)

    def take(self, now_s: float) -> list[Tag]:
        """The tags of all whose turn it is, each sequence by number; statements before what they open."""
        out, self._at_once = self._at_once, []
        for place in sorted(self._waiting, key=lambda place: place.cls):
            waiting = self._waiting[place]
            while waiting and self._is_due(place, waiting[0], now_s):
                out.append(self._go(place, heapq.heappop(waiting)))
            if not waiting:
                del self._waiting[place]
        return out

    def wait_s(self, now_s: float) -> float | None:
        """Until the next has waited long enough; None where none waits."""
        ends = [item.came_s + self._limit_s for waiting in self._waiting.values() for item in waiting[:1]]
        return max(0.0, min(ends) - now_s) if ends else None

    def drain(self) -> list[Tag]:
        """All that waits; what is known of sequences is forgotten: another may go on with them."""
        out = [*self._at_once, *(item.tag for waiting in self._waiting.values() for item in waiting)]
        self._at_once, self._waiting = [], {}
        self._following.clear()
        self._hours.clear()
        return out

    def _is_due(self, place: Place, item: Item[Tag], now_s: float) -> bool:
        if now_s - item.came_s >= self._limit_s:
            return True
        if place not in self._following:
            self._following[place] = self._reached(place)
        if item.seq > self._following[place]:
            return False
        return place.cls is Class.KEY or item.hour <= self._hours.get(place.gateway, (-1, -1))

    def _go(self, place: Place, item: Item[Tag]) -> Tag:
        if len(self._following) > PLACES_LIMIT_COUNT:
            self._following.clear()
        self._following[place] = max(self._following.get(place, 0), item.seq + 1)
        self._hours[place.gateway] = max(item.hour, self._hours.get(place.gateway, item.hour))
        return item.tag


_WORDS = {cls.word for cls in Class}
