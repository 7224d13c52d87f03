"""What every export says beside its samples, for what its format has no place: one JSON and one table of marks a strip.

No names: a patient is the pseudonym that a person confirmed, or nobody. Times are microseconds since 1970.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

from centre import rows
from centre.export import readings, samples
from centre.export.archive import Archive
from centre.export.deliver import Member
from centre.export.plan import Sitting, Strip, patient
from centre.mapping import Moment
from centre.web.plain import plain

STATEMENT = "Transfers, stores and converts device data. Not for active patient monitoring."
_BATCH_ROWS = 1000
TIMES = ("utc", "earliest", "latest")
NOTICES = ("epoch", "session", "kind", "code", "phase", "priority", "channel", "text", "t", *TIMES, "grade")


def beside(archive: Archive, strip: Strip, announces: bool = True) -> Iterator[Member]:
    """The context and, where there are any, the marks of a strip and what its device announced meanwhile."""
    yield Member(f"{strip.name}.json", [json.dumps(of_strip(strip), indent=1).encode() + b"\n"])
    if next(samples.marks(archive, strip), None) is not None:
        yield Member(f"{strip.name}.marks.csv", _marks(archive, strip))
    if announces and next(notices(archive, strip), None) is not None:
        yield Member(f"{strip.name}.notices.csv", table(NOTICES, noticed(notices(archive, strip))))


def notices(archive: Archive, strip: Strip) -> Iterator[tuple[rows.Notice, Moment]]:
    """What the device announced while the strip lasts, by t: lead-off, alarms, states."""
    first, last = strip.pace.sample_t(strip.first), strip.pace.sample_t(strip.last)
    session = strip.streams[0].session
    part = Sitting(strip.site, strip.epoch, session, strip.streams, strip.bound, first, last, strip.mapping)
    return readings.notices(archive, part)


def announced(archive: Archive, strip: Strip) -> list[tuple[int, str]]:
    """The same as notes: the sample that was taken when it was said, and the device's words."""
    return [
        (strip.index(n.t), " ".join(filter(None, (n.kind, n.code, n.phase, n.channel, n.priority, n.text))))
        for n, _ in notices(archive, strip)
    ]


def noticed(found: Iterable[tuple[rows.Notice, Moment]]) -> Iterator[tuple[object, ...]]:
    """Rows of a table of NOTICES."""
    for n, at in found:
        words = (plain(n.kind), plain(n.code), plain(n.phase), plain(n.priority), plain(n.channel), plain(n.text))
        yield (n.epoch, n.session, *words, n.t, at.utc, at.earliest, at.latest, at.grade)


def of_strip(strip: Strip) -> dict[str, Any]:
    """All that tells what the integers are, when they were and what lacks."""
    return {
        "statement": STATEMENT,
        "gateway": strip.gateway,
        "site": strip.site,
        "epoch": strip.epoch,
        "mapping": strip.mapping.version,
        "start": moment(strip.moment(strip.first)),
        "first": strip.first,
        "last": strip.last,
        "rate_hz": ratio(strip.streams[0].rate),
        "measured_hz": strip.measured_hz,
        "patient": patient(strip.bound),
        "association": association(strip.bound),
        "device": device(strip.streams[0]),
        "streams": [stream(one) for one in strip.streams],
        "segments": [
            {"first": s.first, "last": s.last, "rows": list(s.rows), "start": moment(strip.moment(s.first))}
            for s in strip.segments
        ],
        "holes": [{"row": row, "first": h.first, "last": h.last, "cause": plain(h.cause)} for row, h in strip.holes],
    }


def moment(known: Moment) -> dict[str, Any]:
    return dict(known._asdict())


def association(bound: rows.Bound) -> dict[str, str]:
    return {
        "method": plain(bound.method),
        "status": plain(bound.status),
        "pseudonym": plain(bound.pseudonym),
        "bed": plain(bound.bed),
    }


def device(one: rows.Stream) -> dict[str, str]:
    names = ("driver", "integrity", "maker", "model", "serial", "firmware", "port")
    return {name: plain(getattr(one, name)) for name in names}


def stream(one: rows.Stream) -> dict[str, Any]:
    """Value in `unit` = (sample - offset) * gain."""
    return {
        "stream": one.stream,
        "channel": plain(one.channel),
        "mdc": one.mdc,
        "unit": plain(one.unit),
        "gain": ratio(one.gain),
        "offset": ratio(one.offset),
        "bits": one.bits,
        "filter": plain(one.filter),
    }


def ratio(value: Fraction) -> list[int]:
    return [value.numerator, value.denominator]


def lines(strip: Strip) -> list[str]:
    """The context in words, each short, in ASCII: for formats that have room for text alone."""
    start = strip.moment(strip.first)
    one = strip.streams[0]
    said = [
        f"time grade {start.grade}; error {'unknown' if start.error is None else f'{start.error} us'}; "
        f"mapping {strip.mapping.version}",
        f"UTC between {start.earliest} and {start.latest} us since 1970",
        f"gateway {strip.gateway} epoch {strip.epoch} first sample {strip.first}",
        f"device {one.maker} {one.model} serial {one.serial} driver {one.driver} integrity {one.integrity}",
        f"association {strip.bound.method} {strip.bound.status}",
        f"rate {one.rate} Hz as the device states it"
        + ("" if strip.measured_hz is None else f"; {strip.measured_hz:.6f} Hz as measured"),
    ]
    for s in strip.streams:
        band = f"; filter as the device names it: {s.filter}" if s.filter else "; filter not stated"
        said.append(f"{s.channel} MDC {s.mdc}: value = (sample - {s.offset}) * {s.gain} {s.unit}{band}")
    return [ascii_only(text) for text in [*said, STATEMENT]]


def ascii_only(text: str) -> str:
    """Printable ASCII; all else is a question mark."""
    return "".join(c if " " <= c <= "~" else "?" for c in plain(text, 1000))


def _marks(archive: Archive, strip: Strip) -> Iterator[bytes]:
    said = (
        (i, m.row, plain(strip.streams[m.row].channel), plain(m.kind), m.count)
        for i, m in samples.marks(archive, strip)
    )
    return table(("index", "row", "channel", "kind", "count"), said)


def table(header: Iterable[str], lines: Iterable[Iterable[object]]) -> Iterator[bytes]:
    """CSV by RFC 4180, a thousand lines at a time."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    for number, line in enumerate(lines):
        writer.writerow(line)
        if number % _BATCH_ROWS == _BATCH_ROWS - 1:
            yield _taken(text)
    yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    said = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return said
