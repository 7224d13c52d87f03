"""Outlines of waves in the store (centre/outline.py): which stretches changed, making them, reading them.

A block that comes marks its stretch as changed in its own transaction. Whoever drafts makes the stretch anew from its
blocks, and takes the mark away if nothing came meanwhile. A stretch with a mark is drawn from its blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from centre import outline
from centre.outline import BUCKET_SAMPLES, STRETCH_SAMPLES, Ends
from centre.store import schema, waves

REST_US = 20_000_000  # what still grows is left alone so long
_ALL = 1 << 62


class Changed(NamedTuple):
    """A stretch of the finest level whose blocks changed `times` times since it was drafted."""

    gw: int
    epoch: int
    stream: int
    stretch: int
    times: int


def mark(connection: Connection, blocks: Iterable[dict[str, Any]], received: int) -> None:
    """These blocks came."""
    found = {
        (b["gw"], b["epoch"], stream, stretch)
        for b in blocks
        for stream in range(b["stream"], b["stream"] + b["rows"])
        for stretch in range(b["first"] // STRETCH_SAMPLES[0], (b["first"] + b["count"] - 1) // STRETCH_SAMPLES[0] + 1)
    }
    if not found:
        return
    table = schema.CHANGED
    statement = _insert(connection)(table)
    news = {"times": table.c.times + 1, "received": statement.excluded.received}
    names = ("gw", "epoch", "stream", "stretch")
    statement = statement.on_conflict_do_update(index_elements=names, set_=news)
    connection.execute(
        statement, [dict(zip(names, key, strict=True)) | {"times": 1, "received": received} for key in sorted(found)]
    )


def changed(connection: Connection, now_us: int, limit_rows: int) -> list[Changed]:
    """What came to rest; streams of one stretch after each other, as they were coded together."""
    c = schema.CHANGED.c
    wanted = select(c.gw, c.epoch, c.stream, c.stretch, c.times).where(c.received < now_us - REST_US)
    order = (c.gw, c.epoch, c.stretch, c.stream)
    return [Changed(*row) for row in connection.execute(wanted.order_by(*order).limit(limit_rows))]


def fine(connection: Connection, one: Changed) -> Ends:
    """The stretch as its blocks have it now."""
    first = one.stretch * STRETCH_SAMPLES[0]
    runs = waves.samples(connection, one.gw, one.epoch, one.stream, (first, first + STRETCH_SAMPLES[0]), _ALL)
    return outline.outlined(runs, first, outline.BUCKETS_COUNT, BUCKET_SAMPLES[0])


def keep(connection: Connection, one: Changed, fine: Ends) -> None:
    """Put a stretch and its part of the coarser one; its mark goes, unless something came meanwhile."""
    first = one.stretch * STRETCH_SAMPLES[0]
    _put(connection, one, 0, one.stretch, fine)
    above = first // STRETCH_SAMPLES[1]
    at = (first - above * STRETCH_SAMPLES[1]) // BUCKET_SAMPLES[1]
    part = outline.coarser(fine)
    known = list(_read(connection, (one.gw, one.epoch, one.stream), 1, above, above))
    coarse = known[0][1].copy() if known else outline.empty(outline.BUCKETS_COUNT)
    coarse[:, at : at + part.shape[1]] = part
    _put(connection, one, 1, above, coarse)
    c = schema.CHANGED.c
    here = (c.gw == one.gw, c.epoch == one.epoch, c.stream == one.stream, c.stretch == one.stretch)
    connection.execute(delete(schema.CHANGED).where(*here, c.times == one.times))


def columns(connection: Connection, gw: int, epoch: int, stream: int, span: tuple[int, int], count: int) -> Ends:
    """`count` columns of the samples of `span` (first, one past the last), from as few rows as may be."""
    wave, (first, last) = (gw, epoch, stream), span
    if last - first < count * BUCKET_SAMPLES[0]:
        return outline.joined(_raw(connection, wave, first, last), first, last, count)
    level = 1 if last - first >= count * BUCKET_SAMPLES[1] else 0
    fresh = _fresh(connection, wave, first, last)
    parts = [part for begin, end in fresh for part in _raw(connection, wave, begin, end)]
    for begin, end in _between(fresh, first, last):
        size = STRETCH_SAMPLES[level]
        stored = _read(connection, wave, level, begin // size, (end - 1) // size)
        known = ((stretch * size, ends) for stretch, ends in stored)
        parts += [_clipped(at, BUCKET_SAMPLES[level], ends, begin, end) for at, ends in _chained(known, size)]
    return outline.joined(parts, first, last, count)


Part = tuple[int, int, Ends]
Wave = tuple[int, int, int]


def _clipped(begin: int, size: int, ends: Ends, first: int, last: int) -> Part:
    """The buckets of a stretch that touch `first` to `last`: beside it are marked stretches, drawn from blocks."""
    left = max(0, (first - begin) // size)
    right = max(left, -(-(last - begin) // size))
    return begin + left * size, size, ends[:, left:right]


def _raw(connection: Connection, wave: Wave, first: int, last: int) -> Iterator[Part]:
    runs = ((run.first, outline.ends_of(run.values)) for run in waves.samples(connection, *wave, (first, last), _ALL))
    for at, ends in _chained(runs):
        yield _clipped(at, 1, ends, first, last)


def _chained(pieces: Iterable[tuple[int, Ends]], size: int = 0) -> Iterator[tuple[int, Ends]]:
    """Pieces (first sample, ends) that follow one another put together; `size` in samples, 0: one an end."""
    begin, following, gathered = 0, -1, list[Ends]()
    for at, ends in pieces:
        if at != following and gathered:
            yield begin, np.concatenate(gathered, axis=1)
            gathered = []
        begin = begin if gathered else at
        gathered.append(ends)
        following = at + (size or ends.shape[1])
    if gathered:
        yield begin, np.concatenate(gathered, axis=1)


def _fresh(connection: Connection, wave: Wave, first: int, last: int) -> list[tuple[int, int]]:
    """Ranges of `first` to `last` that changed since they were drafted."""
    c, size = schema.CHANGED.c, STRETCH_SAMPLES[0]
    here = (c.gw == wave[0], c.epoch == wave[1], c.stream == wave[2])
    near = c.stretch.between(first // size, (last - 1) // size)
    found = connection.execute(select(c.stretch).where(*here, near).order_by(c.stretch)).scalars()
    return [(max(first, one * size), min(last, (one + 1) * size)) for one in found]


def _between(fresh: list[tuple[int, int]], first: int, last: int) -> list[tuple[int, int]]:
    """What of `first` to `last` is in none of them."""
    ends = [first, *(end for pair in fresh for end in pair), last]
    return [(a, b) for a, b in list(pairwise(ends))[::2] if a < b]


def _read(connection: Connection, wave: Wave, level: int, first: int, last: int) -> Iterator[tuple[int, Ends]]:
    o = schema.OUTLINE.c
    here = (o.gw == wave[0], o.epoch == wave[1], o.stream == wave[2], o.level == level)
    wanted = select(o.stretch, o.data).where(*here, o.stretch.between(first, last)).order_by(o.stretch)
    for stretch, data in connection.execute(wanted):
        yield stretch, outline.unpacked(bytes(data))


def _put(connection: Connection, one: Changed, level: int, stretch: int, ends: Ends) -> None:
    table = schema.OUTLINE
    statement = _insert(connection)(table)
    names = ("gw", "epoch", "stream", "level", "stretch")
    news = {"data": statement.excluded.data}
    values = dict(zip(names, (one.gw, one.epoch, one.stream, level, stretch), strict=True))
    statement = statement.on_conflict_do_update(index_elements=names, set_=news)
    connection.execute(statement, values | {"data": outline.packed(ends)})


def kin(connection: Connection, gw: int, epoch: int) -> dict[int, tuple[tuple[int, int], ...]]:
    """By stream the bands that it is in: (first stream, how many)."""
    b = schema.BAND.c
    found: dict[int, tuple[tuple[int, int], ...]] = {}
    for first, count in connection.execute(
        select(b.stream, b.rows).where(b.gw == gw, b.epoch == epoch).order_by(b.stream, b.rows)
    ):
        for stream in range(first, first + count):
            found[stream] = (*found.get(stream, ()), (first, count))
    return found


def waiting(connection: Connection) -> int:
    """Stretches that are to be drafted."""
    return int(connection.execute(select(func.count()).select_from(schema.CHANGED)).scalar_one())


def _insert(connection: Connection) -> Any:
    return sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
