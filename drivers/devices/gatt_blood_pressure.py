"""Blood pressure monitors of the Bluetooth SIG (service 1810): the result, and the cuff while it measures.

    result 2A35   flags | systolic, diastolic, mean | 1 date time | 2 pulse rate | 3 user u8 | 4 status u16
    cuff 2A36     the same; the first number is the pressure in the cuff, the other two are not used
    flags 0: kPa, else mmHg; numbers are SFLOAT, little endian; a field is there if its flag is set
    status 0 body moved, 1 cuff loose, 2 irregular pulse, 3-4 pulse rate 1 above or 2 below its range, 5 wrong position

Source: Bluetooth BLS 1.1.1, and the GATT Specification Supplement (limit 300 mmHg, which is 40 kPa).
Proven on one value of a real monitor (Stack Overflow 78168365; it sets flags 6 and 7 and status bit 7, which are
reserved: left out), and against the worked values of Nordic's BLE library. The 20 bytes of another monitor
(flutter_blue issue 687), which put a layout of their own into 2A35, are refused by their length.

Moved body, loose cuff and wrong position make the pressures questionable; an irregular pulse is a state of the patient
and no doubt. A monitor sends its stored results when it is connected, with nothing to tell them from a new one but
their time: it is told before the values, and whoever uses them must look at it. A result that was said in an earlier
connection is not said again (`drivers.bluetooth.memory`); one without a whole date and time is said each time.
A&D monitors have a service of their own beside this one (233BF000), which sets their clock, ends the connection or
clears the memory: never written. The maker's app sets the clock within five seconds; whether a monitor sends its
results to a host that does not is not proven.
Not protected: no checksum. A recording is read where the three pressures fit each other and more is there.
A user is a place in the monitor's memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from drivers.bluetooth.numbers import Value, is_stamp, lies, reading, sfloat
from drivers.bluetooth.profile import Profile, Shape, uuid
from drivers.contract import Ble, Info, Integrity, Numeric, Output, Why

RESULT, CUFF = uuid(0x2A35), uuid(0x2A36)
KPA, STAMP, PULSE, USER, STATUS = 0x01, 0x02, 0x04, 0x08, 0x10
MOST = {"mm[Hg]": 300, "kPa": 40}
MOST_RATE = 400
STATES = {0: "body-movement", 1: "cuff-too-loose", 2: "irregular-pulse", 5: "improper-measurement-position"}
DOUBTS = 0b100011
RANGE = {1: ("exceeds upper limit", Why.OVER), 2: ("below lower limit", Why.UNDER), 3: ("reserved", Why.QUESTIONABLE)}
CHANNELS = ("nibp.sys", "nibp.dia", "nibp.map")
CUFF_CHANNEL = "gatt_blood_pressure:cuff"
SHAPE = Shape(1, 6, ((STAMP, 7), (PULSE, 2), (USER, 1), (STATUS, 2)))


class GattBloodPressure(Profile):
    info = Info(
        id="gatt_blood_pressure",
        models=("Bluetooth blood pressure monitors (service 1810)", "A&D UA-651BLE"),
        claims=(Ble(uuid(0x1810)),),
        emits=(*CHANNELS, "nibp.pr", CUFF_CHANNEL, "gatt_blood_pressure:battery"),
        integrity=Integrity.NONE,
        wiring="Bluetooth LE: most monitors must be paired once (hold their Bluetooth button) and show up only for "
        "seconds after a measurement. Set the monitor's clock: stored results are told from new ones by their time.",
    )
    shapes: ClassVar[Mapping[str, Shape]] = {RESULT: SHAPE, CUFF: SHAPE}
    stored: ClassVar[Mapping[str, int]] = {RESULT: STAMP}

    def is_evident(self, value: bytes) -> bool:
        fields = SHAPE.fields(value)
        most = MOST[unit_of(value)]
        systolic, diastolic, mean = pressures(fields[0])
        if isinstance(systolic, Why) or isinstance(diastolic, Why) or len(fields) == 1:
            return False
        return (
            most / 10 < diastolic < systolic <= most
            and lies(mean, int(diastolic), int(systolic))
            and lies(sfloat(fields.get(PULSE, b"\x3c\0")), 20, 300)
            and is_stamp(fields.get(STAMP, bytes(7)))
        )

    def tell(self, value: bytes, source: str) -> Iterable[Output]:
        fields, unit = SHAPE.fields(value), unit_of(value)
        if source == RESULT or STAMP in fields:
            yield from self.time_stamp(fields.get(STAMP))
        if source == RESULT or USER in fields:
            yield from self.user(fields.get(USER))
        status = int.from_bytes(fields.get(STATUS, b""), "little")
        if source == RESULT or STATUS in fields:
            yield from self._status(status)
        if source == CUFF:
            yield reading(CUFF_CHANNEL, unit, sfloat(fields[0][:2]), MOST[unit])
        else:
            doubt = Why.QUESTIONABLE if status & DOUBTS else None
            for channel, pressure in zip(CHANNELS, pressures(fields[0]), strict=True):
                yield reading(channel, unit, pressure, MOST[unit], doubt, least=1)
        if PULSE in fields:
            yield pulse(fields[PULSE], status)

    def _status(self, status: int) -> Iterator[Output]:
        yield from self.states(STATES, status)
        limit = RANGE.get(status >> 3 & 3)
        yield from self.state("pulse-rate-range", limit[0] if limit else None)


def unit_of(value: bytes) -> str:
    return "kPa" if value[0] & KPA else "mm[Hg]"


def pressures(field: bytes) -> list[Value]:
    return [sfloat(field[at : at + 2]) for at in (0, 2, 4)]


def pulse(field: bytes, status: int) -> Numeric:
    limit = RANGE.get(status >> 3 & 3)
    doubt = limit[1] if limit else Why.QUESTIONABLE if status & DOUBTS else None
    return reading("nibp.pr", "/min", sfloat(field), MOST_RATE, doubt, least=1)
