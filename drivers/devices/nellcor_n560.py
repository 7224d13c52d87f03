"""Nellcor N-560 and N-595 oximeters, real-time ASCII print-out: a line every two seconds, unasked.

    N-560    VERSION 1.61.00    CRC:XXXX  SpO2 Limit: 95-100%    PR Limit: 59-148BPM
                             ADULT           25SAT-S
    TIME                 %SpO2   BPM     PA     Status
    07-Jan-04 11:24:54   100     102      36    MO             AO

Lines end with CR and LF. The three heading lines come every 25 lines. `---` no value, `*` behind a number: outside its
limit, PA pulse amplitude. Status codes stand in columns of their own, several at a time: AO alarm off, AS silenced,
LB low battery, LM loss of pulse with motion, LP loss of pulse, MO motion, PH PL pulse above, below its limit, PS pulse
search, SH SL saturation above, below its limit, SD sensor disconnected, SO sensor off.

Source: print-out of an N-560 in hansmuc/NellcorN560Seriell at a7c36334; column rules of OpenICE (mdpnp/mdpnp, BSD-2);
Nellcor NPB-290/295 and N-395 operator's manuals, appendix "Data Port Protocol", for the headings.

Not protected: there is no checksum; a line is good if it is one of the four forms, and its last number stands where it
ends on every known print-out: a monitor that is switched off in the middle of a number leaves a shorter one.

Not known: the scale of PA, and whether a number shown in a pulse search is a held one (it is told as searching).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

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

LINE_LIMIT_BYTES = 256
NUMBERS_END = 40  # the column behind the last digit of PA; the numbers are set flush right
DATA = re.compile(
    r"(\d\d)-([A-Za-z]{3})-(\d\d) (\d\d:\d\d:\d\d)\s+"
    r"(?P<spo2>\d{1,3}|-+)(?P<spo2_out>\*?)\s+(?P<pr>\d{1,3}|-+)(?P<pr_out>\*?)\s+(?P<pa>\d{1,3}|-+)\*?"
    r"(?P<status>(\s+[A-Z]{2})*)\s*"
)
MODEL = re.compile(r"(?P<model>[A-Z]{1,3}-\d+\w*)\s+VERSION\s+(?P<version>\S+)\s+CRC:\s*\S+\s*(?P<limits>\S.*?)?\s*")
MODE = re.compile(r"\s+(?P<mode>[A-Z]{4,}(\s+\S+)?)\s*")
TITLES = re.compile(r"TIME\s+%SpO2\s+BPM\s+PA\s+Status\s*", re.IGNORECASE)
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
LIMIT_ALARMS = {"PH": "spo2.pr", "PL": "spo2.pr", "SH": "spo2", "SL": "spo2"}
ABSENT = {  # the strongest reason first
    "SD": Why.NO_SENSOR,
    "SO": Why.SENSOR_OFF,
    "PS": Why.SEARCHING,
    "LP": Why.LOW_SIGNAL,
    "LM": Why.LOW_SIGNAL,
}
AMPLITUDE = "nellcor_n560:PA"


def wrong(line: str) -> str | None:
    """Why a line is none of the monitor's, or None."""
    if not any(form.fullmatch(line) for form in (DATA, MODEL, MODE, TITLES)):
        return "unknown line"
    return "cut short" if line[:1].isdigit() and len(line) < NUMBERS_END else None


class NellcorN560(Driver):
    info = Info(
        id="nellcor_n560",
        models=("Nellcor N-560", "Nellcor N-595"),
        claims=(Serial(9600), Serial(19200)),
        emits=("spo2", "spo2.pr", AMPLITUDE),
        integrity=Integrity.NONE,
        wiring="Data port (RS-232: pins 2, 3 and 5), 9600 8N1; the N-595 may be set to 19200 in its menu. "
        "The real-time print-out must be on and the monitor on mains, not on battery.",
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(Lines(wrong, LINE_LIMIT_BYTES), self.counts)
        self._on: frozenset[tuple[str, str]] = frozenset()
        self._texts: dict[str, str] = {}
        self._identity = Identity()

    def pending(self) -> int:
        return len(self._framer)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        out: list[Output] = []
        for line in self._framer.feed(data):
            text = line.decode("latin-1")
            if found := DATA.fullmatch(text):
                out += self._reading(found)
            elif found := MODEL.fullmatch(text):
                out += self._model(found)
            elif found := MODE.fullmatch(text):
                out += self._text("mode", " ".join(found["mode"].split()))
        return out

    def _reading(self, found: re.Match[str]) -> Iterator[Output]:
        yield from self._time(found)
        codes = found["status"].split()
        on = {(code, LIMIT_ALARMS.get(code, "")) for code in codes}
        on |= {
            ("outside-limit", channel) for channel, star in (("spo2", "spo2_out"), ("spo2.pr", "pr_out")) if found[star]
        }
        why = next((reason for code, reason in ABSENT.items() if code in codes), None)
        for channel, name, unit in (("spo2", "spo2", "%"), ("spo2.pr", "pr", "/min"), (AMPLITUDE, "pa", "1")):
            if found[name].startswith("-"):
                yield Numeric(channel, None, unit, why or Why.UNAVAILABLE)
            else:
                yield Numeric(channel, int(found[name]), unit, why)
        yield from self._states(frozenset(on))

    def _time(self, found: re.Match[str]) -> Iterator[Output]:
        """Years are two digits: the family is of 1997 and later."""
        day, month, year = found[1], found[2].upper(), int(found[3])
        if month in MONTHS:
            full = year + (1900 if year >= 90 else 2000)
            yield from clock(f"{full}-{MONTHS.index(month) + 1:02d}-{day}T{found[4]}")
        else:
            yield from self._text("month", found[2])

    def _states(self, on: frozenset[tuple[str, str]]) -> Iterator[Output]:
        for code, channel in sorted(self._on ^ on):
            phase = Phase.ON if (code, channel) in on else Phase.OFF
            if code in LIMIT_ALARMS:
                yield Alarm(code, code, "unknown", phase, channel)
            else:
                yield Status(code, phase, channel=channel)
        self._on = on

    def _model(self, found: re.Match[str]) -> Iterator[Output]:
        identity = Identity("Nellcor", found["model"], firmware=found["version"])
        if identity != self._identity:
            self._identity = identity
            yield identity
        yield from self._text("limits", " ".join((found["limits"] or "").split()))

    def _text(self, code: str, text: str) -> Iterator[Output]:
        if text != self._texts.get(code, ""):
            self._texts[code] = text
            yield Status(code, Phase.ON, text)
