"""Health observations as the Generic Health Sensor service writes them: what was measured, when, and in which state.

    observation   class u8 | length u16 | flags u16 | 0 type u32 | 1 time 9 bytes | 2 duration FLOAT, s | 3 status u16
                  | 4 id u32 | 5 person u8 | 6 more about it: count u8, u32 .. | 7 derived from | 8 member of: the same
                  | value
    value by class   1 number: unit u16, FLOAT · 2 code u32 · 3 text: length u16, UTF-8 · 5 codes: count u8, u32 ..
                     7 compound: count u8, then of each: type u32, class 1 to 3, value
                     255 bundle: count u8, observations, which have what the bundle has and they do not say
    time          flags u8 | u48 | source u8 | offset i8, quarters of an hour         little endian, FLOAT of 20601
                  flags 0 a counter, 1 UTC, 2-3 unit (1, 0.1, 0.001, 0.0001 s), 4 offset is used, 5 the clock runs on

Types, units and codes are context-free MDC codes (partition * 65536 + term; a unit has its term only). A body whose
fields do not fill its length is refused. Not read: sample arrays (4), states (6), TLV (8 and flag 9): the examples of
them contradict themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction

from drivers.bluetooth.numbers import Value, float32, number
from drivers.contract import DeviceTime
from drivers.ieee11073.fields import Fields, MalformedError

NUMBER, CODE, TEXT, CODES, COMPOUND, BUNDLE = 1, 2, 3, 5, 7, 255
NAMES = {4: "sample-array", 6: "states", 8: "type-length-value"}
TYPE, TIME, DURATION, STATUS, ID, PERSON, MORE, DERIVED, MEMBER, TLVS = (1 << bit for bit in range(10))
TIME_BYTES = 9
COUNTER, UTC, OFFSET, RUNS_ON = 0x01, 0x02, 0x10, 0x20
UNITS = (1, 10, 1000, 10000)  # a second
EPOCH = "2000-01-01T00:00:00"


class Little(Fields):
    """The same, little endian."""

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return number(self.take(2))

    def u32(self) -> int:
        return number(self.take(4))

    def listed(self) -> tuple[int, ...]:
        return tuple(self.u32() for _ in range(self.u8()))


@dataclass(frozen=True, slots=True)
class Part:
    """One value: a number with its unit, or words (codes as their numbers)."""

    kind: int
    number: Value | None = None
    unit: int = 0
    codes: tuple[int, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """`kind` 0, `stamp` empty and `person` None are not said. `unread` names a class that cannot be read."""

    kind: int = 0
    stamp: bytes = b""
    duration: Value | None = None
    status: int = 0
    person: int | None = None
    more: tuple[int, ...] = ()
    parts: tuple[Part, ...] = ()
    unread: str = ""


def observations(data: bytes) -> Iterator[Observation]:
    """What one whole observation says; a bundle is several. Raises MalformedError."""
    fields = Little(data)
    found = list(_observation(fields, Observation(), is_inner=False))
    fields.end()
    yield from found


def _observation(fields: Little, outer: Observation, is_inner: bool) -> Iterator[Observation]:
    form, body = fields.u8(), Little(fields.take(fields.u16()))
    flags = body.u16()
    said = _head(body, flags, outer)
    if form == BUNDLE and not is_inner:
        for _ in range(body.u8()):
            yield from _observation(body, said, is_inner=True)
        body.end()
    elif form == COMPOUND:
        parts = tuple(_part(body, body.u32(), body.u8()) for _ in range(body.u8()))
        body.end()
        yield replace(said, parts=parts)
    elif form in READERS:
        part = _part(body, said.kind, form)
        body.end()
        yield replace(said, parts=(part,))
    elif form in NAMES:
        yield replace(said, unread=NAMES[form])
    else:
        raise MalformedError("class")


def _head(body: Little, flags: int, outer: Observation) -> Observation:
    if flags >= TLVS:
        raise MalformedError("fields that are not known")
    said = replace(
        outer,
        kind=body.u32() if flags & TYPE else outer.kind,
        stamp=body.take(TIME_BYTES) if flags & TIME else outer.stamp,
        duration=float32(body.take(4)) if flags & DURATION else outer.duration,
        status=body.u16() if flags & STATUS else outer.status,
    )
    if flags & ID:
        body.u32()
    said = replace(
        said,
        person=body.u8() if flags & PERSON else said.person,
        more=body.listed() if flags & MORE else said.more,
    )
    for flag in (DERIVED, MEMBER):
        if flags & flag:
            body.listed()
    return said


def _number(body: Little, kind: int) -> Part:
    unit = body.u16()
    return Part(kind, float32(body.take(4)), unit)


def _text(body: Little, kind: int) -> Part:
    return Part(kind, text=body.octets().decode("utf-8", "replace"))


READERS: dict[int, Callable[[Little, int], Part]] = {
    NUMBER: _number,
    CODE: lambda body, kind: Part(kind, codes=(body.u32(),)),
    TEXT: _text,
    CODES: lambda body, kind: Part(kind, codes=body.listed()),
}


def _part(body: Little, kind: int, form: int) -> Part:
    if form not in READERS:
        raise MalformedError("class of a part")
    return READERS[form](body, kind)


def time_of(stamp: bytes) -> DeviceTime:
    """What the sensor's clock said: its counter, or date and time in the zone that it counts in."""
    flags, count = stamp[0], number(stamp[1:7])
    per_second = UNITS[flags >> 2 & 3]
    if flags & COUNTER:
        return DeviceTime(ticks=count, hertz=Fraction(per_second))
    try:
        when = datetime.fromisoformat(EPOCH) + timedelta(seconds=count // per_second)
    except OverflowError:
        return DeviceTime(ticks=count, hertz=Fraction(per_second))
    rest = count % per_second
    return DeviceTime((when + timedelta(microseconds=rest * 1_000_000 // per_second)).isoformat())


def zone_of(stamp: bytes) -> str | None:
    """In which time the clock counts, in the sensor's words; None for a counter."""
    flags, quarters = stamp[0], stamp[8] - (0x100 if stamp[8] > 0x7F else 0)
    if flags & COUNTER:
        return None
    return ("UTC" if flags & UTC else "local") + (f", offset {15 * quarters} min" if flags & OFFSET else "")
