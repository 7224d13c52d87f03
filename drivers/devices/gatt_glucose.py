"""Glucose meters of the Bluetooth SIG (service 1808): the measurements that a meter keeps, each with what goes with it.

    measurement 2A18   flags | number u16 | base time | 0 time offset i16, minutes
                       | 1 concentration SFLOAT, type u4, location u4 | 3 status u16
                       flag 2 clear: kg/L, set: mol/L; flag 4: a context follows
    context 2A34       flags | number u16 | 7 more flags u8 | 0 carbohydrate u8, SFLOAT kg | 1 meal u8
                       | 2 tester u4, health u4 | 3 exercise u16 s, u8 % | 4 medication u8, SFLOAT | 6 HbA1c SFLOAT %
                       flag 5 clear: medication in kg, set: in L
    features 2A51      u16      control point 2A52: `drivers.bluetooth.records`      little endian

Source: Bluetooth GLS 1.0.1 and GLP 1.0.1, the GATT Specification Supplement, the SIG's XML of both characteristics.
Proven on four values of real meters with what they showed: two of an Accu-Chek Guide (Stack Overflow 63340809, which
prints it as text; react-native-ble-manager issue 1162), two of meters not named (Stack Overflow, shown by it1352 as
2201520; react-native-ble-plx issue 652), and on the worked values of Nordic's BLE library (whose 30 kg/L are refused).

A meter says nothing unless it is asked. With nothing read before it is asked for all records, else for those from the
last one on, itself included: its number, base time and concentration must be what they were, or the memory was erased
or its numbers began again and all is asked for. The mark moves past a measurement once its context is there too.
The time told is the user's: base time and offset. Each measurement is history, and carries that time.
The meter's own doubts make a value questionable, over or under range; a control solution is a test. Limits: 0.02 kg/L,
0.12 mol/L; 0 is no value. Meal, tester, health and location are states of the last measurement.

Sent: 01 01 and 01 03 01 with a number, which report. Never 02, which deletes, nor 03.
Not protected: no checksum. A recording is read where a value has a whole date and a concentration in its limits.
Not known: whether a meter means g and mg, as the XML could be read, for carbohydrate and medication (kg is told); what
is measured while it stays connected is asked for in the next connection. A meter that is busy is not asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar
from zlib import crc32

from drivers.bluetooth.glucose import CONTROL, TYPES, location
from drivers.bluetooth.numbers import moment, number, reading, sfloat, uuid
from drivers.bluetooth.profile import Profile, Shape
from drivers.bluetooth.records import ANSWER_BYTES, RACP, Records, every, refusal, since
from drivers.contract import Ble, DeviceTime, Info, Integrity, Numeric, Output, Reached, Read, Subscribe, Why

MEASUREMENT, CONTEXT, FEATURES = uuid(0x2A18), uuid(0x2A34), uuid(0x2A51)
OFFSET, VALUE, MOLAR, STATUS, CONTEXT_FOLLOWS = 0x01, 0x02, 0x04, 0x08, 0x10
CARBOHYDRATE, MEAL, TESTER, EXERCISE, MEDICATION, LITRES, HBA1C = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40
NUMBER_BYTES, FEATURES_BYTES = 2, 2
OVERRUN, UNDERRUN = 0x7FFF, 0x8000
MOST = {"kg/L": Decimal("0.02"), "mol/L": Decimal("0.12")}
LEAST = Decimal("0.00001")
UNSPECIFIED = "gatt_glucose:unspecified"
EATEN, EFFORT, LASTED, TAKEN = (f"gatt_glucose:{name}" for name in ("carbohydrate", "exercise", "duration", "medicine"))

STATES = {
    0: "device-battery-low",
    1: "sensor-malfunction",
    2: "sample-size-insufficient",
    3: "strip-insertion-error",
    4: "strip-type-incorrect",
    5: "result-higher-than-device-can-process",
    6: "result-lower-than-device-can-process",
    7: "sensor-temperature-too-high",
    8: "sensor-temperature-too-low",
    9: "strip-pulled-too-soon",
    10: "general-device-fault",
    11: "time-fault",
}
HIGH, LOW, DOUBTS = 1 << 5, 1 << 6, 0b0111_1001_1110
CARBOHYDRATES = {1: "breakfast", 2: "lunch", 3: "dinner", 4: "snack", 5: "drink", 6: "supper", 7: "brunch"}
MEALS = {1: "preprandial", 2: "postprandial", 3: "fasting", 4: "casual", 5: "bedtime"}
TESTERS = {1: "self", 2: "health care professional", 3: "lab test"}
HEALTH = {1: "minor issues", 2: "major issues", 3: "during menses", 4: "under stress", 5: "no issues"}
INSULINS = {1: "rapid acting", 2: "short acting", 3: "intermediate acting", 4: "long acting", 5: "pre-mixed"}
NOT_AVAILABLE = 15
CONTEXT_STATES = ("meal", "tester", "health", "carbohydrate", "insulin")
ANY_MASS = 10**7


def named(table: Mapping[int, str], code: int) -> str | None:
    return None if code == NOT_AVAILABLE else table.get(code, f"code {code}")


class GattGlucose(Profile):
    info = Info(
        id="gatt_glucose",
        models=("Bluetooth glucose meters (service 1808)", "Accu-Chek Guide"),
        claims=(Ble(uuid(0x1808)),),
        emits=(*TYPES.values(), UNSPECIFIED, "hba1c", EATEN, EFFORT, LASTED, TAKEN, "gatt_glucose:battery"),
        integrity=Integrity.NONE,
        wiring="Bluetooth LE: pair the meter once, from its menu, with the number it shows; it shows up for seconds "
        "after a measurement or when its Bluetooth is switched on. Set its clock: its measurements are history.",
        sends=frozenset((every(),)),
        masked=(since(NUMBER_BYTES),),
    )
    shapes: ClassVar[Mapping[str, Shape]] = {
        MEASUREMENT: Shape(1, 9, ((OFFSET, 2), (VALUE, 3), (STATUS, 2)), unused=0xE0),
        CONTEXT: Shape(
            1, 2, ((0x80, 1), (CARBOHYDRATE, 3), (MEAL, 1), (TESTER, 1), (EXERCISE, 3), (MEDICATION, 3), (HBA1C, 2))
        ),
    }
    answers: ClassVar[Mapping[str, tuple[int, ...]]] = {RACP: (ANSWER_BYTES,), FEATURES: (FEATURES_BYTES,)}

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._records = Records(NUMBER_BYTES)
        self._told_number: int | None = None  # the last measurement that was told
        self._told_time: DeviceTime | None = None
        self._awaits_context = False

    def begin(self, now: int) -> Iterable[Output]:
        return (Subscribe(RACP), Read(FEATURES), self._records.open(self.reached))

    def hear(self, value: bytes, source: str) -> Iterable[Output]:
        if source == FEATURES:
            yield from self.state("features", f"{number(value):04X}")
        elif refusal(value) is not None:
            yield from self._context_is_over()
            yield from self.state("stored-records-refused", refusal(value) or None)
            yield from self._records.answered(value)

    def is_evident(self, value: bytes) -> bool:
        fields = self.shapes[MEASUREMENT].fields(value)
        if VALUE not in fields or not moment(fields[0][2:]).startswith("20"):
            return False
        unit, concentration = unit_of(value), sfloat(fields[VALUE][:2])
        in_limits = isinstance(concentration, Why) or LEAST <= concentration <= MOST[unit]
        return in_limits and fields[VALUE][2] & 0x0F in TYPES

    def tell(self, value: bytes, source: str) -> Iterable[Output]:
        fields = self.shapes[source].fields(value)
        at = number(fields[0][:2])
        if source == CONTEXT:
            if at != self._told_number:
                self.note("context alone")
                return
            self.measured_at = self._told_time
            yield from self._context(fields, value[0])
            yield from self._context_is_over()
            return
        yield from self._context_is_over()
        token = crc32(fields[0] + fields.get(VALUE, b"")[:2])
        if not self._records.is_news(at, f"{token:08x}"):
            self.note("said before")
            self._told_number = None
            return
        yield from self._measurement(fields, unit_of(value))
        self._told_time = self.measured_at
        self._told_number, self._awaits_context = at, True
        if not value[0] & CONTEXT_FOLLOWS:
            yield from self._context_is_over()

    def _context_is_over(self) -> Iterator[Reached]:
        """The last measurement is told with all that goes with it."""
        if self._awaits_context and self._told_number is not None:
            self._awaits_context = False
            yield from self._records.told(self._told_number)

    def _measurement(self, fields: dict[int, bytes], unit: str) -> Iterator[Output]:
        yield from self._time(fields[0][2:], fields.get(OFFSET))
        for code in CONTEXT_STATES:
            yield from self.state(code, None)
        status = number(fields.get(STATUS, b""))
        yield from self.states(STATES, status)
        beyond = Why.OVER if status & HIGH else Why.UNDER if status & LOW else None
        if VALUE not in fields:
            yield from self.state("sample-location", None)
            yield Numeric(UNSPECIFIED, None, unit, beyond or (Why.INVALID if status & DOUBTS else Why.UNAVAILABLE))
            return
        kind, place = fields[VALUE][2] & 0x0F, fields[VALUE][2] >> 4
        yield from self.state("sample-type", None if kind in TYPES else f"code {kind}")
        yield from self.state("sample-location", location(place))
        doubt = Why.TEST if kind == CONTROL else beyond or (Why.QUESTIONABLE if status & DOUBTS else None)
        channel = TYPES.get(kind, UNSPECIFIED)
        yield reading(channel, unit, sfloat(fields[VALUE][:2]), MOST[unit], doubt, least=LEAST)

    def _time(self, base: bytes, offset: bytes | None) -> Iterator[Output]:
        minutes = number(offset or b"")
        beyond = {OVERRUN: "overrun", UNDERRUN: "underrun"}.get(minutes)
        yield from self.state("time-offset", beyond)
        iso = moment(base)
        shift = 0 if beyond else minutes - (0x10000 if minutes > UNDERRUN else 0)
        if iso and shift:
            yield from self.state("no-device-time", None)
            self.measured_at = DeviceTime(shifted(iso, shift))
        else:
            yield from self.time_stamp(base)

    def _context(self, fields: dict[int, bytes], flags: int) -> Iterator[Output]:
        tester = fields.get(TESTER, b"\xff")[0]
        yield from self.state("meal", named(MEALS, fields[MEAL][0]) if MEAL in fields else None)
        yield from self.state("tester", named(TESTERS, tester & 0x0F))
        yield from self.state("health", named(HEALTH, tester >> 4))
        eaten, taken = fields.get(CARBOHYDRATE), fields.get(MEDICATION)
        yield from self.state("carbohydrate", named(CARBOHYDRATES, eaten[0]) if eaten else None)
        yield from self.state("insulin", named(INSULINS, taken[0]) if taken else None)
        if eaten:
            yield reading(EATEN, "kg", sfloat(eaten[1:]), ANY_MASS)
        if EXERCISE in fields:
            seconds, percent = number(fields[EXERCISE][:2]), fields[EXERCISE][2]
            yield Numeric(LASTED, seconds, "s", Why.OVER if seconds == 0xFFFF else None)
            yield reading(EFFORT, "%", percent, 100)
        if taken:
            yield reading(TAKEN, "L" if flags & LITRES else "kg", sfloat(taken[1:]), ANY_MASS)
        if HBA1C in fields:
            yield reading("hba1c", "%", sfloat(fields[HBA1C]), 100)


def unit_of(value: bytes) -> str:
    return "mol/L" if value[0] & MOLAR else "kg/L"


def shifted(iso: str, minutes: int) -> str:
    """The same time some minutes later; as it was where there is no such year."""
    try:
        return (datetime.fromisoformat(iso) + timedelta(minutes=minutes)).isoformat()
    except OverflowError:
        return iso
