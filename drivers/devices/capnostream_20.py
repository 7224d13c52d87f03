"""Oridion / Medtronic Capnostream 20 capnograph and oximeter: CO2 curve 20 times a second, numerics once a second.

    85 | length | code | payload | xor      length counts code and payload; 85 and 80 travel as 80 05 and 80 00
    code 0  number, CO2 u16 (256 to the unit), fast status
    code 1  time u32, etCO2, FiCO2, RR, SpO2, pulse, slow status, 3 not read, CO2 alarms, SpO2 alarms,
            seconds without breath, nine limits, CO2 unit, extended CO2 status (FF: no value)
    code 4  V45.67 02/24/2008 B355987654    software, its date, serial number

The xor runs over all bytes between 85 and itself; over the bytes as they travel it is the same.
Source: OpenICE (mdpnp/mdpnp at 0581f5e9, BSD-2), and the structure CalebBurton/capno-reader at b60cb063 took from
"Capnostream Data Transfer Protocols" (the maker's text is not in hand); they agree where both speak.
Proven on messages made by these rules, with the identity of OpenICE's test; no recording was found. The extra zero
that OpenICE met before some checksums is what its reader leaves behind where a payload holds 80 or 85.

Protected: every message by an xor of 8 bits, and by its length. Curve messages are numbered, so a lost one is seen.
Not known: how etCO2, FiCO2, limits and the curve are scaled while the device shows kPa or Vol% (they are told raw, as
`capnostream_20:..`, without a unit), whether the curve may be negative, urgency of alarms, bit 7 of the slow status.
Messages of other codes (patient, events, trends) are good frames of which nothing is said. Sent are:
enable communication, link is active (every 2 s), start real time. A device set up so may alarm when wardlink stops.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from fractions import Fraction
from functools import reduce
from operator import xor

from drivers.contract import (
    Alarm,
    DeviceTime,
    Driver,
    Identity,
    Info,
    Integrity,
    Mark,
    Numeric,
    Output,
    Phase,
    Scale,
    Send,
    Serial,
    Status,
    Wave,
    Why,
)
from drivers.framing import MORE, Bad, Frame, Framer, Skip, find

DRIVER_ID = "capnostream_20"
HEADER, ESCAPE = 0x85, 0x80
ESCAPED = {0x00: 0x80, 0x05: 0x85}
CURVE, NUMERICS, WHO = 0, 1, 4
PAYLOAD_BYTES = {CURVE: range(4, 5), NUMERICS: range(27, 64), WHO: range(30, 31)} | dict.fromkeys(
    (2, 3, 9, 10, 12, 21, 22, 55, 56, 57, 58, 60),
    range(256),  # known by name only: patient, events, trends, set-up
)
NONE, MMHG = 0xFF, 1
NUMBERS = 256
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - what the device calls its local time, without a zone
IDENTITY = re.compile(r"V(\d\d\.\d\d \d\d/\d\d/\d{4}) (\w{10}) *")

INVALID, BREATH_END, NO_LINE = 0x01, 0x08, 0x40
FAST = {
    0x02: "initialization",
    0x04: "occlusion",
    0x10: "sfm",
    0x20: "purging",
    0x40: "no-filterline",
    0x80: "malfunction",
}
SLOW = {
    0x01: "neonate", 0x02: "alarms-silenced-temporarily", 0x04: "alarms-silenced", 0x08: "high-priority-alarm-audible",
    0x10: "low-priority-alarm-audible", 0x20: "advisory-audible", 0x40: "pulse-beeps-silenced",
}  # fmt: skip
EXTENDED = {0x01: "check-calibration", 0x02: "check-flow", 0x04: "pump-off", 0x80: "battery-low"}
CO2_ALARMS = {
    0x01: ("NO BREATH", "resp.rr_co2"), 0x02: ("ETCO2 HIGH", "co2.et"), 0x04: ("ETCO2 LOW", "co2.et"),
    0x08: ("RR HIGH", "resp.rr_co2"), 0x10: ("RR LOW", "resp.rr_co2"), 0x20: ("FICO2 HIGH", "co2.insp"),
}  # fmt: skip
SPO2_ALARMS = {
    0x01: ("PULSE NOT FOUND", "spo2.pr"), 0x02: ("SPO2 HIGH", "spo2"), 0x04: ("SPO2 LOW", "spo2"),
    0x08: ("PULSE RATE HIGH", "spo2.pr"), 0x10: ("PULSE RATE LOW", "spo2.pr"), 0x20: ("SPO2 SENSOR OFF", "spo2"),
    0x40: ("SPO2 SENSOR DISCONNECTED", "spo2"),
}  # fmt: skip
ABSENT_SPO2 = ((0x40, Why.NO_SENSOR), (0x20, Why.SENSOR_OFF), (0x01, Why.LOW_SIGNAL))
LIMITS = (
    ("high-etco2", ""), ("low-etco2", ""), ("high-rr", "/min"), ("low-rr", "/min"), ("high-fico2", ""),
    ("high-spo2", "%"), ("low-spo2", "%"), ("high-pulse", "/min"), ("low-pulse", "/min"),
)  # fmt: skip

SECOND_NS = 1_000_000_000
ALIVE_NS = 2 * SECOND_NS
SILENT_NS = 5 * SECOND_NS


def framed(code: int, payload: bytes = b"") -> bytes:
    """A message as it travels."""
    body = bytes((len(payload) + 1, code)) + payload
    body += bytes((reduce(xor, body),))
    return b"\x85" + body.replace(b"\x80", b"\x80\x00").replace(b"\x85", b"\x80\x05")


ENABLE, START, ALIVE = framed(1), framed(4), framed(6)


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    """The body is code and payload."""
    skip = find(buffer, b"\x85")
    if skip is not None:
        return skip
    out = bytearray()
    at = 1
    while at < len(buffer):
        byte, size = buffer[at], 1
        if byte == HEADER:
            return Bad("cut short", at)
        if byte == ESCAPE:
            if at + 1 == len(buffer):
                return MORE
            if buffer[at + 1] not in ESCAPED:
                return Bad("escape", at)
            byte, size = ESCAPED[buffer[at + 1]], 2
        out.append(byte)
        at += size
        if len(out) == out[0] + 2:
            return _checked(out, at)
    return MORE


def _checked(out: bytearray, size: int) -> Frame | Bad:
    if len(out) - 3 not in PAYLOAD_BYTES.get(out[1], ()):
        return Bad("code or length")
    if reduce(xor, out):
        return Bad("checksum")
    return Frame(size, bytes(out[1:-1]))


class Capnostream20(Driver):
    info = Info(
        id=DRIVER_ID,
        models=("Oridion Capnostream 20", "Medtronic Capnostream 20p"),
        claims=(Serial(115200), Serial(9600)),
        emits=("co2.wave", "co2.et", "co2.insp", "resp.rr_co2", "spo2", "spo2.pr", f"{DRIVER_ID}:*"),
        integrity=Integrity.SUM,
        wiring="RS-232 port (DB9) of the Capnostream, 115200 8N1, its serial output set to the data transfer"
        " protocol of a host, not to a printer. CO2 unit mmHg: the scale of the other units is not known.",
        sends=frozenset((ENABLE, START, ALIVE)),
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(cut, self.counts)
        self._heard_at: int | None = None
        self._in_mmhg = False
        self._has_unit = False
        self._fast = 0
        self._states: set[str] = set()
        self._alarms: dict[int, int] = {}
        self._told: dict[str, Numeric] = {}
        self._identity = Identity()
        self._samples: list[int] = []
        self._marks: list[Mark] = []
        self._first = 0

    def pending(self) -> int:
        return len(self._framer)

    def on_open(self, now: int) -> list[Output]:
        self._heard_at = None
        self.wake_at = now + ALIVE_NS
        return [Send(ENABLE)]

    def on_time(self, now: int) -> list[Output]:
        """Begin, until the device is heard; then say that we are there."""
        if self._heard_at is None or now - self._heard_at >= SILENT_NS:
            return self.on_open(now)
        self.wake_at = now + ALIVE_NS
        return [Send(ALIVE)]

    def on_bytes(self, data: bytes, now: int, source: str = "") -> list[Output]:
        said: list[Output] = []
        for body in self._framer.feed(data):
            if self._heard_at is None:
                said += [Send(ALIVE), Send(START)]
            self._heard_at = now
            if body[0] == CURVE:
                said += self._sample(body[1:])
            elif body[0] == NUMERICS:
                said += self._numerics(body[1:])
            elif body[0] == WHO:
                said += self._who(body[1:].decode("latin-1"))
        said += self._wave()
        return said

    def _sample(self, d: bytes) -> Iterator[Output]:
        if self._samples and d[0] != (self._first + len(self._samples)) % NUMBERS:
            yield from self._wave()
        if not self._samples:
            self._first = d[0]
        self._fast = d[3]
        for bit, kind in ((INVALID, "invalid"), (BREATH_END, "breath-end")):
            if self._fast & bit:
                self._marks.append(Mark(len(self._samples), kind))
        self._samples.append(d[1] << 8 | d[2])
        yield from self._flags(FAST, self._fast)

    def _wave(self) -> Iterator[Wave]:
        """What was gathered, where it ends: at the end of a chunk, at a lost message, before a new unit."""
        if self._samples:
            channel, unit = ("co2.wave", "mm[Hg]") if self._in_mmhg else (f"{DRIVER_ID}:co2", "")
            scale = Scale(Fraction(20), unit, Fraction(1, 256), bits=16)
            yield Wave(channel, tuple(self._samples), scale, self._first, NUMBERS, tuple(self._marks))
        self._samples, self._marks = [], []

    def _numerics(self, d: bytes) -> Iterator[Output]:
        if (d[25] == MMHG) != self._in_mmhg:
            yield from self._wave()
            if self._has_unit:  # what was told in the old one stands no more
                yield from self._co2(NONE, NONE, Why.UNAVAILABLE)
            self._in_mmhg = d[25] == MMHG
        self._has_unit = True
        seconds = int.from_bytes(d[:4], "big")
        yield DeviceTime((EPOCH + timedelta(seconds=seconds)).isoformat(), seconds)
        no_co2 = Why.NO_SENSOR if self._fast & NO_LINE else Why.UNAVAILABLE
        no_spo2 = next((why for bit, why in ABSENT_SPO2 if d[14] & bit), Why.UNAVAILABLE)
        yield from self._co2(d[4], d[5], no_co2)
        yield reading("resp.rr_co2", d[6], "/min", no_co2)
        yield reading("spo2", d[7], "%", no_spo2)
        yield reading("spo2.pr", d[8], "/min", no_spo2)
        yield reading(f"{DRIVER_ID}:no-breath", d[15], "s", Why.UNAVAILABLE)
        yield from self._limits(d[16:25])
        yield from self._flags(SLOW, d[9])
        yield from self._flags(EXTENDED, d[26])
        yield from self._alarmed(CO2_ALARMS, 13, d[13])
        yield from self._alarmed(SPO2_ALARMS, 14, d[14])

    def _co2(self, end_tidal: int, inspired: int, why: Why) -> Iterator[Numeric]:
        unit = "mm[Hg]" if self._in_mmhg else ""
        channels = ("co2.et", "co2.insp") if self._in_mmhg else (f"{DRIVER_ID}:etco2", f"{DRIVER_ID}:fico2")
        for channel, value in zip(channels, (end_tidal, inspired), strict=True):
            yield reading(channel, value, unit, why)

    def _limits(self, d: bytes) -> Iterator[Numeric]:
        """Said when they change."""
        for (name, unit), value in zip(LIMITS, d, strict=True):
            of_co2 = "mm[Hg]" if self._in_mmhg else ""
            numeric = reading(f"{DRIVER_ID}:{name}", value, unit or of_co2, Why.UNAVAILABLE)
            if self._told.get(name) != numeric:
                self._told[name] = numeric
                yield numeric

    def _flags(self, names: dict[int, str], bits: int) -> Iterator[Status]:
        for bit, name in names.items():
            if bool(bits & bit) != (name in self._states):
                self._states ^= {name}
                yield Status(name, Phase.ON if bits & bit else Phase.OFF)

    def _alarmed(self, names: dict[int, tuple[str, str]], place: int, bits: int) -> Iterator[Alarm]:
        changed = self._alarms.get(place, 0) ^ bits
        self._alarms[place] = bits
        for bit, (name, channel) in names.items():
            if changed & bit:
                yield Alarm(name, name, "unknown", Phase.ON if bits & bit else Phase.OFF, channel)

    def _who(self, text: str) -> Iterator[Identity]:
        found = IDENTITY.fullmatch(text)
        if found and (who := Identity("Oridion", "Capnostream 20", found[2], found[1])) != self._identity:
            self._identity = who
            yield who


def reading(channel: str, value: int, unit: str, why: Why) -> Numeric:
    """FF is no value; zero is one."""
    return Numeric(channel, None, unit, why) if value == NONE else Numeric(channel, value, unit)
