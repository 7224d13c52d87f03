"""Continuous glucose sensors of the Bluetooth SIG (service 181F): a value every few minutes, live and from the memory.

    measurement 2AA7   one record or more: size u8 | flags u8 | concentration SFLOAT, mg/dL | minutes u16
                       | 7 state u8 | 6 calibration, temperature u8 | 5 warning u8 | 0 trend SFLOAT, mg/dL/min
                       | 1 quality SFLOAT, % | CRC u16, where the features say so
    features 2AA8      u24 (bit 12: CRC) | type u4, location u4 | CRC u16, FFFF for none
    status 2AA9        minutes u16 | the three octets above | CRC        minutes count from the session's start
    start 2AAA         date time | time zone i8, quarters of an hour | summer time u8 | CRC
    control point 2A52: `drivers.bluetooth.records`; a record's number is its minute      little endian

Source: Bluetooth CGMS 1.0.2 and CGMP, the GATT Specification Supplement, the SIG's XML of 2AA7, 2AA9, 2AAA. No bytes
of a sensor are known: proven on the worked values of Nordic's BLE library, its CRC vectors among them, and by rule.

The CRC (CCITT reflected, from FFFF) is tried where the features say that there is one, or, while they are not known,
where a record is two bytes longer than its flags say; one that does not fit is refused.
The session's start is read first. With the start of the visit before, the memory is asked for from the last minute on,
else all of it; without an answer after five seconds, or with a start that is no date, all of it, and no mark is said.
A live record of an earlier minute than the one before means a new session: its start is read again.
The time told is the start and the minutes. What the sensor doubts is questionable, over or under range. Its alerts
(patient low and high, hypo, hyper, rates) are states, and alarms where the record is live: a record that comes while
the memory is read is history.

Sent: 01 01 and 01 03 01 with a minute, which report. Never 02, which deletes; nothing to 2AAC (sessions, calibration,
alerts), no start to 2AAA. A sensor that wants its start to be set first stays without one.
Not known: what real sensors do beside the document; most sold ones speak a protocol of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from fractions import Fraction
from typing import ClassVar

from drivers.bluetooth.glucose import TYPES, location
from drivers.bluetooth.numbers import lies, moment, number, reading, sfloat, uuid
from drivers.bluetooth.profile import Profile, Shape
from drivers.bluetooth.records import ANSWER_BYTES, RACP, Records, every, mark_of, refusal, since
from drivers.contract import Alarm, Ble, DeviceTime, Info, Integrity, Output, Phase, Reached, Read, Subscribe, Why

MEASUREMENT, FEATURES, STATUS, START = uuid(0x2AA7), uuid(0x2AA8), uuid(0x2AA9), uuid(0x2AAA)
TREND, QUALITY, WARNING, CALIBRATION, STATE = 0x0100, 0x0200, 0x2000, 0x4000, 0x8000  # above the size
CRC_FEATURE, CRC_BYTES, MINUTE_BYTES, START_BYTES, STATUS_BYTES = 1 << 12, 2, 2, 9, 5
SHAPE = Shape(2, 4, ((STATE, 1), (CALIBRATION, 1), (WARNING, 1), (TREND, 2), (QUALITY, 2)), unused=0x1CC0)
PATIENCE_NS = 5_000_000_000
MOST, MOST_TREND, MOST_QUALITY = 1000, 100, 100
GLUCOSE, RATE, WORTH = "gatt_cgm:glucose", "gatt_cgm:trend", "gatt_cgm:quality"
PER_MINUTE = Fraction(1, 60)

STATES = {
    0: "session-stopped",
    1: "device-battery-low",
    2: "sensor-type-incorrect",
    3: "sensor-malfunction",
    4: "device-specific-alert",
    5: "general-device-fault",
    8: "time-synchronization-required",
    9: "calibration-not-allowed",
    10: "calibration-recommended",
    11: "calibration-required",
    12: "sensor-temperature-too-high",
    13: "sensor-temperature-too-low",
    16: "lower-than-patient-low-level",
    17: "higher-than-patient-high-level",
    18: "lower-than-hypo-level",
    19: "higher-than-hyper-level",
    20: "rate-of-decrease-exceeded",
    21: "rate-of-increase-exceeded",
    22: "result-lower-than-device-can-process",
    23: "result-higher-than-device-can-process",
}
ALERTS = range(16, 22)
DOUBTS = (
    (1 << 23, Why.OVER),
    (1 << 22, Why.UNDER),
    (1 << 0, Why.NOT_UPDATED),
    (1 << 11, Why.CALIBRATING),
    (0b11_0000_0010_1100, Why.QUESTIONABLE),
)


def crc(data: bytes) -> int:
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x8408 if value & 1 else 0)
    return value


def is_whole(data: bytes) -> bool:
    """Whether the last two bytes are the CRC of those before."""
    return crc(data[:-CRC_BYTES]) == number(data[-CRC_BYTES:])


class GattCgm(Profile):
    info = Info(
        id="gatt_cgm",
        models=("Bluetooth continuous glucose sensors (service 181F)",),
        claims=(Ble(uuid(0x181F)),),
        emits=(*TYPES.values(), GLUCOSE, RATE, WORTH, "gatt_cgm:battery"),
        integrity=Integrity.NONE,
        wiring="Bluetooth LE: start the sensor with the maker's app or reader, then pair it with the gateway; many "
        "allow one connection at a time. The gateway never starts, stops or calibrates a session.",
        sends=frozenset((every(),)),
        masked=(since(MINUTE_BYTES),),
    )
    shapes: ClassVar[Mapping[str, Shape]] = {MEASUREMENT: SHAPE}
    answers: ClassVar[Mapping[str, tuple[int, ...]]] = {
        RACP: (ANSWER_BYTES,),
        FEATURES: (6,),
        STATUS: (STATUS_BYTES, STATUS_BYTES + CRC_BYTES),
        START: (START_BYTES, START_BYTES + CRC_BYTES),
    }

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._has_crc: bool | None = None
        self._channel = GLUCOSE
        self._start, self._session = "", ""
        self._records = Records(MINUTE_BYTES, step=0)
        self._minute = 0  # of the last live record
        self._alarms: set[str] = set()

    def on_open(self, now: int) -> Iterable[Output]:
        self.wake_at = now + PATIENCE_NS
        return [*map(Read, (FEATURES, START, STATUS)), *super().on_open(now)]

    def begin(self, now: int) -> Iterable[Output]:
        return (Subscribe(RACP),)

    def on_time(self, now: int) -> Iterable[Output]:
        """The start was not told: the memory cannot be known."""
        self.wake_at = None
        return (self._records.open(""),)

    def size_of(self, value: bytes | bytearray, source: str, whole: bool) -> int:
        least = SHAPE.size_of(value)
        if not least:
            return 0
        return value[0] if value[0] - least in self._spare() else -1

    def _spare(self) -> tuple[int, ...]:
        """How much longer a record may be than its flags say."""
        return {None: (0, CRC_BYTES), False: (0,), True: (CRC_BYTES,)}[self._has_crc]

    def fault(self, data: bytes, source: str) -> str:
        if source != MEASUREMENT:
            is_bad = source in (START, STATUS) and len(data) == self.answers[source][-1] and not is_whole(data)
            return super().fault(data, source) or ("crc" if is_bad else "")
        rest = data
        while rest:
            size = self.size_of(rest, source, whole=True)
            if not 0 < size <= len(rest):
                return "length"
            if size > SHAPE.size_of(rest) and not is_whole(rest[:size]):
                return "crc"
            rest = rest[size:]
        return "" if data else "length"

    def is_evident(self, value: bytes) -> bool:
        return lies(sfloat(value[2:4]), 1, MOST) and (len(value) == SHAPE.size_of(value) or is_whole(value))

    def hear(self, value: bytes, source: str) -> Iterable[Output]:
        if source == FEATURES:
            self._has_crc = bool(number(value[:3]) & CRC_FEATURE)
            self._channel = TYPES.get(value[3] & 0x0F, GLUCOSE)
            yield from self.state("features", f"{number(value[:3]):06X}")
            yield from self.state("sample-location", location(value[3] >> 4))
        elif source == STATUS:
            yield from self.states(STATES, number(value[2:STATUS_BYTES]))
        elif source == START:
            yield from self._began(value[:START_BYTES])
        elif refusal(value) is not None:
            yield from self.state("stored-records-refused", refusal(value) or None)
            yield from self._marks(self._records.answered(value))

    def _began(self, start: bytes) -> Iterator[Output]:
        """The session's start: with it begins the reading of the memory, once for each session."""
        iso = moment(start)
        session = start.hex() if iso else ""
        yield from self.state("session", iso or None)
        if self.wake_at is None and session == self._session:
            return
        if session != self._session:
            self._records = Records(MINUTE_BYTES, step=0)
        self.wake_at, self._start, self._session = None, iso, session
        mark = mark_of(self.reached, MINUTE_BYTES)
        is_same = mark is not None and mark[1] == session
        yield self._records.open(self.reached if is_same else "", trusted=is_same)

    def _marks(self, said: Iterable[Output]) -> Iterator[Output]:
        """A mark is one of a session that is known."""
        return (one for one in said if self._session or not isinstance(one, Reached))

    def tell(self, value: bytes, source: str) -> Iterable[Output]:
        while value:
            yield from self._record(value[: value[0]])
            value = value[value[0] :]

    def _record(self, record: bytes) -> Iterator[Output]:
        fields = SHAPE.fields(record)
        minute = number(fields[0][2:])
        is_live = not self._records.is_reading
        if is_live and minute < self._minute:
            self._start, self._session, self._records = "", "", Records(MINUTE_BYTES, step=0)
            yield Read(START)
        self._minute = minute if is_live else self._minute
        if not self._records.is_news(minute, self._session):
            self.note("said before")
            return
        iso = later(self._start, minute)
        when = DeviceTime(iso) if iso else DeviceTime(ticks=minute, hertz=PER_MINUTE)
        self.measured_at = None if is_live else when
        if is_live:  # it is of now, and so is its clock
            yield when
        status = sum(number(fields.get(flag, b"")) << 8 * at for at, flag in enumerate((STATE, CALIBRATION, WARNING)))
        yield from self.states(STATES, status)
        if is_live:
            yield from self._alerts(status)
        doubt = next((why for bits, why in DOUBTS if status & bits), None)
        yield reading(self._channel, "mg/dL", sfloat(fields[0][:2]), MOST, doubt, least=1)
        if TREND in fields:
            yield reading(RATE, "mg/dL/min", sfloat(fields[TREND]), MOST_TREND, doubt, least=-MOST_TREND)
        if QUALITY in fields:
            yield reading(WORTH, "%", sfloat(fields[QUALITY]), MOST_QUALITY)
        yield from self._marks(self._records.told(minute))

    def _alerts(self, status: int) -> Iterator[Output]:
        for bit in ALERTS:
            code, is_on = STATES[bit], bool(status >> bit & 1)
            if is_on != (code in self._alarms):
                self._alarms ^= {code}
                text = code.replace("-", " ")
                yield Alarm(code, text, "unknown", Phase.ON if is_on else Phase.OFF, self._channel)


def later(start: str, minutes: int) -> str:
    """The time so many minutes after the start, "" where that is none."""
    try:
        return (datetime.fromisoformat(start) + timedelta(minutes=minutes)).isoformat()
    except (ValueError, OverflowError):
        return ""
