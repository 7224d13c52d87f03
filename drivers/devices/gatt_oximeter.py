"""Pulse oximeters of the Bluetooth SIG (service 1822): continuous values about once a second, and spot checks.

    continuous 2A5F   flags | SpO2, PR | 0 fast SpO2, PR | 1 slow SpO2, PR | 2 measurement status u16
                      | 3 device and sensor status u24 | 4 pulse amplitude index, %
    spot check 2A5E   flags | SpO2, PR | 0 date time | 1 measurement status | 2 device and sensor status
                      | 3 pulse amplitude index      flag 4: the clock is not set
    numbers are SFLOAT, little endian; a field is there if its flag (its number here) is set

Source: Bluetooth PLXS 1.0.1, sections 3.1 and 3.2, and the GATT Specification Supplement (the same fields). Proven on
one continuous value and one spot check of a ChoiceMMed oximeter, printed in Stack Overflow 71264072.

Every status bit is told as a status; what it does to the values stands in `DOUBTS`, the first that is set wins. With
the sensor off, displaced, broken or disconnected, and with unavailable or invalid measurements, no value is told,
whatever stands in it. Early, validated and fully qualified data are states, no doubts. Limits: SpO2 100, rate 400;
a zero that nothing explains is questionable.
A recording is read only where values carry a status: without one, five bytes with small numbers would do.
Not protected: no checksum, no counter. Not known: reserved bits (left out), what the amplitude index is in clinical
words (own channel, it need not be a perfusion index). Many finger clips that advertise 1822 speak something else.

Stored spot checks are asked for when the oximeter is connected (all of them: the service knows no other request, and
they have no numbers), `drivers.bluetooth.memory` says each once: by its time, and each time where it has none or the
clock is not set. With the bit `data-from-storage` they carry `not-updated`; else only the time before them tells.
Sent: 01 01 to the control point 2A52, which reports. Nothing that deletes (02).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from drivers.bluetooth.numbers import TIME_BYTES, Value, lies, number, reading, sfloat
from drivers.bluetooth.profile import Profile, Shape, uuid
from drivers.bluetooth.records import ANSWER_BYTES, RACP, every, refusal
from drivers.contract import Ble, Info, Integrity, Numeric, Output, Send, Subscribe, Why

CONTINUOUS, SPOT = uuid(0x2A5F), uuid(0x2A5E)
FAST, SLOW, STATUS = 0x01, 0x02, 0x0C
STAMP, CLOCK_NOT_SET = 0x01, 0x10
MOST_SPO2, MOST_RATE, MOST_INDEX = 100, 400, 100
MOST_SENTINEL = 127  # what oximeters of other protocols send for no SpO2

MEASUREMENT = {
    5: "measurement-ongoing",
    6: "early-estimated-data",
    7: "validated-data",
    8: "fully-qualified-data",
    9: "data-from-storage",
    10: "data-for-demonstration",
    11: "data-for-testing",
    12: "calibration-ongoing",
    13: "measurement-unavailable",
    14: "questionable-measurement",
    15: "invalid-measurement",
}
SENSOR = {
    0: "extended-display-update",
    1: "equipment-malfunction",
    2: "signal-processing-irregularity",
    3: "inadequate-signal",
    4: "poor-signal",
    5: "low-perfusion",
    6: "erratic-signal",
    7: "nonpulsatile-signal",
    8: "questionable-pulse",
    9: "signal-analysis-ongoing",
    10: "sensor-interference",
    11: "sensor-unconnected-to-user",
    12: "unknown-sensor",
    13: "sensor-displaced",
    14: "sensor-malfunctioning",
    15: "sensor-disconnected",
}
NO_VALUE = {
    "sensor-disconnected": Why.NO_SENSOR,
    "sensor-unconnected-to-user": Why.SENSOR_OFF,
    "sensor-displaced": Why.SENSOR_OFF,
    "sensor-malfunctioning": Why.INVALID,
    "invalid-measurement": Why.INVALID,
    "measurement-unavailable": Why.UNAVAILABLE,
}
DOUBTS = {
    "data-for-demonstration": Why.DEMO,
    "data-for-testing": Why.TEST,
    "data-from-storage": Why.NOT_UPDATED,
    "calibration-ongoing": Why.CALIBRATING,
    "equipment-malfunction": Why.QUESTIONABLE,
    "questionable-measurement": Why.QUESTIONABLE,
    "signal-analysis-ongoing": Why.SEARCHING,
    "nonpulsatile-signal": Why.LOW_SIGNAL,
    "inadequate-signal": Why.LOW_SIGNAL,
    "poor-signal": Why.LOW_SIGNAL,
    "low-perfusion": Why.LOW_SIGNAL,
    "unknown-sensor": Why.QUESTIONABLE,
    "sensor-interference": Why.QUESTIONABLE,
    "questionable-pulse": Why.QUESTIONABLE,
    "erratic-signal": Why.QUESTIONABLE,
    "signal-processing-irregularity": Why.QUESTIONABLE,
    "extended-display-update": Why.NOT_UPDATED,
}
PAIRS = {0: ("spo2", "spo2.pr"), FAST: ("gatt_oximeter:spo2_fast", "gatt_oximeter:pr_fast")}
PAIRS[SLOW] = ("gatt_oximeter:spo2_slow", "gatt_oximeter:pr_slow")
INDEX = "gatt_oximeter:pulse_amplitude_index"


def first_of(table: dict[str, Why], said: set[str]) -> Why | None:
    return next((why for name, why in table.items() if name in said), None)


def told(channel: str, unit: str, value: Value, most: int, said: set[str]) -> Numeric:
    """A value as the status bits leave it."""
    gone = first_of(NO_VALUE, said)
    if gone:
        return Numeric(channel, None, unit, gone)
    doubt = first_of(DOUBTS, said)
    return reading(channel, unit, value, most, Why.QUESTIONABLE if value == 0 and not doubt else doubt)


def is_live(value: Value, most: int) -> bool:
    return lies(value, 1, most)


class GattOximeter(Profile):
    info = Info(
        id="gatt_oximeter",
        models=("Bluetooth pulse oximeters (service 1822)", "ChoiceMMed"),
        claims=(Ble(uuid(0x1822)),),
        emits=(*(channel for pair in PAIRS.values() for channel in pair), INDEX, "gatt_oximeter:battery"),
        integrity=Integrity.NONE,
        wiring="Bluetooth LE; pair it if the host asks for it, and close the maker's app: one connection at a time. "
        "Put the finger in and it advertises. Set the oximeter's clock with the maker's app if its time is wanted.",
        sends=frozenset((every(),)),
    )
    shapes: ClassVar[Mapping[str, Shape]] = {
        CONTINUOUS: Shape(1, 4, ((0x01, 4), (0x02, 4), (0x04, 2), (0x08, 3), (0x10, 2)), unused=0xE0),
        SPOT: Shape(1, 4, ((STAMP, 7), (0x02, 2), (0x04, 3), (0x08, 2))),
    }

    answers: ClassVar[Mapping[str, tuple[int, ...]]] = {RACP: (ANSWER_BYTES,)}
    stored: ClassVar[Mapping[str, int]] = {SPOT: STAMP}

    def begin(self, now: int) -> Iterable[Output]:
        return (Subscribe(RACP), Send(every(), RACP))

    def hear(self, value: bytes, source: str) -> Iterable[Output]:
        return self.state("stored-records-refused", refusal(value) or None)

    def stamp_of(self, value: bytes, source: str) -> str:
        is_set = source != SPOT or not value[0] & CLOCK_NOT_SET
        return super().stamp_of(value, source) if is_set else ""

    def essence(self, value: bytes, source: str) -> bytes:
        """Numbers and time: a status may say at one time that it is ongoing, at another that it is from storage."""
        return value[1 : 5 + TIME_BYTES]

    def is_evident(self, value: bytes) -> bool:
        fields = self.shapes[CONTINUOUS].fields(value)
        pairs = [fields[flag] for flag in PAIRS if flag in fields]
        return (
            value[0] & STATUS != 0
            and all(is_live(sfloat(p[:2]), MOST_SENTINEL) and is_live(sfloat(p[2:]), MOST_RATE) for p in pairs)
            and not number(fields.get(0x04, b"")) & 0x1F
            and number(fields.get(0x08, b"")) < 0x10000
        )

    def tell(self, value: bytes, source: str) -> Iterable[Output]:
        fields = self.shapes[source].fields(value)
        spot = int(source == SPOT)  # its flags stand one place lower
        if spot:
            yield from self.time_stamp(fields.get(STAMP), is_set=not value[0] & CLOCK_NOT_SET)
        measurement, sensor = number(fields.get(0x04 >> spot, b"")), number(fields.get(0x08 >> spot, b""))
        yield from self.states(MEASUREMENT, measurement)
        yield from self.states(SENSOR, sensor)
        said = {name for bit, name in MEASUREMENT.items() if measurement >> bit & 1}
        said |= {name for bit, name in SENSOR.items() if sensor >> bit & 1}
        yield from pairs_of({0: fields[0]} if spot else fields, said)
        index = fields.get(0x10 >> spot)
        if index:
            yield told(INDEX, "%", sfloat(index), MOST_INDEX, said)


def pairs_of(fields: dict[int, bytes], said: set[str]) -> Iterator[Numeric]:
    for flag, (saturation, rate) in PAIRS.items():
        if flag in fields:
            yield told(saturation, "%", sfloat(fields[flag][:2]), MOST_SPO2, said)
            yield told(rate, "/min", sfloat(fields[flag][2:]), MOST_RATE, said)
