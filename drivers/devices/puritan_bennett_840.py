"""Puritan Bennett 840 ventilators on their serial port: one report of all settings, readings and alarms, on request.

    SNDF CR      MISCF,1225,169,<STX>08:05 ,840 3510012345    ,NOV 22 2014 ,INVASIVE ,A/C   , .. ,      ,<ETX><CR>
    SNDA CR      MISCA,706,97 ,<STX>08:05 , ..     the older, shorter report: asked for while SNDF is not answered

The numbers behind the name are how many bytes and how many fields follow; fields have fixed widths, padded with blanks.
What the fields are stands in `drivers.puritan_bennett.fields`.

Source: 840 Ventilator System Operator's and Technical Reference Manual, "Serial port protocol", as OpenICE quotes it
(mdpnp/mdpnp at 55a7c7e4, BSD-2); the frame of MISCA as the manual of the 980, which has the same, prints it.
Proven on four real reports: both kinds of one 840 (samples in the MD PnP program's pb840.cpp, 2011), one of another
840 with an alarm and one of a 980 (a parser's and a test's constants, 2023). In all of them the number of bytes is that
of the text between STX and ETX.

Not protected: there is no checksum. A report is good if it is printable and has the fields and the bytes it announces:
a lost byte is seen, a flipped digit is not.
The 980 answers SNDF in the same form; its alarms from field 137 on have no name that we know (`field 137`).
Not known: whether 0.0 in the fields of a manoeuvre (pause, NIF, vital capacity) is a result or says that none was done;
how an unknown value is written besides blanks (what is no number is told as invalid); all words of the
alarm fields (NORMAL, RESET and blanks are no alarm; LOW, MEDIUM, HIGH are its urgency; any other word is an alarm of
unknown urgency). The code of an alarm is the manual's name of its field, the text is the device's word. In MISCF
`vent.tidal_vol` is exhaled, `vent.peep` monitored, `o2.fio2` delivered, `resp.rr` total. The port's other mode,
waveforms, is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from drivers import moments
from drivers.contract import (
    Alarm,
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
    Why,
)
from drivers.framing import MORE, Bad, Frame, Framer, Skip, find
from drivers.puritan_bennett.fields import FIRST_FIELD, Layout, layouts

DRIVER_ID = "puritan_bennett_840"
SEND_ALL, SEND_SHORT = b"SNDF\r", b"SNDA\r"
LAYOUTS = layouts(f"{DRIVER_ID}:")

START = b"MISC"
LIMIT_BYTES = 2048
NAMED_ALARMS = 137  # of other models; from this field on they are the 840's own
REPORT = re.compile(rb"(MISC[AF]) *, *(\d{1,4}) *, *(\d{1,3}) *,\x02([ -~]*)\x03")
NUMBER = re.compile(r"-? *(\d+(?:\.\d*)?|\.\d+)")
DATE = re.compile(r"([A-Z]{3}) (\d\d) (\d{4})")
TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
ADJUSTED = ("set", "limit")
NO_VALUE = ("", "OFF")
NO_ALARM = ("", "NORMAL", "RESET", "OFF")
URGENCY = {"LOW": "low", "MEDIUM": "medium", "HIGH": "high"}

SECOND_NS = 1_000_000_000
PAUSE_NS = SECOND_NS
ANSWER_NS = 4 * SECOND_NS  # a long report takes 1.3 s at 9600 baud


def fields_of(text: bytes) -> list[str]:
    """The last field may or may not have a comma behind it."""
    parts = text.decode("ascii").split(",")
    if not parts[-1]:
        parts.pop()
    return [part.strip() for part in parts]


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    """A report without its CR."""
    skip = find(buffer, START)
    if skip is not None:
        return skip
    end = buffer.find(b"\r", 0, LIMIT_BYTES)
    again = buffer.find(START, 1, end if end > 0 else LIMIT_BYTES)
    if again > 0:
        return Bad("cut short", again)
    if end < 0:
        return MORE if len(buffer) < LIMIT_BYTES else Bad("too long", LIMIT_BYTES)
    line = bytes(buffer[:end])
    found = REPORT.fullmatch(line)
    if found is None:
        return Bad("form", end + 1)
    count = len(fields_of(found[4]))
    if count != int(found[3]) or count not in LAYOUTS[found[1].decode("ascii")].counts:
        return Bad("fields", end + 1)
    if int(found[2]) != len(found[4]):
        return Bad("length", end + 1)
    return Frame(end + 1, line)


def reading(channel: str, text: str, unit: str) -> Numeric:
    if NUMBER.fullmatch(text):
        digits = text.replace(" ", "")
        return Numeric(channel, Decimal(digits) if "." in digits else int(digits), unit)
    return Numeric(channel, None, unit, Why.UNAVAILABLE if text in NO_VALUE else Why.INVALID)


class PuritanBennett840(Driver):
    info = Info(
        id=DRIVER_ID,
        models=("Puritan Bennett 840", "Puritan Bennett 980"),
        claims=(Serial(9600), Serial(19200), Serial(38400)),
        emits=(
            *("resp.rr", "vent.tidal_vol", "vent.p_max", "vent.p_mean", "vent.peep", "o2.fio2"),
            f"{DRIVER_ID}:*",
        ),
        integrity=Integrity.NONE,
        wiring="RS-232 port (DB9) of the 840, with a cable that carries RTS and CTS. Communication setup of the port: "
        "DCI, 9600 baud, 8 bits, no parity; not waveforms, not printer.",
        sends=frozenset((SEND_ALL, SEND_SHORT)),
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(cut, self.counts)
        self._ask_all = True
        self._all_answered = False
        self._identity = Identity()
        self._told: dict[str, Numeric] = {}
        self._states: dict[str, str] = {}
        self._alarms: dict[str, Alarm] = {}

    def pending(self) -> int:
        return len(self._framer)

    def on_open(self, now: int) -> list[Output]:
        return [self._ask(now)]

    def on_time(self, now: int) -> list[Output]:
        return [self._ask(now)]

    def _ask(self, now: int) -> Send:
        """SNDF, and SNDA in turn until SNDF was answered once: early software knows the one only."""
        request = SEND_ALL if self._ask_all or self._all_answered else SEND_SHORT
        self._ask_all = not self._ask_all
        self.wake_at = now + ANSWER_NS
        return Send(request)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> list[Output]:
        said: list[Output] = []
        for line in self._framer.feed(data):
            found = REPORT.fullmatch(line)
            assert found is not None
            name = found[1].decode("ascii")
            self._all_answered = self._all_answered or name == "MISCF"
            self.wake_at = now + PAUSE_NS
            said += self._report(LAYOUTS[name], dict(enumerate(fields_of(found[4]), FIRST_FIELD)))
        return said

    def _report(self, layout: Layout, fields: dict[int, str]) -> Iterator[Output]:
        yield from self._introduced(fields[layout.id])
        yield from clock(fields[layout.date], fields[layout.time])
        for field, (channel, unit) in layout.numbers.items():
            if field in fields:
                yield from self._read(reading(channel, fields[field], unit))
        for field, code in layout.states.items():
            yield from self._state(code, fields.get(field, ""))
        is_840 = self._identity.model == "840"
        words = {
            name if is_840 or field < NAMED_ALARMS else f"field {field}": fields.get(field, "")
            for field, name in layout.alarms.items()
        }
        yield from self._alarmed(words)

    def _read(self, numeric: Numeric) -> Iterator[Numeric]:
        """Readings in every report; what is adjusted, and that there is no value, when it changes."""
        steady = numeric.value is None or any(f":{kind}-" in numeric.channel for kind in ADJUSTED)
        if not steady or self._told.get(numeric.channel) != numeric:
            self._told[numeric.channel] = numeric
            yield numeric

    def _introduced(self, text: str) -> Iterator[Identity]:
        """`840 3510012345`, or the serial number alone."""
        words = text.split()
        who = Identity("Puritan Bennett", words[0] if len(words) > 1 else "840", words[-1] if words else "")
        if words and who != self._identity:
            self._identity = who
            yield who

    def _state(self, code: str, text: str) -> Iterator[Status]:
        before = self._states.get(code, "")
        if text != before:
            self._states[code] = text
            yield Status(code, Phase.ON if text else Phase.OFF, text or before)

    def _alarmed(self, words: dict[str, str]) -> Iterator[Alarm]:
        """What began or changed its urgency, and what is over. The other kind of report may have left alarms behind."""
        for name, word in {**dict.fromkeys(self._alarms, ""), **words}.items():
            before = self._alarms.get(name)
            if word.upper() in NO_ALARM:
                if before is not None:
                    del self._alarms[name]
                    yield Alarm(name, before.text, before.priority, Phase.OFF)
                continue
            alarm = Alarm(name, word, URGENCY.get(word.upper(), "unknown"), Phase.ON)
            if alarm != before:
                self._alarms[name] = alarm
                yield alarm


def clock(date: str, time: str) -> Iterator[DeviceTime]:
    day = DATE.fullmatch(date.upper())
    if day and day[1] in MONTHS and TIME.fullmatch(time):
        yield from moments.clock(f"{day[3]}-{MONTHS.index(day[1]) + 1:02d}-{day[2]}T{time}")
