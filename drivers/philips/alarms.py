"""Alarms: the monitor lists what is active; what came and what went is said.

A DevAlarmEntry, in the lists of patient (P) and technical (T) alarms:

    source u16 | code u16 | type u16 | state u16 | object: class, context, handle | info id u16 | length u16 | info
    info 0201: instance u16, text id u32, priority u16, flags u16; info 0204: the same and the text as shown

The last bit of the code says whose nomenclature the source is: 0 physio ids, 1 parts of the device.
Source: Philips Data Export Interface Programming Guide rev. G.0, "Alert Monitor Object"; no recording was at hand.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from drivers.contract import Alarm, Phase
from drivers.philips import codes
from drivers.philips.attributes import text

ALARMS_LIMIT = 512
PLACES_LIMIT = 16
LATCHED = 0x2000
WITH_TEXT = 0x0204
PRIORITIES = ((0x0400, "high"), (0x0200, "medium"), (0x0100, "low"), (0x0007, "technical"))
_ENTRY = struct.Struct(">HHHHHHHHH")
_INFO = struct.Struct(">HIHH")

Key = tuple[int, int, int, bytes, int]  # list, source, code, object, instance
Place = tuple[int, int, int]  # list, context, handle


class Alarms:
    """What is active now, by list and monitor object."""

    def __init__(self) -> None:
        self._active: dict[Place, dict[Key, Alarm]] = {}
        self._stale: dict[Key, Alarm] = {}

    def forget_places(self) -> None:
        """The monitor begins anew and handles may differ: what its next list lacks is over."""
        for alarms in self._active.values():
            self._stale.update(alarms)
        self._active.clear()

    def listed(self, name: int, key: tuple[int, int], value: bytes) -> Iterator[Alarm]:
        """A list of active alarms was heard: yields what changed, what is over first."""
        place = (name, *key)
        if place not in self._active and len(self._active) >= PLACES_LIMIT:
            return
        now = dict(entries(name, value))
        before = self._active.get(place, {})
        before |= {key: alarm for key, alarm in self._stale.items() if key[0] == name}
        self._stale = {key: alarm for key, alarm in self._stale.items() if key[0] != name}
        self._active[place] = now
        for each, alarm in before.items():
            if each not in now:
                yield Alarm(alarm.code, alarm.text, alarm.priority, Phase.OFF, alarm.channel)
        yield from (alarm for each, alarm in now.items() if before.get(each) != alarm)


def entries(name: int, value: bytes) -> Iterator[tuple[Key, Alarm]]:
    """The alarms in a DevAlarmList. struct.error where it is shorter than it says."""
    count, _ = struct.unpack_from(">HH", value)
    at = 4
    for _ in range(min(count, ALARMS_LIMIT)):
        source, code, kind, state, _, _, _, info, length = _ENTRY.unpack_from(value, at)
        body = value[at + _ENTRY.size : at + _ENTRY.size + length]
        instance, text_id, _, _ = _INFO.unpack_from(body)
        said = text(body[_INFO.size :]) if info == WITH_TEXT else ""
        alarm = Alarm(
            code_of(code),
            said or f"text 0x{text_id:08X}",
            next((word for bits, word in PRIORITIES if kind & bits), "unknown"),
            Phase.LATCHED if state & LATCHED else Phase.ON,
            channel_of(source, code),
        )
        yield (name, source, code, value[at + 8 : at + 14], instance), alarm
        at += _ENTRY.size + length


def code_of(code: int) -> str:
    """An event code: context-free, or the maker's own."""
    return f"{codes.DRIVER_ID}:0x{code:04X}" if code >= codes.PRIVATE else f"mdc:{codes.EVENTS + code}"


def channel_of(source: int, code: int) -> str:
    """What the alarm is about: a number before a wave; nothing if it is a part of the device."""
    if code & 1 or not source:
        return ""
    number, wave = codes.channel_of(source, "num"), codes.channel_of(source, "wave")
    return wave if number.startswith("mdc:") else number
