"""Readings of hours, column by column: the least and the greatest that the device said, and where it said none.

What a device kept in its memory was not taken when it was told: it is no part of a trend.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Double, Select, and_, cast, exists, func, select

from centre.store import schema


class Trend(NamedTuple):
    """A numeric: (column, least, greatest), by column, and the columns in which it was said to be absent."""

    stream: int
    columns: list[tuple[int, float, float]]
    absent: list[int]


def trends(connection: Connection, gw: int, epoch: int, span: tuple[int, int], count: int) -> list[Trend]:
    """Of `span` (first and last t, microseconds)."""
    n = schema.NUMERIC.c
    width = max(1, -(-(span[1] - span[0] + 1) // count))
    column = (n.t - span[0]) // width
    here = select(n.stream, column.label("at")).where(n.gw == gw, n.epoch == epoch, n.t.between(*span))
    here = _untaken(connection, here, gw, epoch)
    found: dict[int, dict[int, tuple[float, float]]] = defaultdict(dict)
    number = cast(n.value, Double)
    plain = here.where(n.value.is_not(None), ~_is_odd()).add_columns(func.min(number), func.max(number))
    for stream, at, least, greatest in connection.execute(plain.group_by(n.stream, "at")):
        found[stream][at] = (least, greatest)
    for stream, at, text in connection.execute(here.where(_is_odd()).add_columns(n.value)):
        _enter(found[stream], at, float(Decimal(text)))
    absent: dict[int, list[int]] = defaultdict(list)
    for stream, at in connection.execute(here.where(n.value.is_(None)).group_by(n.stream, "at")):
        absent[stream].append(at)
    return [
        Trend(stream, [(at, *ends) for at, ends in sorted(found[stream].items())], sorted(absent[stream]))
        for stream in sorted({*found, *absent})
    ]


def _is_odd() -> ColumnElement[bool]:
    """An exponent, no number, or an infinity: databases do not read all of those as Python does."""
    value = func.lower(schema.NUMERIC.c.value)
    return value.like("%e%") | value.like("%n%")


def _untaken(connection: Connection, wanted: Select[Any], gw: int, epoch: int) -> Select[Any]:
    n, k = schema.NUMERIC.c, schema.TAKEN.c
    if connection.execute(select(k.t).where(k.gw == gw, k.epoch == epoch).limit(1)).first() is None:  # mostly
        return wanted
    same = and_(k.gw == n.gw, k.epoch == n.epoch, k.stream == n.stream, k.t == n.t, k.seq == n.seq, k.item == n.item)
    return wanted.where(~exists().where(same))


def _enter(columns: dict[int, tuple[float, float]], at: int, value: float) -> None:
    if value - value != 0:  # neither infinite nor no number can be drawn
        return
    least, greatest = columns.get(at, (value, value))
    columns[at] = (min(least, value), max(greatest, value))
