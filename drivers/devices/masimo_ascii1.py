"""Masimo oximeters, serial output "ASCII 1": a line every second, unasked.

    02/24/18 04:48:53 SN=0000000000 SPO2=097% BPM=080 PI=04.96% SPCO=--.-% SPMET=--.-% DESAT=-- PIDELTA=+-- \
ALARM=0000 EXC=000800
    date MM/DD/YY, time, then fields NAME=VALUE; dashes: no value. ALARM, EXC and EXC1 are bits in hex.

Which fields there are depends on the model: a Radical has no SN, a Radical-7 adds SPHB, SPOC, RESVD, PVI and EXC1, and
the words grow wider. So fields are found by name, and a line is good if it has the date, SPO2, BPM, ALARM and EXC.

Source: lines of several Rad-8 and one Radical-7 as their owners published them (see the captures); Masimo Rad-8 and
Rad-57 operator's manuals, section "Trend data format", for the low 12 bits of EXC and the ranges; ALARM bits 01-20
measured on a Rad-8 by the author of nmenon/masimo-datacapture (Masimo tells them under a secrecy agreement only); the
other bits of both words, which agree with all that, from the Radical driver of the MD PnP program (ICE, 2012), where no
document is named.

Not protected: there is no checksum. A damaged line is refused where it is no longer of the form, or where a number is
outside the range of the manuals (SpO2 up to 100, pulse rate up to 240); a wrong digit within it passes, and so do two
halves of two lines where just one line's length was lost between them.
Proven on real bytes: values, dashes, no sensor (a line its owner had shortened), low signal IQ, pulse rate low, alarm
active and silenced.
Not known: units of SPHB and SPOC (the menu chooses, the line does not say), DESAT and PIDELTA: told as text. A line
of a Rad-8 without a finger has been quoted with SPO2=098% and "sensor off" (EXC=000824): numbers are held, and so are
not readings while EXC says that there is no patient. 000 for SpO2 or pulse rate is below the range of the manuals,
which print it where there is no reading: it is told as absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from drivers.contract import (
    Alarm,
    Driver,
    Identity,
    Info,
    Integrity,
    Numeric,
    Output,
    Phase,
    Serial,
    Status,
    Why,
)
from drivers.framing import Framer, Lines
from drivers.moments import clock

LINE_LIMIT_BYTES = 320
LINE = re.compile(
    r"(?P<month>0[1-9]|1[0-2])/(?P<day>0[1-9]|[12]\d|3[01])/(?P<year>\d\d) (?P<time>[012]\d:[0-5]\d:[0-5]\d)"
    r"(?P<fields>( +[A-Z][A-Z0-9]*=[-+.0-9A-F]+%?)+) *"
)
FORMS = {
    "SPO2": re.compile(r"(0?\d\d|100|-+)%?"),
    "BPM": re.compile(r"([01]?\d?\d|2[0-3]\d|240|-+)%?"),
    "ALARM": re.compile(r"[0-9A-F]{2,8}"),
    "EXC": re.compile(r"[0-9A-F]{3,8}"),
}
DECIMAL = re.compile(r"\d{1,3}(\.\d{1,2})?%?")
DASHES = re.compile(r"[-+.]+%?")

CHANNELS = {  # fields that are numbers with a known unit
    "SPO2": ("spo2", "%"),
    "BPM": ("spo2.pr", "/min"),
    "PI": ("spo2.perf_index", "%"),
    "SPCO": ("masimo_ascii1:SPCO", "%"),
    "SPMET": ("masimo_ascii1:SPMET", "%"),
    "PVI": ("masimo_ascii1:PVI", "%"),
}
ALWAYS = ("SPO2", "BPM", "PI")  # the others only once they have had a value: a Rad-8 sends fields it cannot measure
ABOVE_ZERO = ("SPO2", "BPM")
WORDS = ("ALARM", "EXC", "EXC1")

ALARMS = {  # bit: code, channel
    0x01: ("spo2-high", "spo2"),
    0x02: ("spo2-low", "spo2"),
    0x04: ("pr-high", "spo2.pr"),
    0x08: ("pr-low", "spo2.pr"),
    0x40: ("low-battery", ""),
    0x100: ("spco-high", "masimo_ascii1:SPCO"),
    0x200: ("spco-low", "masimo_ascii1:SPCO"),
    0x400: ("spmet-high", "masimo_ascii1:SPMET"),
    0x800: ("spmet-low", "masimo_ascii1:SPMET"),
    0x1000: ("desaturation-index", "spo2"),
    0x2000: ("pi-rate-of-change", "spo2.perf_index"),
}
STATES = {
    ("ALARM", 0x10): "alarm-active",
    ("ALARM", 0x20): "alarm-silenced",
    ("EXC", 0x1): "no-sensor",
    ("EXC", 0x2): "defective-sensor",
    ("EXC", 0x4): "low-perfusion",
    ("EXC", 0x8): "pulse-search",
    ("EXC", 0x10): "interference",
    ("EXC", 0x20): "sensor-off",
    ("EXC", 0x40): "ambient-light",
    ("EXC", 0x80): "unrecognized-sensor",
    ("EXC", 0x100): "incompatible-sensor",
    ("EXC", 0x400): "low-signal-iq",
    ("EXC", 0x800): "masimo-set",  # the algorithm runs in full: normal
    ("EXC", 0x1000): "no-cable",
    ("EXC", 0x2000): "cable-life-expired",
    ("EXC", 0x4000): "incompatible-cable",
    ("EXC", 0x8000): "unrecognized-cable",
    ("EXC", 0x10000): "defective-cable",
    ("EXC", 0x20000): "sensor-calibrating",
    ("EXC", 0x40000): "sensor-life-expired",
    ("EXC", 0x80000): "emitter-temperature",
    ("EXC", 0x100000): "sensor-current-limit",
    ("EXC", 0x200000): "spco-low-confidence",
    ("EXC", 0x400000): "spmet-low-confidence",
}
GONE = {0x1: Why.NO_SENSOR, 0x1000: Why.NO_SENSOR, 0x2: Why.INVALID, 0x20: Why.SENSOR_OFF}  # no patient: no reading
DOUBT = {0x8: Why.SEARCHING, 0x20000: Why.CALIBRATING, 0x400: Why.LOW_SIGNAL}  # the strongest first
DOUBT_OF = {"SPCO": {0x200000: Why.QUESTIONABLE}, "SPMET": {0x400000: Why.QUESTIONABLE}}


def fields_of(line: str) -> dict[str, str] | None:
    """The fields by name, or None where the line is none of ours. A name that comes twice proves damage."""
    found = LINE.fullmatch(line)
    if not found:
        return None
    pairs = [text.split("=") for text in found["fields"].split()]
    fields = dict(pairs)
    fields |= {"date": f"20{found['year']}-{found['month']}-{found['day']}T{found['time']}"}
    whole = all(form.fullmatch(fields.get(name, "")) for name, form in FORMS.items())
    return fields if whole and len(fields) == len(pairs) + 1 else None


def wrong(line: str) -> str | None:
    return "unknown line" if fields_of(line) is None else None


def reason(bits: int, table: Mapping[int, Why]) -> Why | None:
    return next((why for bit, why in table.items() if bits & bit), None)


def numeric(name: str, text: str, exceptions: int) -> Numeric:
    """A field as a reading: absent, doubted or whole."""
    channel, unit = CHANNELS[name]
    gone = reason(exceptions, GONE)
    doubt = gone or reason(exceptions, DOUBT | DOUBT_OF.get(name, {}))
    digits = text.rstrip("%")
    if gone or DASHES.fullmatch(text):
        return Numeric(channel, None, unit, doubt or Why.UNAVAILABLE)
    if not DECIMAL.fullmatch(text):
        return Numeric(channel, None, unit, Why.INVALID)
    value = Decimal(digits) if "." in digits else int(digits)
    if value == 0 and name in ABOVE_ZERO:
        return Numeric(channel, None, unit, doubt or Why.UNAVAILABLE)
    return Numeric(channel, value, unit, doubt)


class MasimoAscii1(Driver):
    info = Info(
        id="masimo_ascii1",
        models=("Masimo Rad-8", "Masimo Radical", "Masimo Radical-7", "Masimo Rad-87"),
        claims=(Serial(9600),),
        emits=("spo2", "spo2.pr", "spo2.perf_index", "masimo_ascii1:*"),
        integrity=Integrity.NONE,
        wiring="Serial port on the back (DB-9: pin 2, 3 and ground 5), 9600 8N1. Set the serial output to ASCII 1 in "
        "the menu; on a Rad-8: hold Enter and Down for 5 s, setup level 3 (it leaves the factory with ASCII 2).",
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(Lines(wrong, LINE_LIMIT_BYTES), self.counts)
        self._identity = Identity()
        self._had_value: set[str] = set()
        self._on: frozenset[tuple[str, int]] = frozenset()
        self._texts: dict[str, str] = {}

    def pending(self) -> int:
        return len(self._framer)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        out: list[Output] = []
        for line in self._framer.feed(data):
            fields = fields_of(line.decode("latin-1"))
            if fields is not None:
                out += self._reading(fields)
        return out

    def _reading(self, fields: dict[str, str]) -> Iterator[Output]:
        yield from clock(fields["date"])
        yield from self._who(fields.get("SN", "-"))
        exceptions = int(fields["EXC"], 16)
        for name in CHANNELS:
            said = numeric(name, fields.get(name, "-"), exceptions)
            if said.value is not None:
                self._had_value.add(name)
            if name in ALWAYS or name in self._had_value:
                yield said
        yield from self._states({name: int(fields[name], 16) for name in WORDS if is_hex(fields.get(name, ""))})
        for name in sorted(fields.keys() - CHANNELS.keys() - {"date", "SN", *WORDS}):
            yield from self._text(name, fields[name])

    def _who(self, serial: str) -> Iterator[Identity]:
        identity = Identity(serial=serial)
        if not DASHES.fullmatch(serial) and identity != self._identity:
            self._identity = identity
            yield identity

    def _states(self, words: dict[str, int]) -> Iterator[Output]:
        """What changed among the bits; those nobody has named are told by word and bit."""
        on = frozenset((word, 1 << at) for word, bits in words.items() for at in range(32) if bits >> at & 1)
        for word, bit in sorted(self._on ^ on):
            phase = Phase.ON if (word, bit) in on else Phase.OFF
            if word == "ALARM" and bit in ALARMS:
                code, channel = ALARMS[bit]
                yield Alarm(code, code.replace("-", " "), "unknown" if channel else "technical", phase, channel)
            else:
                yield Status(STATES.get((word, bit), f"{word}:{bit:X}"), phase)
        self._on = on

    def _text(self, name: str, value: str) -> Iterator[Status]:
        """A field without a known unit, in the device's own words; dashes end it."""
        text = "" if DASHES.fullmatch(value) else value
        if text != self._texts.get(name, "") and len(self._texts) < 64:
            self._texts[name] = text
            yield Status(name, Phase.ON if text else Phase.OFF, text)


def is_hex(text: str) -> bool:
    return bool(FORMS["ALARM"].fullmatch(text))
