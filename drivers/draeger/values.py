"""What the responses of the ASCII half say: readings, limits, settings, alarms, texts, date and identity.

    measured, limits  {code 2, value 4}      settings {code 2, value 5}     a parameter that is not listed has no value
    alarms            {priority 1, code 2, phrase 12}                       what is listed is active
    texts             {code 2, length 1, text, 03}                          what is listed is so now
    identity          number 4, 'name', revision           date HH:MM:SSdd-MMM-yy

Characters of one digit (length, priority) are 30 and up. Source: Draeger RS 232 MEDIBUS Protocol Definition rev. 6.00,
"Responding to Data Request Commands"; the forms of the date that devices send: tests of OpenICE (mdpnp/mdpnp, BSD-2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from drivers.contract import Alarm, DeviceTime, Identity, Numeric, Output, Phase, Status, Why
from drivers.draeger import codes
from drivers.draeger.slow import (
    ALARMS_1,
    ALARMS_2,
    DATE,
    HIGH_1,
    HIGH_2,
    IDENTIFY,
    LOW_1,
    LOW_2,
    MEASURED_1,
    MEASURED_2,
    SETTINGS,
    TEXTS,
    Message,
)
from drivers.moments import clock

PAGES = {
    MEASURED_1: ("", "1"), MEASURED_2: ("", "2"), LOW_1: ("low-", "1"), LOW_2: ("low-", "2"),
    HIGH_1: ("high-", "1"), HIGH_2: ("high-", "2"),
}  # fmt: skip
ALARM_PAGES = {ALARMS_1: "1", ALARMS_2: "2"}
CODE = re.compile(r"[0-9A-F]{2}")
NUMBER = re.compile(r"([+-]?) *(\d+(?:\.\d*)?|\.\d+)")
DATE_FORM = re.compile(r"\s*(\d{1,2}):(\d\d)(?::(\d\d))?\s*(\d{1,2})-([A-Z]{3})-(\d\d)\s*")
IDENTITY_FORM = re.compile(r"(.{4})'([^']*)'(.*)", re.DOTALL)
MONTHS = {
    "JAN": 1, "FEB": 2, "MAR": 3, "APR": 4, "MAI": 5, "MAY": 5, "JUN": 6, "JUL": 7, "AUG": 8, "SEP": 9,
    "OKT": 10, "OCT": 10, "NOV": 11, "DEZ": 12, "DEC": 12,
}  # fmt: skip
DIGIT = 0x30
TEXT_END = 0x03


def number(text: str) -> int | Decimal | None:
    """A value as the device wrote it, blanks around it and behind its sign; None where it is no number."""
    found = NUMBER.fullmatch(text.strip())
    if found is None:
        return None
    digits = found[1].replace("+", "") + found[2]
    return Decimal(digits) if "." in digits else int(digits)


def reading(channel: str, text: str, unit: str) -> Numeric:
    value = number(text)
    why = None if value is not None else Why.INVALID if text.strip() else Why.UNAVAILABLE
    return Numeric(channel, value, unit, why)


def label(text: str) -> str:
    return f"{codes.DRIVER_ID}:{text}"


class Values:
    """Remembers what was said, so that what is no longer listed can be told."""

    def __init__(self) -> None:
        self._told: dict[int, dict[str, str]] = {}
        self._alarms: dict[int, dict[str, Alarm]] = {}
        self._texts: dict[str, str] = {}
        self._identity = Identity()

    def said(self, message: Message) -> Iterator[Output]:
        """A response of the device."""
        code = message.code
        if code in PAGES:
            yield from self._listed(code, list(measured(message)))
        elif code == SETTINGS:
            yield from self._listed(code, list(settings(message)))
        elif code in ALARM_PAGES:
            yield from self._alarmed(code, {alarm.code: alarm for alarm in alarms(message)})
        elif code == TEXTS:
            yield from self._texted(dict(texts(message.data)))
        elif code == DATE:
            yield from date(message.data)
        elif code == IDENTIFY:
            yield from self._introduced(message.data)

    def _listed(self, code: int, numerics: list[Numeric]) -> Iterator[Numeric]:
        now = {numeric.channel: numeric.unit for numeric in numerics}
        for channel, unit in self._told.get(code, {}).items():
            if channel not in now:
                yield Numeric(channel, None, unit, Why.UNAVAILABLE)
        self._told[code] = now
        yield from numerics

    def _alarmed(self, code: int, now: dict[str, Alarm]) -> Iterator[Alarm]:
        before = self._alarms.get(code, {})
        for name, alarm in before.items():
            if name not in now:
                yield Alarm(alarm.code, alarm.text, alarm.priority, Phase.OFF)
        self._alarms[code] = now
        yield from (alarm for name, alarm in now.items() if before.get(name) != alarm)

    def _texted(self, now: dict[str, str]) -> Iterator[Status]:
        before, self._texts = self._texts, now
        for name, text in before.items():
            if name not in now:
                yield Status(name, Phase.OFF, text)
        for name, text in now.items():
            if before.get(name) != text:
                yield Status(name, Phase.ON, text)

    def _introduced(self, data: bytes) -> Iterator[Output]:
        """An empty answer is allowed and says nothing."""
        found = IDENTITY_FORM.fullmatch(data.decode("latin-1"))
        if found is None:
            return
        who = Identity("Draeger", found[2].strip(), firmware=" ".join(found[3].split()))
        if who != self._identity:
            self._identity = who
            yield who
            yield Status("device-number", Phase.ON, found[1].strip())


def measured(message: Message) -> Iterator[Numeric]:
    """Readings or limits. Only a reading has the channel of its measurement, and only the first that claims it."""
    prefix, page = PAGES[message.code]
    taken: set[str] = set()
    for item in message.items():
        text = item.decode("latin-1")
        code = text[:2]
        if not CODE.fullmatch(code):
            continue
        channel = "" if prefix or page != "1" else codes.CHANNELS.get(code, "")
        if not channel or channel in taken:
            channel = label(f"{prefix}{page}-{code}")
        taken.add(channel)
        yield reading(channel, text[2:], codes.MEASURED_UNITS[page].get(code, ""))


def settings(message: Message) -> Iterator[Numeric]:
    for item in message.items():
        text = item.decode("latin-1")
        if CODE.fullmatch(text[:2]):
            yield reading(label(f"setting-{text[:2]}"), text[2:], codes.SETTING_UNITS.get(text[:2], ""))


def alarms(message: Message) -> Iterator[Alarm]:
    page = ALARM_PAGES[message.code]
    for item in message.items():
        text = item.decode("latin-1")
        if CODE.fullmatch(text[1:3]):
            yield Alarm(f"{page}-{text[1:3]}", text[3:].strip(), codes.priority(item[0] - DIGIT), Phase.ON)


def texts(data: bytes) -> Iterator[tuple[str, str]]:
    """(code, text) of each message; what does not end where it says it does ends the list."""
    at = 0
    while at + 4 <= len(data):
        code = data[at : at + 2].decode("latin-1")
        end = at + 3 + data[at + 2] - DIGIT
        if not CODE.fullmatch(code) or not at + 3 <= end < len(data) or data[end] != TEXT_END:
            return
        yield f"text-{code}", data[at + 3 : end].decode("latin-1").strip()
        at = end + 1


def date(data: bytes) -> Iterator[DeviceTime]:
    """Some devices leave out the seconds, or pad with blanks; months are German or English. The century is ours."""
    found = DATE_FORM.fullmatch(data.decode("latin-1").upper())
    if found is None or found[5] not in MONTHS:
        return
    day = f"20{found[6]}-{MONTHS[found[5]]:02d}-{int(found[4]):02d}"
    yield from clock(f"{day}T{int(found[1]):02d}:{found[2]}" + (f":{found[3]}" if found[3] else ""))
