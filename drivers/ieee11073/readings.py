"""From an object's data to readings: values with unit, reason and time of measurement, and the states said beside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from drivers.contract import Numeric, Why
from drivers.ieee11073.apdu import GROUPED, MP_GROUPED, Reported, Seen
from drivers.ieee11073.fields import Fields, MalformedError, float32, moment, sfloat, text
from drivers.ieee11073.objects import (
    STAMP,
    UNIT,
    VALUE_BASIC,
    VALUE_SIMPLE,
    VALUES_BASIC,
    VALUES_SIMPLE,
    Map,
    Thing,
    unit_of,
)

MEASURED = 0x0947
BITS_16, BITS_32, CODE, STRING = 0x0A66, 0x0A65, 0x0A49, 0x0A4A
ABSENT = {0: Why.INVALID, 2: Why.UNAVAILABLE}  # measurement status, bit 0 is the highest
DOUBTED = {4: Why.TEST, 5: Why.DEMO, 3: Why.CALIBRATING, 1: Why.QUESTIONABLE}  # the strongest reason first
MEASUREMENT = {8: "validated-data", 9: "early-indication", 10: "measurement-ongoing"}
OXIMETER = (  # MDC_PULS_OXIM_DEV_STATUS
    "sensor-disconnected",
    "sensor-malfunction",
    "sensor-displaced",
    "sensor-unsupported",
    "sensor-off",
    "sensor-interference",
    "signal-searching",
    "signal-pulse-questionable",
    "signal-non-pulsatile",
    "signal-erratic",
    "signal-low-perfusion",
    "signal-poor",
    "signal-inadequate",
    "signal-processing-irregularity",
    "device-equipment-malfunction",
    "device-extended-update",
)
OXIMETER_STATUS = "spo2.device_status"


@dataclass(frozen=True, slots=True)
class State:
    """A state that is on or off; one with a text replaces the text before it."""

    code: str
    channel: str
    on: bool = True
    text: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one object said once: `stamp` is when it was measured ("" if not told), by the agent's clock."""

    person: int | None
    stamp: str
    numerics: tuple[Numeric, ...]
    states: tuple[State, ...]
    unread: int  # attributes we cannot use


def explained(report: Reported, things: dict[int, Thing]) -> Iterator[Observation]:
    """Raises MalformedError where the data do not fit the configuration: then nothing of the report is believed."""
    for seen in report.seen:
        if seen.is_own:
            continue
        if seen.handle not in things:
            raise MalformedError("unknown object")
        for thing, attributes in _laid_out(report.form, seen, things):
            yield _observation(seen.person, thing, attributes)


def _laid_out(form: str, seen: Seen, things: dict[int, Thing]) -> list[tuple[Thing, dict[int, bytes]]]:
    here = things[seen.handle]
    if seen.attributes is not None:
        return [(here, dict(seen.attributes))]
    fields = Fields(seen.data)
    if form in (GROUPED, MP_GROUPED):
        if not here.scans or any(handle not in things for handle, _ in here.scans):
            raise MalformedError("unknown object")
        found = [(things[handle], _cut(fields, layout)) for handle, layout in here.scans]
    elif here.layout:
        found = [(here, _cut(fields, here.layout))]
    else:
        raise MalformedError("no value map")
    fields.end()
    return found


def _cut(fields: Fields, layout: Map) -> dict[int, bytes]:
    return {name: fields.take(size) for name, size in layout}


def _observation(person: int | None, thing: Thing, said: dict[int, bytes]) -> Observation:
    unit = unit_of(Fields(said[UNIT]).u16()) if UNIT in said else thing.unit
    status = Fields(said[MEASURED]).u16() if MEASURED in said else 0
    values: list[Decimal | Why] = []
    states: list[State] = []
    unread = 0
    for name, data in said.items():
        if name in (VALUE_BASIC, VALUE_SIMPLE, VALUES_BASIC, VALUES_SIMPLE):
            values += _values(name, data)
        elif name in (BITS_16, BITS_32, CODE, STRING):
            states += _enumerated(thing, name, data)
        elif name not in (STAMP, UNIT, MEASURED):
            unread += 1
    if len(values) > len(thing.channels):
        raise MalformedError("more values than names")
    if MEASURED in said:
        states += (
            State(code, channel, _bit(status, at)) for channel in thing.channels for at, code in MEASUREMENT.items()
        )
    numerics = tuple(
        _numeric(channel, value, unit, status) for channel, value in zip(thing.channels, values, strict=False)
    )
    return Observation(person, moment(said.get(STAMP, b"")), numerics, tuple(states), unread)


def _values(name: int, data: bytes) -> tuple[Decimal | Why, ...]:
    def small(fields: Fields) -> Decimal | Why:
        return sfloat(fields.u16())

    def large(fields: Fields) -> Decimal | Why:
        return float32(fields.u32())

    fields = Fields(data)
    read = small if name in (VALUE_BASIC, VALUES_BASIC) else large
    found = fields.items(read) if name in (VALUES_BASIC, VALUES_SIMPLE) else (read(fields),)
    fields.end()
    return found


def _numeric(channel: str, value: Decimal | Why, unit: str, status: int) -> Numeric:
    absent = next((why for at, why in ABSENT.items() if _bit(status, at)), None)
    if isinstance(value, Why) or absent:
        return Numeric(channel, None, unit, absent or (value if isinstance(value, Why) else None))
    return Numeric(channel, value, unit, next((why for at, why in DOUBTED.items() if _bit(status, at)), None))


def _bit(status: int, at: int) -> bool:
    return bool(status >> (15 - at) & 1)


def _enumerated(thing: Thing, name: int, data: bytes) -> list[State]:
    if len(thing.channels) != 1:
        raise MalformedError("an enumeration without a name")
    channel = thing.channels[0]
    fields = Fields(data)
    if name == STRING:
        return [State("says", channel, text=text(fields.octets()))]
    number = fields.u32() if name == BITS_32 else fields.u16()
    fields.end()
    if name == BITS_16 and channel == OXIMETER_STATUS:
        return [State(code, channel, _bit(number, at)) for at, code in enumerate(OXIMETER)]
    return [State("says", channel, text=data.hex().upper() if name != CODE else f"code {number}")]
