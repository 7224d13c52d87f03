"""EDF+ (and EDF+D where there are gaps): 16 bits, whole data records, nothing padded.

Source: Kemp et al. 1992, Kemp and Olivan 2003, edfplus.info. A data record is `length` samples of each signal; its
duration must be a decimal of 8 characters, so not every rate fits. Where a length divides all segments, one file has
all. Else the last samples of each segment stand again in a second file, `-ends`, as the last whole record: what both
have is the same, and no sample is made up. `parts` writes each segment as a file of its own, for readers that know
EDF+C only. Context and marks are annotations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from math import gcd

import numpy as np
from numpy.typing import NDArray

from centre import rows
from centre.export import context, samples
from centre.export.annotations import Note, Notes
from centre.export.archive import Archive
from centre.export.decimals import exact
from centre.export.deliver import Member
from centre.export.plan import Plan, RefusedError, Strip, patient
from centre.export.segments import Segment

RECORD_LIMIT_BYTES = 61440
LENGTH_LEAST_SAMPLES = 8  # of a record, where another choice would do
LEAST, MOST = -32768, 32767
NUMBER_CHARS = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HINT = "wfdb keeps it exactly"
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def members(archive: Archive, plan: Plan) -> Iterator[Member]:
    """Of each strip: a file for each set of signals that have samples together, and the context."""
    return _members(archive, plan, apart=False)


def parts(archive: Archive, plan: Plan) -> Iterator[Member]:
    """Each segment a file of its own, EDF+C."""
    return _members(archive, plan, apart=True)


def _members(archive: Archive, plan: Plan, apart: bool) -> Iterator[Member]:
    if not plan.strips:
        raise RefusedError("no wave is there for this time", "numerics: csv, parquet, fhir or hl7")
    for strip in plan.strips:
        limits = samples.ranges(archive, strip)
        marks = [_note(strip, at, mark.row, mark.kind, mark.count) for at, mark in samples.in_order(archive, strip)]
        marks += [Note(index, 0, text) for index, text in context.announced(archive, strip)]
        for number, segments in enumerate(_alike(strip, apart)):
            name = strip.name if len(segments) == len(strip.segments) else f"{strip.name}-{number:04d}"
            yield from _files(archive, _Sheet(strip, name, segments, limits), marks if number == 0 else [])
        yield from context.beside(archive, strip)


def _alike(strip: Strip, apart: bool) -> list[tuple[Segment, ...]]:
    """Segments of the same rows; or each alone."""
    if apart:
        return [(segment,) for segment in strip.segments]
    found: dict[tuple[int, ...], list[Segment]] = {}
    for segment in strip.segments:
        found.setdefault(segment.rows, []).append(segment)
    return [tuple(some) for some in found.values()]


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What becomes one file, or two."""

    strip: Strip
    name: str
    segments: tuple[Segment, ...]
    limits: Sequence[samples.Range]

    @property
    def streams(self) -> list[rows.Stream]:
        return [self.strip.streams[row] for row in self.segments[0].rows]

    @property
    def rate(self) -> Fraction:
        return self.strip.streams[0].rate


def _files(archive: Archive, sheet: _Sheet, marks: Sequence[Note]) -> Iterator[Member]:
    length = _length(sheet)
    whole = [Segment(s.first, s.last - s.count % length, s.rows) for s in sheet.segments]
    ends = [Segment(s.last - length, s.last, s.rows) for s in sheet.segments if s.count % length]
    said = [Note(whole[0].first, 0, text) for text in context.lines(sheet.strip)]
    yield Member(f"{sheet.name}.edf", _bytes(archive, sheet, whole, length, [*said, *marks]))
    if ends:
        yield Member(f"{sheet.name}-ends.edf", _bytes(archive, sheet, ends, length, []))


