"""Alarms, relayed as the monitor says them: whole lists in PDS, one event at a time in PCD.

PDS 54, 56   OBX||CE|2|1|10033^**SpO2 TOO HIGH||||||F|||20070106193145        54 of the patient, 56 of the device
             every second all that is active: what a list lacks is over; stars give the level
PCD ORU^R40  OBX|1|CWE|196616^MDC_EVT_ALARM^MDC|1.7.0.196680.1|196680^MDC_EVT_LEAD_OFF^MDC|||A~PL~ST
             OBX .. 68480 source, 68481 phase (start, continue, end), 68482 state (active, inactive, latched),
             68484 priority (PH, PM, PL), 68485 type (SP of the patient, ST of the device)
"""

from __future__ import annotations

from collections.abc import Iterator

from drivers.contract import Alarm, Phase
from drivers.hl7.messages import Message, Segment
from drivers.mindray import codes

PATIENT, TECHNICAL = "54", "56"
ALARMS_LIMIT = 256
STARS = (("***", "high"), ("**", "medium"), ("*", "low"))
PRIORITIES = {"PH": "high", "PM": "medium", "PL": "low"}
EVENT, SOURCE, PHASE, STATE, PRIORITY, KIND = "196616", "68480", "68481", "68482", "68484", "68485"
NO_ALARM = frozenset(("2040", "2041"))  # flags that stand in the lists as well


class Alarms:
    """What is active now: by list and code in PDS, by place and code in PCD."""

    def __init__(self) -> None:
        self._active: dict[tuple[str, str], Alarm] = {}

    def listed(self, message: Message) -> Iterator[Alarm]:
        """A list of PDS: what is over, then what is new."""
        which = message.header.field(10)
        plain = "technical" if which == TECHNICAL else "unknown"
        said = [_entry(obx, plain) for obx in message.all("OBX")]
        now = {(which, alarm.code): alarm for alarm in said if alarm is not None}
        for key in [key for key in self._active if key[0] == which and key not in now]:
            yield _over(self._active.pop(key))
        for key, alarm in now.items():
            yield from self._heard(key, alarm)

    def told(self, message: Message) -> Iterator[Alarm]:
        """The events of an ORU^R40: each OBR begins one."""
        for group in _groups(message):
            facets = {obx.part(3, 1): obx for obx in group}
            if EVENT not in facets:
                continue
            alarm = _event(facets)
            key = (facets[EVENT].field(4), alarm.code)
            if alarm.phase is Phase.OFF:
                before = self._active.pop(key, None)
                yield _over(before or alarm)
            else:
                yield from self._heard(key, alarm)

    def _heard(self, key: tuple[str, str], alarm: Alarm) -> Iterator[Alarm]:
        """Said once, and again where something of it changed."""
        if self._active.get(key) != alarm:
            if len(self._active) < ALARMS_LIMIT or key in self._active:
                self._active[key] = alarm
            yield alarm


def _over(alarm: Alarm) -> Alarm:
    return Alarm(alarm.code, alarm.text, alarm.priority, Phase.OFF, alarm.channel)


def _entry(obx: Segment, plain: str) -> Alarm | None:
    code, text = obx.part(5, 1), obx.part(5, 2).strip()
    if obx.field(2) != "CE" or obx.part(3, 1) in NO_ALARM or not code:
        return None
    level = next((word for stars, word in STARS if text.startswith(stars)), plain)
    return Alarm(f"{codes.DRIVER_ID}:{code}", text or code, level, Phase.ON)


def _groups(message: Message) -> Iterator[list[Segment]]:
    group: list[Segment] = []
    for segment in message.segments:
        if segment.name == "OBR":
            yield group
            group = []
        elif segment.name == "OBX":
            group.append(segment)
    yield group


def _event(facets: dict[str, Segment]) -> Alarm:
    def said(code: str) -> str:
        return facets[code].text(5).strip() if code in facets else ""

    event = facets[EVENT]
    code, text, system = [*event.parts(5), "", "", ""][:3]
    flags = {flag for repetition in event.repeated(8) for flag in repetition}
    level = next((word for flag, word in PRIORITIES.items() if flag in flags | {said(PRIORITY)}), "")
    is_over = said(PHASE) == "end" or said(STATE) == "inactive"
    return Alarm(
        f"mdc:{code}" if system == "MDC" else f"{codes.DRIVER_ID}:{code or text}",
        text or code,
        level or ("technical" if "ST" in flags | {said(KIND)} else "unknown"),
        Phase.OFF if is_over else Phase.LATCHED if said(STATE) == "latched" else Phase.ON,
        _channel(facets.get(SOURCE)),
    )


def _channel(source: Segment | None) -> str:
    """What the alarm is about, where that is something measured that we have a word for."""
    code = source.part(5, 1) if source else ""
    if not code.isdecimal():
        return ""
    return codes.channels("num").get(int(code)) or codes.channels("wave").get(int(code)) or ""
