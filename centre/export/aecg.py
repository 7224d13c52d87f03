"""HL7 Annotated ECG (aECG, PORT_MT020001): a rhythm series a piece, time by increment, leads as scaled integers.

Source: HL7 aECG Implementation Guide, 21 March 2005; data types of HL7 version 3 (GLIST_TS, GLIST_PQ, SLIST_PQ). A gap
is between two files. Where no clock vouches for an instant, time is relative (TIME_RELATIVE), and the effective time is
the interval that holds it. What is known of the time is an annotation, as is what the device says of its filters.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from uuid import NAMESPACE_URL, uuid5
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from centre import rows
from centre.export import context, ecg
from centre.export.archive import Archive
from centre.export.decimals import decimal
from centre.export.deliver import Member
from centre.export.ecg import Piece
from centre.export.plan import Plan, RefusedError, Strip, patient
from centre.mapping import Moment

MDC = 'codeSystem="2.16.840.1.113883.6.24" codeSystemName="MDC"'
ACT = 'codeSystem="2.16.840.1.113883.5.4" codeSystemName="ActCode"'
CPT = 'codeSystem="2.16.840.1.113883.6.12" codeSystemName="CPT-4"'
OWN = f'codeSystem="{uuid5(NAMESPACE_URL, "urn:wardlink:aecg")}" codeSystemName="wardlink"'
PERIOD_DIGITS = 15
LINE_SAMPLES = 4096
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HINT = "wfdb, edf, csv or parquet"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<AnnotatedECG type="Observation" xmlns="urn:hl7-org:v3"'


def members(archive: Archive, plan: Plan) -> Iterator[Member]:
    """A file for each segment, at most ten minutes long."""
    return ecg.members(archive, plan, _check, _file)


def _check(_archive: Archive, strip: Strip) -> None:
    for stream in strip.streams:
        _decimal(stream.gain, stream)
        _decimal(-stream.offset * stream.gain, stream)


def _decimal(value: Fraction, stream: rows.Stream) -> str:
    text = decimal(value)
    if not text:
        raise RefusedError(f"the scale of {stream.channel} ({stream.gain}) is no decimal", _HINT)
    return text


def _file(piece: Piece) -> Iterator[Member]:
    yield Member(f"{piece.name}.xml", _document(piece))


def _document(piece: Piece) -> Iterator[bytes]:
    begun = piece.strip.moment(piece.first)
    ended = piece.strip.moment(piece.first + piece.values.shape[1])
    low, high = _interval(begun, ended)
    yield f'{_HEAD} xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'.encode()
    yield f'<id root="{_id(piece, "document")}"/>\n<code code="93000" {CPT}/>\n'.encode()
    yield f"{_effective(low, high)}{_subject(piece.strip)}<component><series>\n".encode()
    yield f'<id root="{_id(piece, "series")}"/><code code="RHYTHM" {ACT}/>\n{_effective(low, high)}'.encode()
    yield f"{_author(piece.streams[0])}{_filters(piece)}<component><sequenceSet>\n".encode()
    yield _time(piece, begun).encode()
    for stream, values in zip(piece.streams, piece.values, strict=True):
        yield from _sequence(stream, values)
    yield f"</sequenceSet></component>\n{_notes(piece)}</series></component>\n</AnnotatedECG>\n".encode()


def _id(piece: Piece, what: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"urn:wardlink:aecg {what} {piece.name} {piece.rows} {piece.values.shape[1]}"))


def _stamp(utc: int | None) -> str:
    return "" if utc is None else f"{_EPOCH + timedelta(microseconds=utc):%Y%m%d%H%M%S.%f}+0000"


def _interval(begun: Moment, ended: Moment) -> tuple[str, str]:
    """From instant to instant; where none is vouched for, the bounds of what is known."""
    if begun.utc is not None:
        return _stamp(begun.utc), _stamp(ended.utc)
    return _stamp(begun.earliest), _stamp(ended.latest)


def _effective(low: str, high: str) -> str:
    first = f'<low value="{low}" inclusive="true"/>' if low else '<low nullFlavor="UNK"/>'
    last = f'<high value="{high}" inclusive="false"/>' if high else '<high nullFlavor="UNK"/>'
    return f"<effectiveTime>{first}{last}</effectiveTime>\n"


def _subject(strip: Strip) -> str:
    """The pseudonym alone, as the subject of a trial that has no name."""
    who = quoteattr(f"{strip.site}:{patient(strip.bound)}")
    said = f'<id root="{uuid5(NAMESPACE_URL, "urn:wardlink:pseudonym")}" extension={who}/>'
    subject = said if patient(strip.bound) else '<id nullFlavor="UNK"/>'
    return (
        "<componentOf><timepointEvent><componentOf><subjectAssignment><subject><trialSubject>"
        f'{subject}</trialSubject></subject><componentOf><clinicalTrial><id nullFlavor="NA"/></clinicalTrial>'
        "</componentOf></subjectAssignment></componentOf></timepointEvent></componentOf>\n"
    )


def _author(one: rows.Stream) -> str:
    words = [escape(context.ascii_only(text)) for text in (one.model, one.firmware, one.maker)]
    return (
        f"<author><seriesAuthor><manufacturedSeriesDevice><id extension={quoteattr(context.ascii_only(one.serial))}/>"
        f"<manufacturerModelName>{words[0]}</manufacturerModelName><softwareName>{words[1]}</softwareName>"
        f"</manufacturedSeriesDevice><manufacturerOrganization><name>{words[2]}</name></manufacturerOrganization>"
        "</seriesAuthor></author>\n"
    )


def _filters(piece: Piece) -> str:
    """Where all leads say the same of their filter: its edges, if it says numbers."""
    said = {(*ecg.band(s), ecg.notch(s)) for s in piece.streams}
    low, high, notch = said.pop() if len(said) == 1 else ("", "", "")
    found = (("LOW_PASS", "CUTOFF_FREQ", high), ("HIGH_PASS", "CUTOFF_FREQ", low), ("NOTCH", "NOTCH_FREQ", notch))
    return "".join(
        f'<controlVariable><controlVariable><code code="MDC_ECG_CTL_VBL_ATTR_FILTER_{kind}" {MDC}/><component>'
        f'<controlVariable><code code="MDC_ECG_CTL_VBL_ATTR_FILTER_{name}" {MDC}/>'
        f'<value xsi:type="PQ" value="{hertz}" unit="Hz"/></controlVariable></component></controlVariable>'
        "</controlVariable>\n"
        for kind, name, hertz in found
        if hertz
    )


def _time(piece: Piece, begun: Moment) -> str:
    period = f"{float(1 / piece.strip.streams[0].rate):.{PERIOD_DIGITS}g}"
    head = f'<head value="{_stamp(begun.utc)}"/>' if begun.utc is not None else '<head value="0" unit="s"/>'
    code, kind = ("TIME_ABSOLUTE", "GLIST_TS") if begun.utc is not None else ("TIME_RELATIVE", "GLIST_PQ")
    return (
        f'<component><sequence><code code="{code}" {ACT}/><value xsi:type="{kind}">{head}'
        f'<increment value="{period}" unit="s"/></value></sequence></component>\n'
    )


def _sequence(stream: rows.Stream, values: NDArray[np.int32]) -> Iterator[bytes]:
    unit = quoteattr(context.ascii_only(stream.unit))
    origin = _decimal(-stream.offset * stream.gain, stream)
    yield (
        f'<component><sequence><code code="{ecg.refid(ecg.lead(stream))}" {MDC}/><value xsi:type="SLIST_PQ">'
        f'<origin value="{origin}" unit={unit}/><scale value="{_decimal(stream.gain, stream)}" unit={unit}/><digits>'
    ).encode()
    for start in range(0, len(values), LINE_SAMPLES):
        yield (" ".join(map(str, values[start : start + LINE_SAMPLES].tolist())) + "\n").encode()
    yield b"</digits></value></sequence></component>\n"


def _notes(piece: Piece) -> str:
    """Context in words, as annotations of the whole series."""
    said = "".join(
        f'<component><annotation><code code="CONTEXT" {OWN}/>'
        f'<value xsi:type="ST">{escape(text)}</value></annotation></component>\n'
        for text in context.lines(piece.strip)
    )
    return f'<subjectOf><annotationSet><activityTime nullFlavor="NA"/>\n{said}</annotationSet></subjectOf>\n'