def _length(sheet: _Sheet) -> int:
    """Samples of a data record."""
    counts = [segment.count for segment in sheet.segments]
    most = max(1, min(int(sheet.rate), RECORD_LIMIT_BYTES // 2 // len(sheet.streams)))
    shared = gcd(*counts)
    for length in range(min(most, shared), min(most, LENGTH_LEAST_SAMPLES) - 1, -1):
        if shared % length == 0 and _duration(sheet.rate, length):
            return length
    for length in range(min(most, *counts), 0, -1):
        if _duration(sheet.rate, length):
            return length
    raise RefusedError(f"no EDF record lasts a whole number of samples at {sheet.rate} Hz", _HINT)


def _duration(rate: Fraction, length: int) -> str:
    """Seconds of a record as EDF writes them; "" where 8 characters cannot."""
    return exact(length / rate, NUMBER_CHARS)


def _bytes(
    archive: Archive, sheet: _Sheet, segments: Sequence[Segment], length: int, said: Sequence[Note]
) -> Iterator[bytes]:
    count = sum(segment.count // length for segment in segments)
    start = sheet.strip.moment(segments[0].first).utc
    since = _Since(sheet.rate, segments[0].first, (start or 0) % 1_000_000)
    notes = Notes(count, [(since.seconds(note.index), note) for note in said], sheet.rate)
    is_one = all(a.last == b.first for a, b in pairwise(segments))
    yield _header(sheet, (start, is_one, count, length, notes.size_bytes))
    for segment in segments:
        at = segment.first
        for values in samples.chunks(
            archive, sheet.strip, segment, length * max(1, samples.CHUNK_SAMPLES // length // 16)
        ):
            yield _records(
                values, length, [notes.take(since.seconds(i)) for i in range(at, at + values.shape[1], length)]
            )
            at += values.shape[1]


@dataclass(frozen=True, slots=True)
class _Since:
    """Seconds since the whole second that a file begins in."""

    rate: Fraction
    first: int
    micros: int

    def seconds(self, index: int) -> Fraction:
        return Fraction(self.micros, 1_000_000) + (index - self.first) / self.rate


def _records(values: NDArray[np.int32], length: int, said: Sequence[bytes]) -> bytes:
    """Data records: the samples of each signal one after another, then what is said."""
    count = values.shape[1] // length
    signals = values.astype("<i2").reshape(len(values), count, length).transpose(1, 0, 2).reshape(count, -1)
    noted = np.frombuffer(b"".join(said), np.uint8).reshape(count, -1)
    return np.concatenate([np.ascontiguousarray(signals).view(np.uint8), noted], axis=1).tobytes()


def _note(strip: Strip, index: int, row: int, kind: str, count: int) -> Note:
    return Note(index, count if count > 1 else 0, f"{kind}@@{label(strip.streams[row])}")


def _header(sheet: _Sheet, shape: tuple[int | None, bool, int, int, int]) -> bytes:
    start, is_one, count, length, said_bytes = shape
    streams = sheet.streams
    begun = datetime(1985, 1, 1, tzinfo=UTC) if start is None else _EPOCH + timedelta(seconds=start // 1_000_000)
    texts = [
        *((label(s), 16) for s in streams),
        ("EDF Annotations", 16),
        *(("", 80) for _ in range(len(streams) + 1)),
        *((_unit(s), 8) for s in streams),
        ("", 8),
    ]
    limits = [_limits(s, sheet.limits[row]) for s, row in zip(streams, sheet.segments[0].rows, strict=True)]
    limits.append(("-1", "1", str(LEAST), str(MOST)))
    texts += [(one[place], 8) for place in range(4) for one in limits]
    texts += [*((f"filter:{s.filter}" if s.filter else "", 80) for s in streams), ("", 80)]
    texts += [*((str(length), 8) for _ in streams), (str(said_bytes // 2), 8)]
    texts += [("", 32)] * (len(streams) + 1)
    first = [
        ("0", 8),
        (f"{_word(patient(sheet.strip.bound))} X X X", 80),
        (_recording(sheet, None if start is None else begun), 80),
        (f"{begun:%d.%m.%y}", 8),
        (f"{begun:%H.%M.%S}", 8),
        (str(256 * (len(streams) + 2)), 8),
        ("EDF+C" if is_one else "EDF+D", 44),
        (str(count), 8),
        (_duration(sheet.rate, length), 8),
        (str(len(streams) + 1), 4),
    ]
    return b"".join(context.ascii_only(text)[:width].ljust(width).encode() for text, width in [*first, *texts])


def _recording(sheet: _Sheet, begun: datetime | None) -> str:
    date = "X" if begun is None else f"{begun.day:02d}-{_MONTHS[begun.month - 1]}-{begun.year}"
    one = sheet.streams[0]
    grade = sheet.strip.moment(sheet.segments[0].first).grade
    return f"Startdate {date} {_word(sheet.strip.gateway)} X {_word(f'{one.maker} {one.model}')} time-grade-{grade}"


def _word(text: str) -> str:
    return "_".join(context.ascii_only(text).split()) or "X"


def label(stream: rows.Stream) -> str:
    """EDF's name of a signal: `ECG II`, else our own."""
    kind, _, lead = stream.channel.partition(".")
    said = f"ECG {lead if lead.startswith('v') else lead.upper()}" if kind == "ecg" and lead else stream.channel
    return context.ascii_only(said.replace("ECG v", "ECG V").replace("AV", "aV"))[:16]


def _unit(stream: rows.Stream) -> str:
    return "" if stream.unit == "1" else "".join(c for c in stream.unit if c not in "[]{}")


def _limits(stream: rows.Stream, found: samples.Range) -> tuple[str, str, str, str]:
    """Physical and digital least and most: exact where 8 characters allow, for readers divide one by the other."""
    if found.least < LEAST or found.most > MOST:
        raise RefusedError(f"{stream.channel} has samples of more than 16 bits", _HINT)
    low, high = _pair(stream, found)
    said = [exact((d - stream.offset) * stream.gain, NUMBER_CHARS) for d in (low, high)]
    if not all(said):
        low, high = LEAST, MOST
        said = [f"{float((d - stream.offset) * stream.gain):.5g}"[:NUMBER_CHARS] for d in (low, high)]
    return said[0], said[1], str(low), str(high)


def _pair(stream: rows.Stream, found: samples.Range) -> tuple[int, int]:
    """Counts around all samples whose values are short decimals; the whole range where none is found."""
    step = stream.gain.denominator
    zero = samples.zero(stream)
    candidates = [(LEAST, MOST), (zero - (zero - LEAST) // step * step, zero + (MOST - zero) // step * step)]
    for low, high in candidates:
        texts = [exact((d - stream.offset) * stream.gain, NUMBER_CHARS) for d in (low, high)]
        if low <= found.least and high >= found.most and low < high and all(texts):
            return low, high
    return LEAST, MOST
