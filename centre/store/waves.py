"""Reading waves: blocks as they came, decoded here. A band is a run of streams that were coded together."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, RowMapping, bindparam, select

from centre import rows
from centre.pace import Row
from centre.store import extents, schema
from wire import codec
from wire.records import MarkAt

DECODED_LIMIT_BLOCKS = 256
Band = RowMapping
_b, _k = schema.BAND.c, schema.BLOCK.c
_BANDS = select(schema.BAND).where(
    *(_b.gw == bindparam("gw_"), _b.epoch == bindparam("epoch_")),
    *(_b.stream <= bindparam("stream_"), _b.stream + _b.rows > bindparam("stream_")),
)
OF_BAND = tuple(_k[name] == bindparam(f"{name}_") for name in ("gw", "epoch", "stream", "rows"))
_BLOCKS = (
    select(schema.BLOCK)
    .where(*OF_BAND, _k.first > bindparam("above"), _k.first < bindparam("below"))
    .where(_k.first + _k.count > bindparam("reach"))
    .order_by(_k.first, _k.seq)
)
_MARKS = msgspec.json.Decoder(list[MarkAt])


def last_index(connection: Connection, gw: int, epoch: int, stream: int) -> int | None:
    """One past the newest sample."""
    return max((band["next"] for band in bands(connection, gw, epoch, stream)), default=None)


def ends(connection: Connection, gw: int, epoch: int) -> dict[int, int]:
    """One past the newest sample, by stream."""
    found: dict[int, int] = {}
    b = schema.BAND.c
    for band in connection.execute(select(schema.BAND).where(b.gw == gw, b.epoch == epoch)).mappings():
        for stream in range(band["stream"], band["stream"] + band["rows"]):
            found[stream] = max(found.get(stream, 0), band["next"])
    return found


def samples(
    connection: Connection, gw: int, epoch: int, stream: int, span: tuple[int, int], limit_samples: int
) -> list[rows.Samples]:
    """Whole blocks with samples of `span` (first, one past the last), by index, as many as stay in `limit_samples`."""
    found_in = [_blocks(connection, band, span) for band in bands(connection, gw, epoch, stream)]
    found: list[rows.Samples] = []
    total = 0
    for row in heapq.merge(*found_in, key=lambda row: int(row["first"])):
        total += row["count"]
        if total > limit_samples:
            break
        found.append(_samples(row, stream))
    return found


def arrivals(connection: Connection, gw: int, epoch: int, stream: int, span_us: int) -> list[Row]:
    """When blocks of the newest `span_us` came, thinned; a new row behind each gap of unknown size."""
    starts = extents.cuts(connection, gw, epoch, stream)
    came = [_came(connection, band, span_us) for band in bands(connection, gw, epoch, stream)]
    return list(extents.parts(came, starts).values())


def _came(connection: Connection, band: RowMapping, span_us: int) -> Iterator[extents.Came]:
    """When blocks of the newest `span_us` of a band came, by index."""
    b = schema.BLOCK.c
    here = (b.gw == band["gw"], b.epoch == band["epoch"], b.stream == band["stream"], b.rows == band["rows"])
    newest = connection.execute(select(b.t).where(*here).order_by(b.first.desc()).limit(1)).scalar() or 0
    wanted = select(b.first, b.count, b.t).where(*here, b.t >= newest - span_us).order_by(b.first, b.seq)
    yield from connection.execution_options(yield_per=extents.READ_ROWS).execute(wanted)


def bands(connection: Connection, gw: int, epoch: int, stream: int) -> list[Band]:
    """The runs of streams coded together that a stream is in."""
    here = {"gw_": gw, "epoch_": epoch, "stream_": stream}
    return list(connection.execute(_BANDS, here).mappings())


def _blocks(connection: Connection, band: RowMapping, span: tuple[int, int]) -> Iterator[RowMapping]:
    near = {"above": span[0] - band["longest"], "below": span[1], "reach": span[0]}
    with connection.execute(_BLOCKS, {**named(band), **near}) as found:
        yield from found.mappings()


def named(band: Band) -> dict[str, int]:
    """A band's key, as statements that are built once have it."""
    return {f"{name}_": band[name] for name in ("gw", "epoch", "stream", "rows")}


def _samples(row: RowMapping, stream: int) -> rows.Samples:
    channel = stream - row["stream"]
    marks = _MARKS.decode(row["marks"]) if row["marks"] else ()
    return rows.Samples(
        epoch=row["epoch"],
        stream=stream,
        first=row["first"],
        t=row["t"],
        values=_decoded(bytes(row["coded"]), row["rows"], row["count"])[channel],
        marks=tuple(mark for mark in marks if mark.row == channel),
    )


@lru_cache(maxsize=DECODED_LIMIT_BLOCKS)
def _decoded(coded: bytes, channels: int, count: int) -> NDArray[np.int32]:
    """Pages ask for one channel after the other of the same block."""
    values: NDArray[np.int32] = codec.decode(coded, channels, count)
    values.flags.writeable = False
    return values
