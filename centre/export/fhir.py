"""FHIR R4 and R5: readings and waves as Observations by device and metric, with the provenance of their time.

Source: HL7 FHIR R4 (4.0.1) and R5 (5.0.0), Observation, SampledData, Device, DeviceMetric, Provenance; HL7 PHD and PoCD
guides (MDC in Observation.code, LOINC besides, UCUM units, an identifier for conditional create). NDJSON has a resource
a line; a bundle is a transaction of conditional creates, so it may be sent twice. Samples are the device's integers in
`data`; `factor` and `origin` are exact or the export is refused. A gap is where no Observation is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import chain, islice
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from centre import clock, fhir, rows
from centre.export import readings, samples
from centre.export.archive import Archive
from centre.export.decimals import decimal
from centre.export.deliver import Member
from centre.export.fhir_devices import Kind, Release, devices, identifier, refer, urn
from centre.export.plan import Plan, RefusedError, Sitting, Strip, patient
from centre.export.segments import Segment
from centre.mapping import Mapping, Moment
from centre.web.plain import plain
from drivers import vocabulary

WAVE_SECONDS = 10
BATCH_RESOURCES = 100
PERIOD_DIGITS = 15
LOINC = "http://loinc.org"
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_TEST = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
_REASONS = {"not-supported": "unsupported", "invalid": "error", "over-range": "error", "under-range": "error"}
_TIMED = "Dated by the gateway's monotonic clock and its anchors"
_ENCODER = msgspec.json.Encoder(decimal_format="number")
Resource = dict[str, Any]


def r4(archive: Archive, plan: Plan) -> Iterator[Member]:
    return _members(archive, plan, Release("R4", "ndjson"))


def r5(archive: Archive, plan: Plan) -> Iterator[Member]:
    return _members(archive, plan, Release("R5", "ndjson"))


def r4_bundle(archive: Archive, plan: Plan) -> Iterator[Member]:
    return _members(archive, plan, Release("R4", "bundle"))


def r5_bundle(archive: Archive, plan: Plan) -> Iterator[Member]:
    return _members(archive, plan, Release("R5", "bundle"))


def _members(archive: Archive, plan: Plan, release: Release) -> Iterator[Member]:
    if not plan.strips and not plan.sittings:
        raise RefusedError("nothing is there for this time", "see /api/beds/{gateway}/streams")
    for strip in plan.strips:
        _check(strip)
    parts: list[Strip | Sitting] = [*plan.strips, *plan.sittings]
    for part in parts:
        found = _of_strip(archive, part, release) if isinstance(part, Strip) else _of_sitting(archive, part, release)
        made = _with_provenance(found, part.mapping, _gateway(part), release)
        told = devices(part, release), made
        if release.form == "ndjson":
            yield Member(f"{part.name}.ndjson", _lines(told))
        else:
            yield from _bundles(part.name, told)


def batched(found: Iterable[Resource], size: int) -> Iterator[list[Resource]]:
    """`size` at a time."""
    waiting = iter(found)
    while some := list(islice(waiting, size)):
        yield some


def _gateway(part: Strip | Sitting) -> str:
    return part.streams[0].gateway


def _lines(told: tuple[Iterable[Resource], Iterable[Resource]]) -> Iterator[bytes]:
    for resources in told:
        yield from (_ENCODER.encode(one) + b"\n" for one in resources)


def _bundles(name: str, told: tuple[Iterable[Resource], Iterable[Resource]]) -> Iterator[Member]:
    """The devices first: what refers to them by a search finds them there."""
    known, made = told
    for number, some in enumerate(chain([list(known)], batched(made, BATCH_RESOURCES))):
        said = {"resourceType": "Bundle", "type": "transaction", "entry": [_entry(one) for one in some]}
        yield Member(f"{name}-{number:05d}.json", [_ENCODER.encode(said)])


def _entry(one: Resource) -> Resource:
    request = {"method": "POST", "url": one["resourceType"]}
    resource = {key: value for key, value in one.items() if key != "id"}
    if "identifier" not in one:
        return {"resource": resource, "request": request}
    named = one["identifier"][0]
    request["ifNoneExist"] = f"identifier={named['system']}|{named['value']}"
    return {"fullUrl": urn(Kind(named["system"]), named["value"]), "resource": resource, "request": request}


def _with_provenance(found: Iterable[Resource], mapping: Mapping, gateway: str, release: Release) -> Iterator[Resource]:
    """Each batch of Observations, and what dated it."""
    for some in batched(found, BATCH_RESOURCES - 1):
        yield from some
        yield {
            "resourceType": "Provenance",
            "target": [refer("Observation", one["identifier"][0]["value"], release, is_here=True) for one in some],
            "recorded": fhir.date_time(clock.utc_us()),
            "activity": {"text": f"{_TIMED}: mapping {mapping.version}"},
            "agent": [{"who": refer("Device", gateway, release)}],
        }


def _of_sitting(archive: Archive, sitting: Sitting, release: Release) -> Iterator[Resource]:
    before: tuple[int, int] | None = None
    times = 0
    for told in readings.readings(archive, sitting):
        key = told.stream.stream, told.reading.t
        times = times + 1 if key == before else 0
        before = key
        name = f"{told.stream.gateway}-{told.reading.epoch}-{told.stream.stream}-{told.reading.t}-{times}"
        yield _reading(told, sitting, name, release)


def _reading(told: readings.Told, sitting: Sitting, name: str, release: Release) -> Resource:
    reading, stream = told.reading, told.stream
    made = _observation(name, stream, sitting, told.taken or told.at, release)
    if told.taken is not None and told.at.utc is not None:
        made["issued"] = fhir.date_time(told.at.utc)
    if reading.taken is not None:
        made["note"] = [{"text": f"the device's clock said {plain(reading.taken.iso or str(reading.taken.ticks))}"}]
    if reading.value is None:
        reason = _REASONS.get(reading.why, "temp-unknown" if reading.why else "unknown")
        made["dataAbsentReason"] = {"coding": [{"system": _ABSENT, "code": reason}], "text": plain(reading.why)}
        if not reading.why:
            del made["dataAbsentReason"]["text"]
    else:
        made["valueQuantity"] = quantity(reading.value, stream.unit)
        if reading.why:
            made["interpretation"] = [{"text": plain(reading.why)}]
    if reading.why in ("test", "demo"):
        made["meta"] = {"tag": [_TEST]}
    return made


def _of_strip(archive: Archive, strip: Strip, release: Release) -> Iterator[Resource]:
    length = max(1, int(strip.streams[0].rate * WAVE_SECONDS))
    for segment in strip.segments:
        at = segment.first
        for values in samples.chunks(archive, strip, segment, length):
            yield _wave(strip, segment, at, values, release)
            at += values.shape[1]


def _wave(strip: Strip, segment: Segment, first: int, values: NDArray[np.int32], release: Release) -> Resource:
    streams = [strip.streams[row] for row in segment.rows]
    count = values.shape[1]
    name = f"{strip.gateway}-{strip.epoch}-w{streams[0].stream}-{len(streams)}-{first}-{count}"
    made = _observation(name, streams[0], strip, _lasting(strip, first, first + count), release)
    if len(streams) == 1:
        return made | {"valueSampledData": sampled(streams[0], values[0], release)}
    made["code"] = {"text": "waves of one count"}
    made["component"] = [
        {"code": code(stream), "valueSampledData": sampled(stream, line, release)}
        for stream, line in zip(streams, values, strict=True)
    ]
    return made


def _lasting(strip: Strip, first: int, last: int) -> Moment:
    """When the first sample was; where no clock vouches for that, a period that holds all of them."""
    begun, ended = strip.moment(first), strip.moment(last - 1)
    return begun if begun.utc is not None else begun._replace(latest=ended.latest)


def _observation(name: str, stream: rows.Stream, part: Strip | Sitting, when: Moment, release: Release) -> Resource:
    who = patient(part.bound)
    subject = {"subject": {"identifier": identifier(Kind.PSEUDONYM, f"{part.site}:{who}")}} if who else {}
    return {
        "resourceType": "Observation",
        "id": name,
        "extension": [
            {"url": "urn:wardlink:time-grade", "valueCode": when.grade},
            {"url": "urn:wardlink:time-mapping", "valueString": part.mapping.version},
            {"url": "urn:wardlink:association", "valueString": plain(f"{part.bound.method} {part.bound.status}")},
        ],
        "identifier": [identifier(Kind.OBSERVATION, name)],
        "status": "final",
        "code": code(stream),
        **subject,
        **fhir.effective(when),
        "device": refer("DeviceMetric", f"{stream.gateway}-{stream.epoch}-m{stream.stream}", release),
    }


def code(stream: rows.Stream) -> Resource:
    """MDC first, LOINC besides, where they are known; else the channel's name."""
    known = vocabulary.by_mdc().get(stream.mdc) or vocabulary.codes().get(stream.channel)
    coding: list[Resource] = []
    if stream.mdc:
        coding.append({"system": fhir.MDC, "code": str(stream.mdc)})
        if known is not None and known.refid and not known.refid.startswith("("):
            coding[0]["display"] = known.refid
    coding += [{"system": LOINC, "code": one} for one in (known.loinc if known else ())]
    return {"coding": coding, "text": plain(stream.channel)} if coding else {"text": plain(stream.channel)}


