"""Outlines of readings in the store (centre/trend.py): which stretches changed, keeping them, reading them.

A reading that comes marks its stretch of its epoch as changed in its own transaction. Whoever drafts makes the stretch
anew from the readings, and takes the mark away if nothing came meanwhile. A stretch with a mark is drawn from its
readings. Outlines are by `t`, which never changes: what becomes known of the time later leaves them as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from centre import trend
from centre.store import schema
from centre.store.trends_schema import TREND, TREND_CHANGED
from centre.trend import STRETCH_US, Stretch

REST_US = 20_000_000  # what still grows is left alone so long
_MARKS = 10_000  # of one statement
Place = tuple[int, int, int]  # gw, epoch, stream
Part = tuple[int, int]  # first, and one past the last t


class Changed(NamedTuple):
    """A stretch of the finest level of an epoch whose readings changed `times` times since it was drafted."""

    gw: int
    epoch: int
    stretch: int
    times: int


def mark(connection: Connection, readings: Iterable[Mapping[str, Any]], received: int) -> None:
    """These rows of NUMERIC came."""
    _mark(connection, {(r["gw"], r["epoch"], r["t"] // STRETCH_US[0]) for r in readings}, received)


def mark_all(connection: Connection) -> None:
    """Every stretch in which anything came: for a store that is older than outlines of readings."""
    a = schema.ARRIVED.c
    found: set[tuple[int, int, int]] = set()
    for gw, epoch, first, last in connection.execute(select(a.gw, a.epoch, a.first, a.last)):
        found.update((gw, epoch, at) for at in range(first // STRETCH_US[0], last // STRETCH_US[0] + 1))
    _mark(connection, found, 0)


def forget(connection: Connection, gw: int, epoch: int, first: int, last: int) -> None:
    """Readings from t `first` to `last` are gone, and so is what was drafted of them: drafted anew of the rest."""
    t, (fine, coarse) = TREND.c, STRETCH_US
    above = range(first // coarse, last // coarse + 1)
    least, greatest = above[0] * coarse // fine, ((above[-1] + 1) * coarse - 1) // fine
    here = (t.gw == gw, t.epoch == epoch)
    connection.execute(delete(TREND).where(*here, t.level == 1, t.stretch.between(above[0], above[-1])))
    connection.execute(delete(TREND).where(*here, t.level == 0, t.stretch.between(first // fine, last // fine)))
    _mark(connection, {(gw, epoch, stretch) for stretch in range(least, greatest + 1)}, 0)


def _mark(connection: Connection, found: set[tuple[int, int, int]], received: int) -> None:
    table = TREND_CHANGED
    statement = _insert(connection)(table)
    names = ("gw", "epoch", "stretch")
    news = {"times": table.c.times + 1, "received": statement.excluded.received}
    statement = statement.on_conflict_do_update(index_elements=names, set_=news)
    rows = [dict(zip(names, key, strict=True)) | {"times": 1, "received": received} for key in sorted(found)]
    for at in range(0, len(rows), _MARKS):
        connection.execute(statement, rows[at : at + _MARKS])


def changed(connection: Connection, now_us: int, limit_rows: int) -> list[Changed]:
    """What came to rest."""
    c = TREND_CHANGED.c
    wanted = select(c.gw, c.epoch, c.stretch, c.times).where(c.received < now_us - REST_US)
    order = (c.gw, c.epoch, c.stretch)
    return [Changed(*row) for row in connection.execute(wanted.order_by(*order).limit(limit_rows))]


def keep(connection: Connection, one: Changed, drafts: Mapping[int, Stretch]) -> None:
    """Put a stretch of each stream and its part of the coarser one; the mark goes, unless something came meanwhile."""
    above = one.stretch * STRETCH_US[0] // STRETCH_US[1]
    for stream, fine in drafts.items():
        place = (one.gw, one.epoch, stream)
        _put(connection, place, 0, one.stretch, fine)
        known = [stretch for _, stretch in _read(connection, place, 1, above, above)]
        _put(connection, place, 1, above, trend.entered(known[0] if known else trend.empty(), fine, one.stretch))
    c = TREND_CHANGED.c
    here = (c.gw == one.gw, c.epoch == one.epoch, c.stretch == one.stretch)
    connection.execute(delete(TREND_CHANGED).where(*here, c.times == one.times))


def parts(connection: Connection, gw: int, epoch: int, span: Part) -> tuple[list[Part], list[Part]]:
    """What of `span` must be read, as it changed since it was drafted; and the rest."""
    (first, last), c, size = span, TREND_CHANGED.c, STRETCH_US[0]
    near = c.stretch.between(first // size, (last - 1) // size)
    wanted = select(c.stretch).where(c.gw == gw, c.epoch == epoch, near).order_by(c.stretch)
    fresh: list[Part] = []
    for stretch in connection.scalars(wanted):
        begin, end = max(first, stretch * size), min(last, (stretch + 1) * size)
        begin = fresh.pop()[0] if fresh and fresh[-1][1] == begin else begin
        fresh.append((begin, end))
    edges = [first, *(edge for part in fresh for edge in part), last]
    return fresh, [(a, b) for a, b in list(pairwise(edges))[::2] if a < b]


def stored(
    connection: Connection, place: tuple[int, int, int], level: int, part: Part
) -> Iterator[tuple[int, Stretch]]:
    """Stretches of a level that touch `part`, by number."""
    size = STRETCH_US[level]
    return _read(connection, place, level, part[0] // size, (part[1] - 1) // size)


_t = TREND.c
_STORED = (
    select(_t.stretch, _t.data)
    .where(_t.gw == bindparam("gw"), _t.epoch == bindparam("epoch"), _t.stream == bindparam("stream"))
    .where(_t.level == bindparam("level"), _t.stretch.between(bindparam("from"), bindparam("to")))
    .order_by(_t.stretch)
)


def _read(connection: Connection, place: Place, level: int, first: int, last: int) -> Iterator[tuple[int, Stretch]]:
    here = dict(zip(("gw", "epoch", "stream"), place, strict=True))
    for stretch, data in connection.execute(_STORED, here | {"level": level, "from": first, "to": last}):
        yield stretch, trend.unpacked(bytes(data))


def _put(connection: Connection, place: Place, level: int, stretch: int, made: Stretch) -> None:
    statement = _insert(connection)(TREND)
    names = ("gw", "epoch", "stream", "level", "stretch")
    values = dict(zip(names, (*place, level, stretch), strict=True)) | {"data": trend.packed(made)}
    news = {"data": statement.excluded.data}
    connection.execute(statement.on_conflict_do_update(index_elements=names, set_=news), values)


def _insert(connection: Connection) -> Any:
    return sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
