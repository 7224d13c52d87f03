"""Waves: what objects said about their samples, kept by handle, and samples turned into Waves.

Labels, scales and rates come with the first reply and once in 1.024 s for one object in turn, so a sample array is
read with what its object said last. A change makes a new scale, and so a new stream.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from drivers.contract import Mark, Scale, Wave
from drivers.philips import codes
from drivers.philips.attributes import TICKS_HERTZ, TICKS_WRAP, compound, scale

OBJECTS_LIMIT = 1024
WAVES_PER_OBJECT_LIMIT = 64
READINGS_LIMIT = 8
FIXED_VALUES_LIMIT = 64
MESSAGE_TICKS = 2048  # a result holds 256 ms: the rate of an object that never said its sample period
_OBSERVED = struct.Struct(">HHH")  # physio id, state, bytes of samples
_WORDS = {8: "B", 16: "H", 32: "I"}


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read one object's samples: `period` in ticks, `marks` as (mask, kind)."""

    word: str
    mask: int
    period: Fraction
    scale: Scale
    marks: tuple[tuple[int, str], ...]


@dataclass(slots=True)
class Described:
    """What an object said about itself, and for each of its waves when and at which sample the next one begins."""

    said: dict[int, bytes] = field(default_factory=dict)
    readings: dict[int, Reading] = field(default_factory=dict)  # by number of samples; the same for all but odd devices
    expected: dict[int, tuple[Fraction, int]] = field(default_factory=dict)


class Objects:
    """The monitor's objects by (context, handle), as described so far; the oldest is forgotten beyond the limit."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Described] = {}

    def forget(self) -> None:
        self._known.clear()

    def at(self, key: tuple[int, int]) -> Described:
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= OBJECTS_LIMIT:
                del self._known[next(iter(self._known))]
            known = self._known[key] = Described()
        return known

    def learn(self, key: tuple[int, int], name: int, value: bytes) -> None:
        """Keep what an object says of itself. struct.error where it is too short or too long to be true."""
        known, size = self.at(key), codes.DESCRIBING[name]
        if name == codes.FIXED_VALUES:
            size = 4 + 4 * len(list(compound(value, 4)))
        if not size <= len(value) or size > 4 + 4 * FIXED_VALUES_LIMIT:
            raise struct.error("a description of the wrong length")
        if known.said.get(name) != value[:size]:
            known.said[name] = value[:size]
            known.readings.clear()

    def is_setting(self, key: tuple[int, int]) -> bool:
        """Whether the object is a setting or an alarm limit, and no measurement."""
        category = self.at(key).said.get(codes.METRIC_SPEC, bytes(6))[4:6]
        return int.from_bytes(category, "big") in codes.SETTINGS


def arrays(name: int, value: bytes) -> Iterator[bytes]:
    """The SaObsValues in an attribute, simple or compound."""
    if name == codes.WAVE:
        yield value
        return
    count, _ = struct.unpack_from(">HH", value)
    at = 4
    for _ in range(count):
        length = _OBSERVED.unpack_from(value, at)[2]
        yield value[at : at + _OBSERVED.size + length]
        at += _OBSERVED.size + length


def wave(known: Described, array: bytes, ticks: int) -> Wave | None:
    """One SaObsValue of a result of `ticks`; None if it holds no samples."""
    physio, state, length = _OBSERVED.unpack_from(array)
    data = array[_OBSERVED.size : _OBSERVED.size + length]
    size = _sample_bytes(known)
    if len(data) < length or length % size:
        raise struct.error("a sample array is shorter than its length")
    if not data:
        return None
    reading = _reading(known, length // size)
    raw = struct.unpack(f">{length // size}{reading.word}", data)
    first = _first(known, physio, ticks, len(raw) * reading.period, reading.period)
    marks = (*_state_marks(state, len(raw)), *_sample_marks(raw, reading.marks))
    samples = raw if max(raw) <= reading.mask else tuple(sample & reading.mask for sample in raw)
    return Wave(codes.channel_of(physio, "wave"), samples, reading.scale, first, marks=marks)


def _sample_bytes(known: Described) -> int:
    bits = known.said[codes.SAMPLE_SPEC][2] if codes.SAMPLE_SPEC in known.said else 16
    if bits not in _WORDS:
        raise struct.error(f"samples of {bits} bits")
    return bits // 8


def _reading(known: Described, count: int) -> Reading:
    if count not in known.readings:
        if len(known.readings) >= READINGS_LIMIT:
            known.readings.clear()
        known.readings[count] = _made(known, count)
    return known.readings[count]


def _made(known: Described, count: int) -> Reading:
    said = known.said
    size = 8 * _sample_bytes(known)
    significant = said.get(codes.SAMPLE_SPEC, bytes(4))[3] or size
    ticks = int.from_bytes(said.get(codes.SAMPLE_PERIOD, b""), "big")
    period = Fraction(ticks) if ticks else Fraction(MESSAGE_TICKS, count)
    fixed = compound(said[codes.FIXED_VALUES], 4) if codes.FIXED_VALUES in said else ()
    pairs = (struct.unpack(">HH", entry) for entry in fixed)
    marks = tuple((mask, codes.MARKS[kind]) for kind, mask in pairs if mask and kind in codes.MARKS)
    return Reading(_WORDS[size], (1 << significant) - 1, period, scale(said, TICKS_HERTZ / period), marks)


def _first(known: Described, physio: int, ticks: int, span: Fraction, period: Fraction) -> int:
    """The number of an array's first sample, counted from the monitor's time zero.

    The time of a result is good to 2 ms, less than a sample of a fast ECG: arrays whose times fit to within half an
    array are counted on without a hole, and a jump is as many samples as the times are apart.
    """
    before = known.expected.get(physio)
    if before is None:
        number = int(ticks / period)
    else:
        late = (ticks - before[0] + TICKS_WRAP // 2) % TICKS_WRAP - TICKS_WRAP // 2
        number = before[1] + (round(late / period) if 2 * abs(late) >= span else 0)
        if number < 0:
            number = int(ticks / period)
    if len(known.expected) >= WAVES_PER_OBJECT_LIMIT:
        known.expected.clear()
    known.expected[physio] = (ticks + span, number + int(span / period))
    return number


def _state_marks(state: int, count: int) -> Iterator[Mark]:
    why = codes.why_absent(state) or codes.why_doubted(state)
    if why is not None:
        kind = "invalid" if codes.why_absent(state) else str(why)
        yield Mark(0, kind, count)


def _sample_marks(raw: tuple[int, ...], marks: tuple[tuple[int, str], ...]) -> Iterator[Mark]:
    highest = max(raw)
    for mask, kind in marks:
        if mask <= highest:
            hits = [at for at, sample in enumerate(raw) if sample & mask == mask]
            yield from (Mark(at, kind, count) for at, count in _runs(hits))


def _runs(hits: list[int]) -> Iterator[tuple[int, int]]:
    """Neighbouring positions as (first, how many)."""
    start = 0
    for at, (here, after) in enumerate(pairwise([*hits, -1])):
        if after != here + 1:
            yield hits[start], at + 1 - start
            start = at + 1
