"""WFDB, as PhysioNet has it: format 16, 24 or 32 by what the samples need; gaps as null segments of a variable layout.

Source: MIT-LCP/wfdb-spec, SIGNALS and HEADERS; WFDB Applications Guide, header(5), signal(5), annot(5). The integers
are the samples; gain and baseline say what they mean. The least value of a format means "no sample" to readers,
so samples that have it take the next wider one. Marks are annotations: the code NOTE with the device's own word.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from centre import rows
from centre.export import context, samples
from centre.export.archive import Archive
from centre.export.deliver import Member
from centre.export.plan import Plan, RefusedError, Strip, patient
from centre.export.segments import Segment

WIDTHS = (16, 24, 32)
NOTE, SKIP, AUX = 22, 59, 63
AUX_LIMIT_BYTES = 80
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def members(archive: Archive, plan: Plan) -> Iterator[Member]:
    """Of each strip: signal files, headers, annotations `.atr`, context."""
    if not plan.strips:
        raise RefusedError("no wave is there for this time", "numerics: csv, parquet, fhir or hl7")
    for strip in plan.strips:
        width = max(_width(strip, row, found) for row, found in enumerate(samples.ranges(archive, strip)))
        yield from _whole(archive, strip, width) if strip.is_whole else _parted(archive, strip, width)
        marks = samples.in_order(archive, strip)
        if marks:
            said = [(at - strip.first, f"{strip.streams[m.row].channel} {m.kind} {m.count}") for at, m in marks]
            yield Member(f"{strip.name}.atr", [noted(said)])
        yield from context.beside(archive, strip)


def _width(strip: Strip, row: int, found: samples.Range) -> int:
    samples.zero(strip.streams[row])
    for width in WIDTHS:
        if found.least > -(1 << width - 1) and found.most < 1 << width - 1:
            return width
    raise RefusedError(f"{strip.streams[row].channel} has samples that WFDB takes for none", "csv or parquet")


def _whole(archive: Archive, strip: Strip, width: int) -> Iterator[Member]:
    tally = _Tally(strip, width, strip.segments[0])
    yield Member(f"{strip.name}.dat", tally.signal(archive))
    head = f"{strip.name} {len(strip.streams)} {_rate(strip)} {strip.segments[0].count}{_start(strip)}"
    yield Member(f"{strip.name}.hea", _text([head, *tally.lines(f"{strip.name}.dat"), *_comments(strip)]))


def _parted(archive: Archive, strip: Strip, width: int) -> Iterator[Member]:
    """A layout, a record for each segment, and the list of them with what lacks between."""
    layout = f"{strip.name}_layout"
    parts = [f"{layout} 0"]
    at = strip.first
    for number, segment in enumerate(strip.segments):
        name = f"{strip.name}_{number:04d}"
        tally = _Tally(strip, width, segment)
        yield Member(f"{name}.dat", tally.signal(archive))
        head = f"{name} {len(segment.rows)} {_rate(strip)} {segment.count}"
        yield Member(f"{name}.hea", _text([head, *tally.lines(f"{name}.dat")]))
        parts += [f"~ {segment.first - at}"] if segment.first > at else []
        parts.append(f"{name} {segment.count}")
        at = segment.last
    said = [_line(s, f"~ 0 {_scale(s)} {s.bits} 0 0 0 0") for s in strip.streams]
    yield Member(f"{layout}.hea", _text([f"{layout} {len(said)} {_rate(strip)} 0", *said]))
    count = strip.last - strip.first
    head = f"{strip.name}/{len(parts)} {len(strip.streams)} {_rate(strip)} {count}{_start(strip)}"
    yield Member(f"{strip.name}.hea", _text([head, *parts, *_comments(strip)]))


class _Tally:
    """A segment's signal file as it is made, and the lines of its header, which are known only then."""

    def __init__(self, strip: Strip, width: int, segment: Segment) -> None:
        self._strip, self._segment = strip, segment
        self._width = width
        self._first: NDArray[np.int32] | None = None
        self._sums = np.zeros(len(segment.rows), np.int64)

    def signal(self, archive: Archive) -> Iterator[bytes]:
        for values in samples.chunks(archive, self._strip, self._segment):
            self._first = values[:, 0] if self._first is None else self._first
            self._sums += values.sum(axis=1, dtype=np.int64)
            yield packed(values, self._width)

    def lines(self, file: str) -> list[str]:
        assert self._first is not None, "the signal file comes first"
        found = []
        for place, row in enumerate(self._segment.rows):
            stream = self._strip.streams[row]
            total = (int(self._sums[place]) + 0x8000) % 0x10000 - 0x8000
            text = f"{file} {self._width} {_scale(stream)} {stream.bits} 0 {self._first[place]} {total} 0"
            found.append(_line(stream, text))
        return found


def packed(values: NDArray[np.int32], width: int) -> bytes:
    """Frames of one sample of each row, little endian, two's complement of `width` bits."""
    frames = np.ascontiguousarray(values.T).astype("<i4")
    if width == 32:
        return frames.tobytes()
    if width == 16:
        return frames.astype("<i2").tobytes()
    return frames.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def noted(said: Sequence[tuple[int, str]]) -> bytes:
    """MIT format: notes with a text, by sample."""
    out = bytearray()
    at = 0
    for sample, text in said:
        step, at = sample - at, sample
        if step > 1023:
            out += struct.pack("<HHH", SKIP << 10, step >> 16, step & 0xFFFF)
            step = 0
        data = context.ascii_only(text).encode()[:AUX_LIMIT_BYTES]
        out += struct.pack("<HH", NOTE << 10 | step, AUX << 10 | len(data)) + data + b"\0" * (len(data) % 2)
    return bytes(out) + b"\0\0"


def _line(stream: rows.Stream, text: str) -> str:
    return f"{text} {context.ascii_only(stream.channel)}"


def _scale(stream: rows.Stream) -> str:
    """Gain in counts a unit, the count of zero, the unit."""
    unit = "".join(c for c in stream.unit if c.isascii() and (c.isalnum() or c in "^?%/-")) or "NU"
    return f"{_decimal(1 / stream.gain)}({samples.zero(stream)})/{'NU' if unit == '1' else unit}"


def _decimal(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.17g}"


def _rate(strip: Strip) -> str:
    rate = _decimal(strip.streams[0].rate)
    if "e" in rate:
        raise RefusedError(f"a rate of {strip.streams[0].rate} Hz", "csv or parquet")
    return rate


def _start(strip: Strip) -> str:
    """Time and date in UTC, only where a clock vouches for them."""
    utc = strip.moment(strip.first).utc
    return "" if utc is None else f"{_EPOCH + timedelta(microseconds=utc): %H:%M:%S.%f %d/%m/%Y}"


def _comments(strip: Strip) -> list[str]:
    who = patient(strip.bound)
    return [f"# patient {context.ascii_only(who) or 'not bound'}", *(f"# {line}" for line in context.lines(strip))]


def _text(lines: Sequence[str]) -> Iterator[bytes]:
    yield ("\n".join(lines) + "\n").encode("ascii")