def quantity(value: Decimal, unit: str) -> Resource:
    return {"value": value, "unit": plain(unit), "system": fhir.UCUM, "code": plain(unit)}


def sampled(stream: rows.Stream, values: NDArray[np.int32], release: Release) -> Resource:
    """value = origin + sample * factor."""
    period = Decimal(1000 * stream.rate.denominator) / Decimal(stream.rate.numerator)
    return {
        "extension": [{"url": "urn:wardlink:rate", "valueRatio": _ratio(stream.rate)}],
        "origin": quantity(_exact(-stream.offset * stream.gain, stream), stream.unit),
        **release.interval(Decimal(f"{period:.{PERIOD_DIGITS}g}")),
        "factor": _exact(stream.gain, stream),
        "dimensions": 1,
        "data": " ".join(map(str, values.tolist())),
    }


def _ratio(value: Fraction) -> Resource:
    return {
        "numerator": {"value": value.numerator, "unit": "Hz", "system": fhir.UCUM, "code": "Hz"},
        "denominator": {"value": value.denominator},
    }


def _exact(value: Fraction, stream: rows.Stream) -> Decimal:
    text = decimal(value)
    if not text:
        raise RefusedError(f"the scale of {stream.channel} ({stream.gain}) is no decimal", "wfdb or parquet")
    return Decimal(text)


def _check(strip: Strip) -> None:
    for stream in strip.streams:
        _exact(stream.gain, stream)
        _exact(-stream.offset * stream.gain, stream)
