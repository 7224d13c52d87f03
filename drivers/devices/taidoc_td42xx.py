"""TaiDoc and FORA meters (TD-42xx family): the newest stored record, asked for over serial, cp2110 or Bluetooth.

    51 | command | d0 d1 d2 d3 | A3 from the host, A5 from the meter | sum of the seven, modulo 256

    22 connect (22, 24 or 54 answers) · 24 model, u16 LE in BCD · 23 clock · 2B number of records, u16 LE
    25 time of a record, 26 its value; both are asked with the record's number, 0 is the newest
    clock and time: u16 LE year-2000:7 month:4 day:5, then minute, hour
    value by model:  41xx 42xx  mg/dL u16 LE · d3 bits 7-6 meal (0 none, 1 before, 2 after), 5-2 analyte (0 glucose)
                     3xxx  d0 systolic, d2 diastolic, d3 pulse · 82xx  d0 SpO2, d3 pulse
                     1xxx  u16 LE, tenths of a degree, from 1000 on hundredths

Source: glucometer-protocols "TaiDoc TD-42xx" and glucometerutils td42xx (MIT, tests at 9b87a5b8); other models' values
and the analyte bits: advmeds-service/advmeds-bluetooth-lib at 0e830803, read only. No recording is known: the date
word of the tests is probably of a meter, the frames are made by the rules.

Sent: commands 22, 23, 24, 25, 26 and 2B, which read. Never 33 (set clock), 43 (it starts a measurement: so an app for
the FORA TNG BP, TransafeRx, calls it), 50 (power off), 52 (clear memory), nor 49, which nobody explains.
A record is history: one more than ten minutes away from the meter's own clock, or without a time, carries
`not-updated`; its time stands in the status `record`.
Not known: meal 3 (told as questionable; perhaps a control solution), d1 of a pressure (256 mmHg more on FORA D40), d2
of a glucose, units of other analytes (told raw in a status), whether a meter shows whole blood or plasma
(`gluc.cap_wb` is used).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from drivers.contract import (
    Ble,
    DeviceTime,
    Driver,
    Identity,
    Info,
    Integrity,
    Numeric,
    Output,
    Phase,
    Send,
    Serial,
    Status,
    Subscribe,
    Why,
)
from drivers.framing import MORE, Bad, Frame, Framer, Skip, find

MARKER, HOST, METER = b"\x51", 0xA3, 0xA5
SIZE_BYTES = 8
CONNECT, CLOCK, MODEL, WHEN, VALUE, COUNT, CONNECT_LONG = 0x22, 0x23, 0x24, 0x25, 0x26, 0x2B, 0x54
ANSWERS = frozenset((CONNECT, CLOCK, MODEL, WHEN, VALUE, COUNT, CONNECT_LONG))
ROUND = (CONNECT, MODEL, CLOCK, COUNT, WHEN, VALUE)
SERVICE = "00001523-1212-efde-1523-785feabcd123"
CHARACTERISTIC = "00001524-1212-efde-1523-785feabcd123"

SECOND_NS = 1_000_000_000
PATIENCE_NS = 3 * SECOND_NS
POLL_NS = 30 * SECOND_NS
RECENT = timedelta(minutes=10)

MEALS = {1: "before-meal", 2: "after-meal"}
ANALYTES = {6: "haematocrit", 7: "ketone", 8: "uric acid", 9: "cholesterol", 11: "haemoglobin", 12: "lactate"}
HUNDREDTHS_FROM = 1000


def request(command: int) -> bytes:
    """A request without arguments; for a record that is number 0, the newest."""
    head = bytes((MARKER[0], command, 0, 0, 0, 0, HOST))
    return head + bytes((sum(head) & 0xFF,))


REQUESTS = {command: request(command) for command in ROUND}


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    """The body is the command and d0 to d3; requests heard on the line are passed over."""
    if skip := find(buffer, MARKER):
        return skip
    if len(buffer) < SIZE_BYTES:
        return MORE
    if buffer[6] not in (HOST, METER):
        return Skip(1)
    if sum(buffer[:7]) & 0xFF != buffer[7]:
        return Bad("checksum")
    if buffer[6] == HOST:
        return Skip(SIZE_BYTES)
    return Frame(SIZE_BYTES, bytes(buffer[1:6])) if buffer[1] in ANSWERS else Bad("unknown answer", SIZE_BYTES)


def moment(d: bytes) -> datetime | None:
    """Date and time of d0 to d3, None if there is no such day or hour."""
    day = d[0] | d[1] << 8
    try:
        return datetime(2000 + (day >> 9), day >> 5 & 0x0F, day & 0x1F, d[3], d[2])  # noqa: DTZ001 (a meter has no zone)
    except ValueError:
        return None


class TaidocTd42xx(Driver):
    info = Info(
        id="taidoc_td42xx",
        models=(
            "TaiDoc TD-4277 / GlucoRx Nexus",
            "TaiDoc TD-4235B / GlucoRx NexusQ",
            "TaiDoc TD-42xx",
            "FORA MD6",
            "TaiDoc TD-3xxx blood pressure",
            "TaiDoc TD-82xx oximeters",
            "TaiDoc TD-1xxx / FORA IR thermometers",
        ),
        claims=(Serial(19200), Ble(SERVICE)),
        emits=("gluc.cap_wb", "nibp.sys", "nibp.dia", "nibp.pr", "spo2", "spo2.pr", "temp.unspecified"),
        integrity=Integrity.SUM,
        wiring="The meter's USB port (a CP2110 is inside: 19200 8N1) or its serial cable, or Bluetooth LE: pair it and "
        "leave the meter on after measuring. Set the meter's clock right: old records are told from new ones by it.",
        sends=frozenset(REQUESTS.values()),
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(cut, self.counts)
        self._asked = CONNECT
        self._model = ""
        self._count = 0
        self._clock: datetime | None = None
        self._when: datetime | None = None
        self._told: tuple[int, datetime | None, bytes] | None = None
        self._states: dict[str, str] = {}

    def pending(self) -> int:
        return len(self._framer)

    def on_open(self, now: int) -> Iterable[Output]:
        return [Subscribe(CHARACTERISTIC), *self._ask(CONNECT, now)]

    def _ask(self, command: int, now: int) -> Iterable[Output]:
        self._asked = command
        self.wake_at = now + PATIENCE_NS
        return (Send(REQUESTS[command], CHARACTERISTIC),)

    def on_time(self, now: int) -> Iterable[Output]:
        """After a whole round the next one begins with the clock; a meter that says nothing is greeted again."""
        return self._ask(CONNECT if self._asked else CLOCK, now)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        out: list[Output] = []
        for body in self._framer.feed(data):
            out += self._answer(body[0], body[1:])
            if body[0] == self._asked or (self._asked == CONNECT and body[0] in (MODEL, CONNECT_LONG)):
                out += self._next(now)
        return out

    def _next(self, now: int) -> Iterable[Output]:
        if self._asked == VALUE or (self._asked == COUNT and not self._count):
            self._asked = 0
            self.wake_at = now + POLL_NS
            return ()
        return self._ask(ROUND[ROUND.index(self._asked) + 1], now)

    def _answer(self, command: int, d: bytes) -> Iterator[Output]:
        if command == MODEL:
            yield from self._identity(f"{d[1]:02X}{d[0]:02X}")
        elif command == CLOCK:
            self._clock = moment(d)
            if self._clock:
                yield DeviceTime(self._clock.isoformat(timespec="minutes"))
        elif command == COUNT:
            self._count = d[0] | d[1] << 8
            yield from self._state("no-records", "" if self._count else "0")
        elif command == WHEN:
            self._when = moment(d)
        elif command == VALUE and self._told != (self._count, self._when, d):
            self._told = (self._count, self._when, d)
            yield from self._state("record", self._when.isoformat(timespec="minutes") if self._when else "")
            yield from self._record(d)

    def _identity(self, model: str) -> Iterator[Output]:
        """Another meter in the same cradle: its records are its own."""
        if model != self._model:
            self._model, self._told = model, None
            yield Identity("TaiDoc", f"TD-{model}")

    def _state(self, code: str, text: str, channel: str = "") -> Iterator[Output]:
        if self._states.get(code, "") != text:
            self._states[code] = text
            yield Status(code, Phase.ON if text else Phase.OFF, text, channel)

    def _age(self) -> Why | None:
        if self._when and self._clock and abs(self._clock - self._when) <= RECENT:
            return None
        return Why.NOT_UPDATED

    def _record(self, d: bytes) -> Iterator[Output]:
        if self._model.startswith(("41", "42")):
            yield from self._glucose(d)
        elif self._model.startswith("3"):
            is_pressure = d[0] > d[2] > 0
            for channel, value, unit in (("sys", d[0], "mm[Hg]"), ("dia", d[2], "mm[Hg]"), ("pr", d[3], "/min")):
                yield self._numeric(f"nibp.{channel}", value if is_pressure and value else None, unit)
        elif self._model.startswith("82"):
            yield self._numeric("spo2", d[0] if 0 < d[0] <= 100 else None, "%")
            yield self._numeric("spo2.pr", d[3] or None, "/min")
        elif self._model.startswith("1"):
            raw = d[0] | d[1] << 8
            tenths = Decimal(raw).scaleb(-2 if raw >= HUNDREDTHS_FROM else -1)
            yield self._numeric("temp.unspecified", tenths if raw else None, "Cel")
        else:
            yield from self._state("value", d.hex().upper())

    def _glucose(self, d: bytes) -> Iterator[Output]:
        """Strips for other analytes go into the same meter: their numbers are no glucose."""
        raw, meal, analyte = d[0] | d[1] << 8, d[3] >> 6, d[3] >> 2 & 0x0F
        if analyte:
            yield from self._state("analyte", f"{ANALYTES.get(analyte, analyte)} {raw}")
            return
        yield from self._state("analyte", "")
        yield from self._state("meal", MEALS.get(meal, str(meal) if meal else ""), "gluc.cap_wb")
        doubt = Why.QUESTIONABLE if meal not in (0, *MEALS) else None
        yield self._numeric("gluc.cap_wb", raw or None, "mg/dL", doubt)

    def _numeric(self, channel: str, value: int | Decimal | None, unit: str, doubt: Why | None = None) -> Numeric:
        """No such meter reads zero: it stands for no value."""
        taken = DeviceTime(self._when.isoformat(timespec="minutes")) if self._when else None
        return Numeric(channel, value, unit, Why.INVALID if value is None else doubt or self._age(), taken)
