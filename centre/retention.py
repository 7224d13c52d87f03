"""How long what is kept: removes what is older than the configuration says, and says so. ADR 32.

Age counts from when data first reached the centre, so a gateway's wrong clock removes nothing. What a legal hold names
stays. Each piece is a transaction of its own; a signed line for each epoch says what went.
"""

from __future__ import annotations

import datetime
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from centre.config import Keep
from centre.holding import EVER, Holds
from centre.store import books, removing
from centre.store.removing import Bounds, Day, Place, Took
from wire.topics import Class

DAY_US = 86_400_000_000
KINDS = ("waves", "readings", "envelopes", "evidence")
_LOG = logging.getLogger("wardlink.centre")
Opens = Callable[[], AbstractContextManager[Connection]]
Signs = Callable[[Connection, str, dict[str, str]], None]


@dataclass(frozen=True, slots=True)
class Removed:
    """Of one kind and epoch: how many rows, bytes of what they held, and from where to where (t, or numbers)."""

    gateway: str
    epoch: int
    kind: str
    rows: int
    size: int
    first: int
    last: int


class Retention:
    """`opens` gives a transaction, `signs` writes what happened into it; `pause` is called between pieces."""

    def __init__(
        self, keep: Keep, opens: Opens, signs: Signs, now_us: int, *, dry: bool = False, pause: Callable[[], bool]
    ) -> None:
        self._keep = keep
        self._opens = opens
        self._signs = signs
        self._now_us = now_us
        self._dry = dry
        self._pause = pause
        when = datetime.datetime.fromtimestamp(now_us / 1e6, datetime.UTC)
        self._day = Day(now_us // DAY_US, f"{when:%Y-%m-%d}")

    def run(self) -> Iterator[Removed]:
        """All that is due, an epoch and kind at a time. Ends early where `pause` says so. Raises SQLAlchemyError."""
        with self._opens() as connection:
            places, numbers = removing.epochs(connection), books.numbers(connection)
            holds = Holds(connection)
        names = {number: gateway for gateway, number in numbers.items()}
        for place in places:
            for kind in KINDS:
                days = getattr(self._keep, f"{kind}_days")
                if days:
                    yield from self._epoch(names[place[0]], place, kind, self._now_us - days * DAY_US, holds)

    def _epoch(self, gateway: str, place: Place, kind: str, before: int, holds: Holds) -> Iterator[Removed]:
        total: Counter[str] = Counter()
        first, last = EVER, 0
        for took in self._pieces(gateway, place, kind, before, holds):
            total.update(rows=took.rows, size=took.size)
            first, last = min(first, took.first), max(last, took.last)
        if not total["rows"]:
            return
        said = Removed(gateway, place[1], kind, total["rows"], total["size"], first, last)
        if not self._dry:
            with self._opens() as connection:
                self._signs(connection, "removed", _detail(said, before))
            _LOG.info("removed gateway=%s epoch=%d kind=%s rows=%d", gateway, place[1], kind, said.rows)
        yield said

    def _pieces(self, gateway: str, place: Place, kind: str, before: int, holds: Holds) -> Iterator[Took]:
        with self._opens() as connection:
            came = removing.stretches(connection, place)
            held = holds.of(connection, gateway, place, came)
            bands = removing.bands(connection, place) if kind == "waves" else []
        fresh = [first for first, _, received in came if received >= before]
        bounds = Bounds(min(fresh, default=EVER), tuple(held))
        if kind == "waves":
            for band in bands:
                yield from self._steps(partial(removing.blocks, place=place, band=band, bounds=bounds, day=self._day))
        elif kind == "readings":
            yield from self._steps(partial(removing.readings, place=place, bounds=bounds, day=self._day))
        elif held:  # what proves the held is kept as a whole
            return
        elif kind == "evidence":
            yield from self._steps(partial(removing.statements, place=place, before=before))
        else:
            for cls in (Class.VITAL, Class.WAVE):
                yield from self._steps(partial(removing.envelopes, place=place, cls=cls, before=before))

    def _steps(self, take: Callable[..., Took]) -> Iterator[Took]:
        at: int | None = 0
        while at is not None and self._pause():
            with self._opens() as connection:
                took = take(connection, at=at, dry=self._dry)
            if took.rows:
                yield took
            at = took.end


def _detail(said: Removed, before: int) -> dict[str, str]:
    words = ("gateway", "epoch", "kind", "rows", "size", "first", "last")
    return {**{word: str(getattr(said, word)) for word in words}, "before": str(before)}
