"""Readings of hours, column by column: the least and the greatest that the device said, and where it said none.

What a device kept in its memory was not taken when it was told: it is no part of a trend.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Double, Select, and_, bindparam, case, cast, exists, func, select

from centre import trend
from centre.store import schema, trend_outlines
from centre.store.trend_outlines import Part
from centre.trend import Absence, Column, Gathering, Trend

Epoch = tuple[int, int]  # of a gateway
_s = schema.STREAM.c
_NUMERICS = (
    select(_s.stream)
    .where(_s.gw == bindparam("gw"), _s.epoch == bindparam("epoch"), _s.rate == "0/1")
    .order_by(_s.stream)
)


class Axis(NamedTuple):
    """Columns of `width_us` from `begin` on, microseconds of t."""

    begin: int
    width_us: int


def trends(connection: Connection, gw: int, epoch: int, span: tuple[int, int], count: int) -> list[Trend]:
    """Of `span` (first and last t, microseconds): from outlines where they are, else along the key of the readings."""
    first, last = span[0], span[1] + 1
    axis = Axis(first, max(1, -(-(last - first) // count)))
    level = trend.level_for(axis.width_us)
    raw, outlined = [(first, last)], list[Part]()
    if level is not None:
        raw, outlined = trend_outlines.parts(connection, gw, epoch, (first, last))
    streams = connection.scalars(_NUMERICS, {"gw": gw, "epoch": epoch}).all()
    whole = {stream: Gathering(stream, *axis, count) for stream in streams}
    for part in raw:
        for one in read(connection, (gw, epoch), streams, part, axis):
            whole[one.stream].add(one)
    for stream in streams:
        for part in outlined:
            for number, stretch in trend_outlines.stored(connection, (gw, epoch, stream), level or 0, part):
                whole[stream].put(stretch, level or 0, number, *part)
    found = [one.trend() for one in whole.values()]
    return [one for one in found if one.columns or one.absent]


def drafts(connection: Connection, one: trend_outlines.Changed) -> dict[int, trend.Stretch]:
    """By stream what its readings make of a stretch now."""
    n = schema.NUMERIC.c
    first, last = one.stretch * trend.STRETCH_US[0], (one.stretch + 1) * trend.STRETCH_US[0]
    here = (n.gw == one.gw, n.epoch == one.epoch, n.t >= first, n.t < last)
    streams = connection.scalars(select(n.stream).where(*here).distinct()).all()
    axis = Axis(first, trend.BUCKET_US[0])
    found = {told.stream: told for told in read(connection, (one.gw, one.epoch), streams, (first, last), axis)}
    return {stream: trend.drafted(found.get(stream, Trend(stream, [], []))) for stream in streams}


def read(connection: Connection, place: Epoch, streams: Sequence[int], part: Part, axis: Axis) -> Iterator[Trend]:
    """Of the readings themselves, from part[0] up to, not with, part[1]; a stream without any is left out."""
    n = schema.NUMERIC.c
    column = ((n.t - axis.begin) // axis.width_us).label("at")
    near = (n.gw == place[0], n.epoch == place[1], n.stream.in_(streams), n.t >= part[0], n.t < part[1])
    here = _untaken(connection, select(n.stream, column).where(*near), place)
    is_odd = connection.execute(here.where(_is_odd()).limit(1)).first() is not None  # hardly ever
    number: ColumnElement[float] = cast(n.value, Double)
    number = case((_is_odd(), None), else_=number) if is_odd else number
    told = here.add_columns(func.min(number), func.max(number), func.count() - func.count(n.value))
    columns: dict[int, dict[int, tuple[float, float]]] = defaultdict(dict)
    is_absent = False
    for stream, at, least, greatest, none in connection.execute(told.group_by(n.stream, "at")):
        is_absent = is_absent or none > 0
        if least is not None:
            columns[stream][at] = least, greatest
    if is_odd:
        for stream, at, text in connection.execute(here.where(_is_odd()).add_columns(n.value)):
            _enter(columns[stream], at, float(Decimal(text)))
    absent = _absent(connection, here) if is_absent else {}
    for stream in sorted(columns.keys() | absent):
        mine = [Column(at, *ends) for at, ends in sorted(columns[stream].items())]
        yield Trend(stream, mine, absent.get(stream, []))


def _absent(connection: Connection, here: Select[Any]) -> dict[int, list[Absence]]:
    n = schema.NUMERIC.c
    found: dict[int, list[Absence]] = defaultdict(list)
    for stream, at, why in connection.execute(here.where(n.value.is_(None)).add_columns(n.why).distinct()):
        found[stream].append(Absence(at, why))
    return {stream: sorted(mine) for stream, mine in found.items()}


def _is_odd() -> ColumnElement[bool]:
    """An exponent, no number, or an infinity: databases do not read all of those as Python does."""
    return func.trim(schema.NUMERIC.c.value, "-.0123456789") != ""


def _untaken(connection: Connection, wanted: Select[Any], place: Epoch) -> Select[Any]:
    n, k = schema.NUMERIC.c, schema.TAKEN.c
    if connection.execute(select(k.t).where(k.gw == place[0], k.epoch == place[1]).limit(1)).first() is None:  # mostly
        return wanted
    same = and_(k.gw == n.gw, k.epoch == n.epoch, k.stream == n.stream, k.t == n.t, k.seq == n.seq, k.item == n.item)
    return wanted.where(~exists().where(same))


def _enter(columns: dict[int, tuple[float, float]], at: int, value: float) -> None:
    if value - value != 0:  # neither infinite nor no number can be drawn
        return
    least, greatest = columns.get(at, (value, value))
    columns[at] = (min(least, value), max(greatest, value))
