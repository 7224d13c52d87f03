"""Readings of hours, column by column: the least and the greatest that the device said, and where it said none.

What a device kept in its memory was not taken when it was told: it is no part of a trend.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Double, Select, and_, case, cast, exists, func, select

from centre.store import schema


class Trend(NamedTuple):
    """A numeric: (column, least, greatest), by column, and the columns in which it was said to be absent."""

    stream: int
    columns: list[tuple[int, float, float]]
    absent: list[int]


def trends(connection: Connection, gw: int, epoch: int, span: tuple[int, int], count: int) -> list[Trend]:
    """Of `span` (first and last t, microseconds). Each stream is read once, along its key."""
    s = schema.STREAM.c
    numbers = select(s.stream).where(s.gw == gw, s.epoch == epoch, s.rate == "0/1").order_by(s.stream)
    found = (_trend(connection, (gw, epoch, stream), span, count) for stream in connection.scalars(numbers).all())
    return [one for one in found if one.columns or one.absent]


def _trend(connection: Connection, place: tuple[int, int, int], span: tuple[int, int], count: int) -> Trend:
    n = schema.NUMERIC.c
    gw, epoch, stream = place
    width = max(1, -(-(span[1] - span[0] + 1) // count))
    column = ((n.t - span[0]) // width).label("at")
    here = select(column).where(n.gw == gw, n.epoch == epoch, n.stream == stream, n.t.between(*span))
    here = _untaken(connection, here, place)
    is_odd = connection.execute(here.where(_is_odd()).limit(1)).first() is not None  # hardly ever
    number: ColumnElement[float] = cast(n.value, Double)
    number = case((_is_odd(), None), else_=number) if is_odd else number
    told = here.add_columns(func.min(number), func.max(number), func.count() - func.count(n.value))
    rows = connection.execute(told.group_by("at")).all()
    columns = {at: (least, greatest) for at, least, greatest, _ in rows if least is not None}
    if is_odd:
        for at, text in connection.execute(here.where(_is_odd()).add_columns(n.value)):
            _enter(columns, at, float(Decimal(text)))
    absent = sorted(at for at, _, _, none in rows if none)
    return Trend(stream, [(at, *ends) for at, ends in sorted(columns.items())], absent)


def _is_odd() -> ColumnElement[bool]:
    """An exponent, no number, or an infinity: databases do not read all of those as Python does."""
    return func.trim(schema.NUMERIC.c.value, "-.0123456789") != ""


def _untaken(connection: Connection, wanted: Select[Any], place: tuple[int, int, int]) -> Select[Any]:
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
