"""CSV and Parquet: the device's integers in columns, their scale beside, time as an interval. Gaps are absent rows.

A row of a strip is one index: `t` by the count (microseconds of the gateway's clock), `utc`, `earliest` and `latest`
where they are known (microseconds since 1970 in CSV, timestamps in Parquet), then the samples; a signal that has none
there is empty. Value in `unit` = (sample - offset) * gain: in Parquet with the fields, in both in the JSON beside.
Readings are decimal text, as the device said them; an absent one is empty and says why.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from centre.export import context, readings, samples
from centre.export.archive import Archive
from centre.export.deliver import Member
from centre.export.plan import Plan, RefusedError, Sitting, Strip, patient
from centre.export.segments import Segment
from centre.web.plain import plain

CHUNK_ROWS = 1 << 17
_TIMES = context.TIMES
_TAKEN = ("said", "taken", "taken_earliest", "taken_latest")
_READINGS = ("epoch", "stream", "channel", "mdc", "unit", "t", *_TIMES, "grade", "value", "why", *_TAKEN)
_Write = Callable[[pa.Schema, Iterator[Any]], Iterator[bytes]]


def csv(archive: Archive, plan: Plan) -> Iterator[Member]:
    return _members(archive, plan, "csv", _csv)


def parquet(archive: Archive, plan: Plan) -> Iterator[Member]:
    return _members(archive, plan, "parquet", _parquet)


def _members(archive: Archive, plan: Plan, ending: str, write: _Write) -> Iterator[Member]:
    if not plan.strips and not plan.sittings:
        raise RefusedError("nothing is there for this time", "see /api/beds/{gateway}/streams")
    for strip in plan.strips:
        schema = _schema(strip, is_stamped=ending == "parquet")
        yield Member(f"{strip.name}.{ending}", write(schema, _batches(archive, strip, schema)))
        yield from context.beside(archive, strip, announces=False)  # they are told of the sitting
    for sitting in plan.sittings:
        yield Member(f"{sitting.name}.readings.csv", context.table((*_READINGS, "patient"), _told(archive, sitting)))
        yield Member(
            f"{sitting.name}.notices.csv",
            context.table(context.NOTICES, context.noticed(readings.notices(archive, sitting))),
        )
        yield Member(f"{sitting.name}.json", [_about(sitting)])


def _schema(strip: Strip, is_stamped: bool) -> pa.Schema:
    time = pa.timestamp("us", "UTC") if is_stamped else pa.int64()
    fields = [pa.field("index", pa.int64()), pa.field("t", pa.int64()), *(pa.field(name, time) for name in _TIMES)]
    for name, stream in zip(names(strip), strip.streams, strict=True):
        said = {key: json.dumps(value) for key, value in context.stream(stream).items()}
        fields.append(pa.field(name, pa.int32(), metadata=said))
    return pa.schema(fields, metadata={"wardlink": json.dumps(context.of_strip(strip))})


def names(strip: Strip) -> list[str]:
    """Channels; a number behind one that is there twice."""
    said = [plain(s.channel) for s in strip.streams]
    return [
        name if said.count(name) == 1 else f"{name}#{s.stream}" for name, s in zip(said, strip.streams, strict=True)
    ]


def _batches(archive: Archive, strip: Strip, schema: pa.Schema) -> Iterator[Any]:
    for segment in strip.segments:
        at = segment.first
        for values in samples.chunks(archive, strip, segment, CHUNK_ROWS):
            yield _batch(strip, segment, schema, at, values)
            at += values.shape[1]


def _batch(strip: Strip, segment: Segment, schema: pa.Schema, first: int, values: NDArray[np.int32]) -> Any:
    count = values.shape[1]
    index = np.arange(first, first + count)
    period = float(strip.pace.period_us)
    t = strip.pace.sample_t(first) + np.rint((index - first) * period).astype(np.int64)
    columns: list[Any] = [pa.array(index), pa.array(t)]
    columns += [one.cast(schema.field(name).type) for one, name in zip(_times(strip, t), _TIMES, strict=True)]
    rows = dict(zip(segment.rows, values, strict=True))
    columns += [
        pa.array(rows[row]) if row in rows else pa.nulls(count, pa.int32()) for row in range(len(strip.streams))
    ]
    return pa.record_batch(columns, schema=schema)


def _times(strip: Strip, t: NDArray[np.int64]) -> list[Any]:
    """utc, earliest, latest of each t: looked up at both ends; between them the mapping is as good as a line."""
    ends = [strip.mapping.at(int(t[0])), strip.mapping.at(int(t[-1]))]
    found = []
    for name in _TIMES:
        said = [getattr(one, name) for one in ends]
        if None in said:
            found.append(pa.nulls(len(t), pa.int64()))
            continue
        line = np.linspace(float(said[0] - int(t[0])), float(said[1] - int(t[-1])), len(t))
        found.append(pa.array(t + np.rint(line).astype(np.int64)))
    return found


def _csv(schema: pa.Schema, batches: Iterator[Any]) -> Iterator[bytes]:
    yield from _drained(lambda sink: pa.csv.CSVWriter(sink, schema), batches)


def _parquet(schema: pa.Schema, batches: Iterator[Any]) -> Iterator[bytes]:
    yield from _drained(lambda sink: pa.parquet.ParquetWriter(sink, schema, compression="zstd"), batches)


def _drained(writer: Callable[[Any], Any], batches: Iterator[Any]) -> Iterator[bytes]:
    """What a writer of pyarrow has written, as it writes."""
    sink = _Sink()
    with writer(pa.PythonFile(sink, "w")) as writing:
        for batch in batches:
            writing.write_batch(batch)
            yield sink.take()
    yield sink.take()


class _Sink:
    """A file that only grows and is taken away from its beginning."""

    closed = False

    def __init__(self) -> None:
        self._held = bytearray()
        self._taken = 0

    def write(self, data: bytes) -> int:
        self._held += data
        return len(data)

    def tell(self) -> int:
        return self._taken + len(self._held)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        taken = bytes(self._held)
        self._taken += len(taken)
        self._held.clear()
        return taken


def _told(archive: Archive, sitting: Sitting) -> Iterator[tuple[object, ...]]:
    who = patient(sitting.bound)
    for reading, stream, at, taken in readings.readings(archive, sitting):
        value = "" if reading.value is None else format(reading.value, "f")
        said = reading.taken.iso or f"{reading.taken.ticks}/{reading.taken.hertz}" if reading.taken else ""
        when = (None, None, None) if taken is None else (taken.utc, taken.earliest, taken.latest)
        head = (reading.epoch, stream.stream, plain(stream.channel), stream.mdc, plain(stream.unit), reading.t)
        yield (*head, at.utc, at.earliest, at.latest, at.grade, value, plain(reading.why), plain(said), *when, who)


def _about(sitting: Sitting) -> bytes:
    said = {
        "statement": context.STATEMENT,
        "gateway": sitting.streams[0].gateway,
        "site": sitting.site,
        "epoch": sitting.epoch,
        "mapping": sitting.mapping.version,
        "patient": patient(sitting.bound),
        "association": context.association(sitting.bound),
        "device": context.device(sitting.streams[0]),
        "readings": [context.stream(s) for s in sitting.streams if s.rate == 0],
    }
    return json.dumps(said, indent=1).encode() + b"\n"
