"""Numbers and waves in OBX segments: what was measured, in which unit, and why there is no value.

PDS   OBX||NM|101^HR|2101|60||||||F                           OBX||NM|170^Sys|2105|120||||||F||APERIODIC|time
PCD   OBX|13|NM|147842^MDC_ECG_HEART_RATE^MDC|1.7.4.147842|66|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R|||time
      OBX|1|NA|131329^MDC_ECG_ELEC_POTL_I^MDC|1.7.6.131329|80^88^92||||||R
      OBX|2|NM|0^MDC_ATTR_SAMP_RATE^MDC|1.7.6.131329.1|500|264640^MDC_DIM_HZ^MDC        each wave has these three
      OBX|3|NM|2327^MDC_ATTR_NU_MSMT_RES^MDC|1.7.6.131329.2|0.001221|266418^MDC_DIM_MILLI_VOLT^MDC
      OBX|4|NM|196660^MDC_EVT_INOP^MDC|1.7.6.131329.3|32767                             the count of no sample
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction

from drivers.contract import Mark, Numeric, Scale, Wave, Why
from drivers.hl7.messages import Segment
from drivers.mindray import codes

NUMBER = re.compile(r"[+-]?\d{1,12}(\.\d{1,9})?")
NOBODY = frozenset(('""', ""))
RATE, RESOLUTION, INOP = "MDC_ATTR_SAMP_RATE", "MDC_ATTR_NU_MSMT_RES", "MDC_EVT_INOP"
FLAGS = {  # OBX-8, IHE PCD "status of the measured value" and HL7 table 0078; the strongest first
    "INV": Why.INVALID,
    "NAV": Why.UNAVAILABLE,
    ">": Why.OVER,
    "<": Why.UNDER,
    "DEMO": Why.DEMO,
    "TEST": Why.TEST,
    "CAL": Why.CALIBRATING,
    "QUES": Why.QUESTIONABLE,
}
GONE = frozenset((Why.INVALID, Why.UNAVAILABLE))
NO_RESULT = frozenset("XNDIW")  # OBX-11: cannot be had, not asked, deleted, not yet there, wrong
SAMPLE_LIMIT = 1 << 31


def numeric(obx: Segment, is_pds: bool, units: Mapping[str, str]) -> Numeric | None:
    """One NM segment as a reading; None where it names nothing."""
    if is_pds:
        code = obx.part(3, 1)
        channel, unit = codes.PARAMETERS.get(code, (f"{codes.DRIVER_ID}:{code}" if code.isalnum() else "", ""))
        unit = codes.unit_of(obx.parts(6)) or units.get(unit, unit)
    else:
        channel, unit = codes.channel_of(obx.parts(3), "num"), codes.unit_of(obx.parts(6))
    if not channel:
        return None
    value, why = _value(obx.text(5).strip(), is_pds)
    doubt = _why(obx)
    if value is None or doubt in GONE:
        return Numeric(channel, None, unit, doubt or why)
    return Numeric(channel, value, unit, doubt)


def _value(text: str, is_pds: bool) -> tuple[Decimal | int | None, Why | None]:
    """A value as it was written, or why there is none."""
    if text in NOBODY:
        return None, Why.UNAVAILABLE
    if not NUMBER.fullmatch(text):
        return None, Why.INVALID
    value = Decimal(text)
    if is_pds and str(int(value)) in codes.NO_VALUE and value == int(value):
        return None, Why.UNAVAILABLE
    return (value if "." in text else int(text)), None


def _why(obx: Segment) -> Why | None:
    if obx.field(11) in NO_RESULT and obx.field(11):
        return Why.UNAVAILABLE
    flags = {flag for repetition in obx.repeated(8) for flag in repetition}
    return next((why for flag, why in FLAGS.items() if flag in flags), None)


def is_attribute(obx: Segment) -> bool:
    """Whether it only describes a wave."""
    return obx.part(3, 2) in (RATE, RESOLUTION, INOP)


def waves(segments: Iterable[Segment]) -> Iterator[Wave | None]:
    """The waves of a message; None for one that cannot be used: samples that are no integers, no rate."""
    kept = list(segments)
    said = {(_place(obx), obx.part(3, 2)): obx for obx in kept if is_attribute(obx)}
    for obx in kept:
        if obx.field(2) == "NA":
            place = obx.field(4)
            yield _wave(obx, *(said.get((place, name)) for name in (RATE, RESOLUTION, INOP)))


def _place(obx: Segment) -> str:
    """OBX-4 without its last number: where the wave stands that this belongs to."""
    return obx.field(4).rpartition(".")[0]


def _wave(obx: Segment, rate: Segment | None, resolution: Segment | None, inop: Segment | None) -> Wave | None:
    hertz, gain = _fraction(rate), _fraction(resolution) or Fraction(1)
    channel, samples = codes.channel_of(obx.parts(3), "wave"), _samples(obx.parts(5))
    if not channel or not samples or not hertz:
        return None
    nothing = _fraction(inop)
    marks = tuple(_runs(samples, int(nothing))) if nothing is not None else ()
    why = _why(obx)
    if why is not None:
        marks = (Mark(0, "invalid" if why in GONE else str(why), len(samples)), *marks)
    unit = codes.unit_of(resolution.parts(6)) if resolution else ""
    return Wave(channel, samples, Scale(hertz, unit, gain), marks=marks)


def _fraction(obx: Segment | None) -> Fraction | None:
    text = obx.text(5).strip() if obx else ""
    return Fraction(text) if NUMBER.fullmatch(text) else None


def _samples(parts: list[str]) -> tuple[int, ...]:
    """Empty where one of them is no integer."""
    if not all(re.fullmatch(r"-?\d{1,10}", part) for part in parts):
        return ()
    samples = tuple(map(int, parts))
    return samples if all(-SAMPLE_LIMIT <= sample < SAMPLE_LIMIT for sample in samples) else ()


def _runs(samples: tuple[int, ...], nothing: int) -> Iterator[Mark]:
    """Neighbouring samples that the monitor calls none."""
    begin = None
    for at, sample in enumerate((*samples, nothing + 1)):
        if sample == nothing and begin is None:
            begin = at
        elif sample != nothing and begin is not None:
            yield Mark(begin, "invalid", at - begin)
            begin = None
