"""What of a gateway's waves is there, and the blocks themselves by band: for whoever reads long stretches."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace

import msgspec
from sqlalchemy import ColumnElement, Connection, select

from centre import rows
from centre.pace import Row
from centre.store import read, schema
from centre.whose import Chart
from wire import codec
from wire.records import MarkAt

READ_ROWS = 4096
_MARKS = msgspec.json.Decoder(list[MarkAt])
Came = tuple[int, int, int]  # first index of a block, its number of samples, its t


def epochs(connection: Connection, gw: int) -> list[int]:
    """Epochs that have said what their streams are, by number."""
    s = schema.STREAM.c
    return list(connection.execute(select(s.epoch).where(s.gw == gw).distinct().order_by(s.epoch)).scalars())


def bands(connection: Connection, gw: int, epoch: int) -> list[rows.Band]:
    """Streams that were coded together in any block, by number."""
    b = schema.BAND.c
    wanted = select(schema.BAND).where(b.gw == gw, b.epoch == epoch).order_by(b.stream, b.rows)
    return [rows.Band(r["stream"], r["rows"], r["next"], r["longest"]) for r in connection.execute(wanted).mappings()]


def came(connection: Connection, gw: int, epoch: int, band: rows.Band) -> Iterator[Came]:
    """All blocks of a band by index, without what they hold."""
    b = schema.BLOCK.c
    here = (b.gw == gw, b.epoch == epoch, b.stream == band.stream, b.rows == band.rows)
    wanted = select(b.first, b.count, b.t).where(*here).order_by(b.first, b.seq)
    yield from connection.execution_options(yield_per=READ_ROWS).execute(wanted)


def blocks(
    connection: Connection, gw: int, epoch: int, band: rows.Band, span: tuple[int, int]
) -> Iterator[rows.Banded]:
    """Whole blocks of a band with samples of `span` (first, one past the last), by index; one is decoded at a time."""
    b = schema.BLOCK.c
    wanted = select(b.first, b.count, b.coded).where(*_near(epoch, gw, band, span)).order_by(b.first, b.seq)
    for first, count, coded in connection.execute(wanted):
        yield rows.Banded(first, codec.decode(bytes(coded), band.rows, count))


def marks(
    connection: Connection, gw: int, epoch: int, band: rows.Band, span: tuple[int, int]
) -> Iterator[tuple[int, MarkAt]]:
    """What the device says of samples of blocks with samples of `span`, each with the first index of its block."""
    b = schema.BLOCK.c
    wanted = select(b.first, b.marks).where(*_near(epoch, gw, band, span), b.marks.is_not(None))
    for first, said in connection.execution_options(yield_per=READ_ROWS).execute(wanted.order_by(b.first, b.seq)):
        yield from ((first, mark) for mark in _MARKS.decode(said))


def _near(epoch: int, gw: int, band: rows.Band, span: tuple[int, int]) -> tuple[ColumnElement[bool], ...]:
    b = schema.BLOCK.c
    here = (b.gw == gw, b.epoch == epoch, b.stream == band.stream, b.rows == band.rows)
    return (*here, b.first > span[0] - band.longest, b.first < span[1], b.first + b.count > span[0])


def cuts(connection: Connection, gw: int, epoch: int, stream: int) -> list[int]:
    """Indices before which an unknown number of samples is missing."""
    g = schema.GAP.c
    wanted = select(g.first).where(g.gw == gw, g.epoch == epoch, g.stream == stream, g.count.is_(None))
    return list(connection.execute(wanted.distinct().order_by(g.first)).scalars())


def parts(arrivals: Iterable[Iterator[Came]], starts: list[int]) -> dict[int, Row]:
    """Arrivals of a stream's bands, thinned; a new row behind each of `starts`, by its number."""
    found: dict[int, Row] = {}
    for first, count, t in heapq.merge(*arrivals):
        row = found.setdefault(bisect_right(starts, first), Row())
        if row.last is None or first + count > row.last[0]:  # a block within another says nothing new
            row.add(first + count - 1, t)
    return found


def bound(connection: Connection, gw: int, epoch: int) -> list[rows.Bound]:
    """Who was at the bed, by t, all corrections made: each change once.

    What an earlier epoch said without an end does not go on into this one.
    """
    said = [one for one in read.associations(connection, gw) if one.until is not None or one.since[0] == epoch]
    found: list[rows.Bound] = []
    end = (epoch, 0)
    for span in Chart(said).spans:
        if span.since[0] > epoch or (span.until is not None and span.until <= (epoch, 0)):
            continue
        begin = max(span.since, (epoch, 0))
        if end < begin:
            found.append(replace(rows.NOBODY, t=end[1]))
        found.append(rows.Bound(begin[1], span.method, span.status, span.performer, span.pseudonym, span.bed))
        end = span.until or (epoch + 1, 0)
    if end[0] == epoch:
        found.append(replace(rows.NOBODY, t=end[1]))
    return [one for n, one in enumerate(found) if one.who != (found[n - 1] if n else rows.NOBODY).who]
