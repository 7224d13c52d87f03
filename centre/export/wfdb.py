"""WFDB, as PhysioNet has it: format 16, 24 or 32 by what the samples need; gaps as null segments of a variable layout.

Source: MIT-LCP/wfdb-spec, SIGNALS and HEADERS; WFDB Applications Guide, header(5), signal(5), annot(5). The integers
are the samples; gain and baseline say what they mean. The least value of a format means "no sample" to readers,
so samples that have it take the next wider one. Marks are annotations: the code NOTE with the device's own word.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from tempfile import TemporaryFile

import numpy as np
import soundfile
from numpy.typing import NDArray

from centre import rows
from centre.export import context, samples
from centre.export.archive import Archive
from centre.export.deliver import Member
from centre.export.plan import Plan, RefusedError, Strip, patient
from centre.export.segments import Segment

WIDTHS = (16, 24, 32)
FLAC_WIDTHS = (16, 24)
FLAC_LIMIT_CHANNELS = 8
FLAC_RATE_HZ = 96000  # the true one is in the header
FILE_PIECE_BYTES = 1 << 20
NOTE, SKIP, AUX = 22, 59, 63
AUX_LIMIT_BYTES = 80
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def members(archive: Archive, plan: Plan) -> Iterator[Member]:
    """Of each strip: signal files, headers, annotations `.atr`, context."""
    return _members(archive, plan, packs=False)


def flac(archive: Archive, plan: Plan) -> Iterator[Member]:
    """The same with signals packed by FLAC: formats 516 and 524."""
    return _members(archive, plan, packs=True)


def _members(archive: Archive, plan: Plan, packs: bool) -> Iterator[Member]:
    if not plan.strips:
        raise RefusedError("no wave is there for this time", "numerics: csv, parquet, fhir or hl7")
    for strip in plan.strips:
        width = max(_width(strip, row, found) for row, found in enumerate(samples.ranges(archive, strip)))
        if packs and width not in FLAC_WIDTHS:
            raise RefusedError(f"FLAC in WFDB has at most {FLAC_WIDTHS[-1]} bits", "wfdb without FLAC")
        form = _Form(width, packs)
        yield from _whole(archive, strip, form) if strip.is_whole else _parted(archive, strip, form)
        said = [
            (i - strip.first, f"{strip.streams[m.row].channel} {m.kind} {m.count}")
            for i, m in samples.in_order(archive, strip)
        ]
        said = sorted(said + [(i - strip.first, text) for i, text in context.announced(archive, strip)])
        if said:
            yield Member(f"{strip.name}.atr", [noted(said)])
        yield from context.beside(archive, strip)


def _width(strip: Strip, row: int, found: samples.Range) -> int:
    samples.zero(strip.streams[row])
    for width in WIDTHS:
        if found.least > -(1 << width - 1) and found.most < 1 << width - 1:
            return width
    raise RefusedError(f"{strip.streams[row].channel} has samples that WFDB takes for none", "csv or parquet")


def _whole(archive: Archive, strip: Strip, form: _Form) -> Iterator[Member]:
    tally = _Tally(strip, form, strip.segments[0], strip.name)
    yield from tally.files(archive)
    head = f"{strip.name} {len(strip.streams)} {_rate(strip)} {strip.segments[0].count}{_start(strip)}"
    yield Member(f"{strip.name}.hea", _text([head, *tally.lines(), *_comments(strip)]))


def _parted(archive: Archive, strip: Strip, form: _Form) -> Iterator[Member]:
    """A layout, a record for each segment, and the list of them with what lacks between."""
    layout = f"{strip.name}_layout"
    parts = [f"{layout} 0"]
    at = strip.first
    for number, segment in enumerate(strip.segments):
        name = f"{strip.name}_{number:04d}"
        tally = _Tally(strip, form, segment, name)
        yield from tally.files(archive)
        head = f"{name} {len(segment.rows)} {_rate(strip)} {segment.count}"
        yield Member(f"{name}.hea", _text([head, *tally.lines()]))
        parts += [f"~ {segment.first - at}"] if segment.first > at else []
        parts.append(f"{name} {segment.count}")
        at = segment.last
    said = [_line(s, f"~ 0 {_scale(s)} {s.bits} 0 0 0 0") for s in strip.streams]
    yield Member(f"{layout}.hea", _text([f"{layout} {len(said)} {_rate(strip)} 0", *said]))
    count = strip.last - strip.first
    head = f"{strip.name}/{len(parts)} {len(strip.streams)} {_rate(strip)} {count}{_start(strip)}"
    yield Member(f"{strip.name}.hea", _text([head, *parts, *_comments(strip)]))


@dataclass(frozen=True, slots=True)
class _Form:
    """Bits of a sample, and whether files are packed by FLAC."""

    width: int
    packs: bool

    @property
    def number(self) -> int:
        """WFDB's name of the format."""
        return 500 + self.width if self.packs else self.width


class _Tally:
    """A segment's signal files as they are made, and the lines of its header, which are known only then."""

    def __init__(self, strip: Strip, form: _Form, segment: Segment, name: str) -> None:
        self._strip, self._form, self._segment = strip, form, segment
        self._first: dict[int, int] = {}
        self._sums = dict.fromkeys(segment.rows, 0)
        step = FLAC_LIMIT_CHANNELS if form.packs else len(segment.rows)
        groups = [segment.rows[at : at + step] for at in range(0, len(segment.rows), step)]
        self._files = {f"{name}_f{at}.flac" if form.packs else f"{name}.dat": rows for at, rows in enumerate(groups)}

    def files(self, archive: Archive) -> Iterator[Member]:
        for file, numbers in self._files.items():
            values = self._counted(archive, Segment(self._segment.first, self._segment.last, numbers))
            width = self._form.width
            yield Member(file, flacked(values, len(numbers), width) if self._form.packs else _plain(values, width))

    def _counted(self, archive: Archive, segment: Segment) -> Iterator[NDArray[np.int32]]:
        for values in samples.chunks(archive, self._strip, segment):
            for row, line in zip(segment.rows, values, strict=True):
                self._first.setdefault(row, int(line[0]))
                self._sums[row] += int(line.sum(dtype=np.int64))
            yield values

    def lines(self) -> list[str]:
        found = []
        for file, numbers in self._files.items():
            for row in numbers:
                stream = self._strip.streams[row]
                total = (self._sums[row] + 0x8000) % 0x10000 - 0x8000
                text = f"{file} {self._form.number} {_scale(stream)} {stream.bits} 0 {self._first[row]} {total} 0"
                found.append(_line(stream, text))
        return found


def _plain(found: Iterator[NDArray[np.int32]], width: int) -> Iterator[bytes]:
    return (packed(values, width) for values in found)


def flacked(found: Iterator[NDArray[np.int32]], channels: int, width: int) -> Iterator[bytes]:
    """A FLAC file. Its head is known at its end, so it waits on the disk."""
    with TemporaryFile() as file:
        shape = {"samplerate": FLAC_RATE_HZ, "channels": channels, "format": "FLAC", "subtype": f"PCM_{width}"}
        with soundfile.SoundFile(file, "w", **shape) as sound:
            for values in found:
                sound.write(np.ascontiguousarray((values << 32 - width).T))
        file.seek(0)
        while piece := file.read(FILE_PIECE_BYTES):
            yield piece


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
