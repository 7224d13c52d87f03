"""HL7 v2.6, IHE PCD-01 (DEC): ORU^R01 messages with MDC codes, containment, and the device's own doubts.

Source: IHE Devices Technical Framework vol. 2, PCD-01; HL7 2.6 chapters 2, 3, 7. OBX-3 MDC, OBX-4 containment
MDS.VMD.channel.metric, OBX-6 UCUM beside the MDC unit, OBX-8 NAV, INV, QUES, CAL, TEST, DEMO, OBX-11 R or X, OBX-14 the
time with its zone where a clock vouches for an instant, OBX-18 the device. A wave is an NA array of the device's
integers; rate, resolution and zero are SN ratios beneath it, exact. A gap is where no array is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from centre import clock, fhir, rows
from centre.export import readings, samples
from centre.export.archive import Archive
from centre.export.deliver import Member
from centre.export.fhir_devices import device_name
from centre.export.plan import Plan, RefusedError, Sitting, Strip, patient
from centre.export.segments import Segment
from centre.mapping import Moment
from centre.web.plain import plain
from drivers import vocabulary

MESSAGE_READINGS = 100
WAVE_SECONDS = 10
MDS = "1.0.0.0"
PROFILE = "IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO"
_DOUBTS = {"questionable": "QUES", "invalid": "INV", "calibrating": "CAL", "test": "TEST", "demo": "DEMO"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ESCAPES = str.maketrans({"|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "&": "\\T\\", "\\": "\\E\\"})


def members(archive: Archive, plan: Plan) -> Iterator[Member]:
    """A file of messages for each strip and each sitting."""
    if not plan.strips and not plan.sittings:
        raise RefusedError("nothing is there for this time", "see /api/beds/{gateway}/streams")
    for strip in plan.strips:
        yield Member(f"{strip.name}.hl7", _of_strip(archive, strip))
    for sitting in plan.sittings:
        yield Member(f"{sitting.name}.hl7", _of_sitting(archive, sitting))


def text(said: str) -> str:
    """Of a stranger: one line, delimiters escaped."""
    return plain(said).translate(_ESCAPES)


def stamp(utc: int | None) -> str:
    """DTM to a tenth of a millisecond, with its zone; nothing where no clock vouches for an instant."""
    if utc is None:
        return ""
    when = _EPOCH + timedelta(microseconds=utc)
    return f"{when:%Y%m%d%H%M%S}.{when.microsecond // 100:04d}+0000"


def _of_sitting(archive: Archive, sitting: Sitting) -> Iterator[bytes]:
    waiting: list[readings.Told] = []
    number = 0
    for told in readings.readings(archive, sitting):
        waiting.append(told)
        if len(waiting) == MESSAGE_READINGS:
            yield _told(sitting, waiting, number)
            waiting, number = [], number + 1
    if waiting:
        yield _told(sitting, waiting, number)


def _told(sitting: Sitting, some: Sequence[readings.Told], number: int) -> bytes:
    lines = _Lines(sitting, f"{sitting.name}-{number}", some[0].reading.t)
    for told in some:
        when = told.taken or told.at
        value = "" if told.reading.value is None else format(told.reading.value, "f")
        why = told.reading.why
        doubt = "NAV" if told.reading.value is None else _DOUBTS.get(why, "QUES" if why else "")
        words = f"{doubt}~{text(why)}" if doubt and why and why not in _DOUBTS else doubt
        place = f"1.1.1.{told.stream.stream + 1}"
        lines.observe("NM", _code(told.stream), place, (value, _unit(told.stream)), words, when)
        if told.reading.taken is not None:
            said = told.reading.taken.iso or str(told.reading.taken.ticks)
            lines.note(f"the device's clock said {said}")
    return lines.message(sitting.mapping.at(some[0].reading.t))


def _of_strip(archive: Archive, strip: Strip) -> Iterator[bytes]:
    length = max(1, int(strip.streams[0].rate * WAVE_SECONDS))
    for segment in strip.segments:
        at = segment.first
        for values in samples.chunks(archive, strip, segment, length):
            yield _wave(strip, segment, at, values)
            at += values.shape[1]


def _wave(strip: Strip, segment: Segment, first: int, values: NDArray[np.int32]) -> bytes:
    lines = _Lines(strip, f"{strip.name}-{segment.rows[0]}-{first}-{values.shape[1]}", strip.pace.sample_t(first))
    begun = strip.moment(first)
    for row, line in zip(segment.rows, values, strict=True):
        stream = strip.streams[row]
        place = f"1.1.2.{stream.stream + 1}"
        unit = _unit(stream)
        lines.observe("NA", _code(stream), place, ("^".join(map(str, line.tolist())), unit), "", begun)
        lines.observe("NM", _own("first", "index of the first sample"), f"{place}.1", (str(first), ""), "", begun)
        lines.observe(
            "SN", _own("rate", "samples a second"), f"{place}.2", (_ratio(stream.rate), _ucum("Hz")), "", begun
        )
        lines.observe("SN", "67917^MDC_ATTR_NU_MSMT_RES^MDC", f"{place}.3", (_ratio(stream.gain), unit), "", begun)
        lines.observe(
            "SN", _own("offset", "sample of value zero"), f"{place}.4", (_ratio(stream.offset), ""), "", begun
        )
        if stream.filter:
            lines.observe(
                "ST", _own("filter", "as the device names it"), f"{place}.5", (text(stream.filter), ""), "", begun
            )
    return lines.message(begun, strip.moment(first + values.shape[1] - 1).utc)


class _Lines:
    """A message in the making: its observations, numbered."""

    def __init__(self, part: Strip | Sitting, name: str, t: int) -> None:
        self._part, self._name, self._t = part, name, t
        self._said: list[str] = []
        self._count = 0

    def observe(self, kind: str, code: str, place: str, said: tuple[str, str], doubt: str, when: Moment) -> None:
        """`said`: value and unit."""
        self._count += 1
        status = "R" if said[0] else "X"
        device = f"{device_name(self._part.streams[0])}^WARDLINK"
        tail = f"{doubt}|||{status}|||{stamp(when.utc)}||||{device}"
        self._said.append(f"OBX|{self._count}|{kind}|{code}|{place}|{said[0]}|{said[1]}||{tail}")
        if when.utc is None and when.earliest is not None and when.latest is not None:
            self.note(f"UTC between {stamp(when.earliest)} and {stamp(when.latest)}")

    def note(self, said: str) -> None:
        """Of the observation before it."""
        self._said.append(f"NTE|1||{text(said)}")

    def message(self, begun: Moment, ended: int | None = None) -> bytes:
        """With what is known of the device, the person and the time."""
        part = self._part
        one = part.streams[0]
        who, bed = text(patient(part.bound)), text(part.bound.bed)
        head = [
            f"MSH|^~\\&|WARDLINK^{one.gateway}^L|{text(part.site)}|||{stamp(clock.utc_us())}||ORU^R01^ORU_R01"
            f"|{self._name}|P|2.6|||NE|AL|||||{PROFILE}",
            f"PID|||{who}^^^{text(part.site)}^PI||^^^^^^{'S' if who else 'U'}",
            f"PV1||U|^^{bed}",
            f"OBR|1||{self._name}^WARDLINK|182777000^monitoring of patient^SCT|||{stamp(begun.utc)}|{stamp(ended)}",
        ]
        return "".join(f"{line}\r" for line in [*head, *self._said, *self._about(begun)]).encode()

    def _about(self, begun: Moment) -> list[str]:
        """The device and its clock, as observations of the whole (MDS)."""
        one, part = self._part.streams[0], self._part
        self._said = []
        self.observe(
            "ST", _own("device", "maker and model"), MDS, (text(f"{one.maker} {one.model} {one.serial}"), ""), "", begun
        )
        self.observe("ST", _own("time-grade", "how well the time is known"), MDS, (begun.grade, ""), "", begun)
        self.observe("ST", _own("time-mapping", "what dated it"), MDS, (part.mapping.version, ""), "", begun)
        method = fhir.METHODS.get(part.mapping.source(self._t), fhir.OTHER) if begun.error is not None else fhir.NONE
        self.observe("CWE", f"{'^'.join(fhir.PROTOCOL)}^MDC", MDS, (f"{'^'.join(method)}^MDC", ""), "", begun)
        if begun.error is not None:
            self.observe("NM", f"{'^'.join(fhir.ACCURACY)}^MDC", MDS, (str(begun.error), _ucum("us")), "", begun)
        return self._said


def _own(word: str, meaning: str) -> str:
    return f"{word}^{meaning}^99WARDLINK"


def _code(stream: rows.Stream) -> str:
    known = vocabulary.by_mdc().get(stream.mdc)
    if not stream.mdc:
        return f"{text(stream.channel)}^{text(stream.channel)}^99WARDLINK"
    name = known.refid if known and not known.refid.startswith("(") else ""
    return f"{stream.mdc}^{name}^MDC"


def _unit(stream: rows.Stream) -> str:
    known = vocabulary.by_mdc().get(stream.mdc)
    mdc = known.mdc_unit if known and known.ucum == stream.unit else None
    return f"{mdc}^^MDC^{_ucum(stream.unit)}" if mdc else _ucum(stream.unit)


def _ucum(unit: str) -> str:
    return f"{text(unit)}^{text(unit)}^UCUM"


def _ratio(value: Fraction) -> str:
    """SN: a ratio of two numbers."""
    return f"^{value.numerator}^/^{value.denominator}"
