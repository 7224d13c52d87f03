"""Readings of hours, column by column: the least and the greatest that the device said, and where it said none.

What a device kept in its memory was not taken when it was told: it is no part of a trend.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Double, Select, and_, case, cast, exists, func, select

from centre import trend
from centre.store import schema, trend_outlines
from centre.store.trend_outlines import Place
from centre.trend import Absence, Column, Gathering, Trend


class Axis(NamedTuple):
    """Columns of `width_us` from `begin` on, microseconds of t."""

    begin: int
    width_us: int


def trends(connection: Connection, gw: int, epoch: int, span: tuple[int, int], count: int) -> list[Trend]:
    """Of `span` (first and last t, microseconds): from outlines where they are, else along the key of the readings."""
    s = schema.STREAM.c
    numbers = select(s.stream).where(s.gw == gw, s.epoch == epoch, s.rate == "0/1").order_by(s.stream)
    first, last = span[0], span[1] + 1
    axis = Axis(first, max(1, -(-(last - first) // count)))
    level = trend.level_for(axis.width_us)
    raw, outlined = [(first, last)], list[tuple[int, int]]()
    if level is not None:
        raw, outlined = trend_outlines.parts(connection, gw, epoch, (first, last))
    found = []
    for stream in connection.scalars(numbers).all():
        whole = Gathering(stream, *axis, count)
        for part in raw:
            whole.add(read(connection, (gw, epoch, stream), part, axis))
        for part in outlined:
            for number, stretch in trend_outlines.stored(connection, (gw, epoch, stream), level or 0, part):
                whole.put(stretch, level or 0, number, *part)
        found.append(whole.trend())
    return [one for one in found if one.columns or one.absent]


def read(connection: Connection, place: Place, part: tuple[int, int], axis: Axis) -> Trend:
    """Of the readings themselves, from part[0] up to, not with, part[1]."""
    n = schema.NUMERIC.c
    gw, epoch, stream = place
    column = ((n.t - axis.begin) // axis.width_us).label("at")
    near = (n.t >= part[0], n.t < part[1])
    here = _untaken(connection, select(column).where(n.gw == gw, n.epoch == epoch, n.stream == stream, *near), place)
    is_odd = connection.execute(here.where(_is_odd()).limit(1)).first() is not None  # hardly ever
    number: ColumnElement[float] = cast(n.value, Double)
    number = case((_is_odd(), None), else_=number) if is_odd else number
    told = here.add_columns(func.min(number), func.max(number), func.count() - func.count(n.value))
    rows = connection.execute(told.group_by("at")).all()
    columns = {at: (least, greatest) for at, least, greatest, _ in rows if least is not None}
    if is_odd:
        for at, text in connection.execute(here.where(_is_odd()).add_columns(n.value)):
            _enter(columns, at, float(Decimal(text)))
    absent = _absent(connection, here) if any(none for _, _, _, none in rows) else []
    return Trend(stream, [Column(at, *ends) for at, ends in sorted(columns.items())], absent)


def _absent(connection: Connection, here: Select[Any]) -> list[Absence]:
    n = schema.NUMERIC.c
    return sorted(
        Absence(*row) for row in connection.execute(here.where(n.value.is_(None)).add_columns(n.why).distinct())
    )


def _is_odd() -> ColumnElement[bool]:
    """An exponent, no number, or an infinity: databases do not read all of those as Python does."""
    return func.trim(schema.NUMERIC.c.value, "-.0123456789") != ""


def _untaken(connection: Connection, wanted: Select[Any], place: Place) -> Select[Any]:
    n, k = schema.NUMERIC.c, schema.TAKEN.c
    here = (k.gw == place[0], k.epoch == place[1], k.stream == place[2])
    if connection.execute(select(k.t).where(*here).limit(1)).first() is None:  # mostly
        return wanted
    same = and_(k.gw == n.gw, k.epoch == n.epoch, k.stream == n.stream, k.t == n.t, k.seq == n.seq, k.item == n.item)
    return wanted.where(~exists().where(same))


def _enter(columns: dict[int, tuple[float, float]], at: int, value: float) -> None:
    if value - value != 0:  # neither infinite nor no number can be drawn
        return
    least, greatest = columns.get(at, (value, value))
    columns[at] = (min(least, value), max(greatest, value))


def drafts(connection: Connection, one: trend_outlines.Changed) -> dict[int, trend.Stretch]:
    """By stream what its readings make of a stretch now."""
    n = schema.NUMERIC.c
    first, last = one.stretch * trend.STRETCH_US[0], (one.stretch + 1) * trend.STRETCH_US[0]
    here = (n.gw == one.gw, n.epoch == one.epoch, n.t >= first, n.t < last)
    streams: Iterable[int] = connection.scalars(select(n.stream).where(*here).distinct()).all()
    axis = Axis(first, trend.BUCKET_US[0])
    return {s: trend.drafted(read(connection, (one.gw, one.epoch, s), (first, last), axis)) for s in streams}
