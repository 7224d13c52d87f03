"""Alarms: what the monitor shows in its alarm lines, the five most important at most.

    reserved i16 · sound on i16 · reserved 4 · silence i16 · five times (text 80 bytes, text changed i16, colour i16,
                                                                    colour changed i16, reserved 12) · reserved 10

An alarm has no code of its own: its text is its code. One that leaves the list is over, or pushed out by five others.
Source: Datex-Ohmeda Record Specification 8005313 rev. 12, section 4: white, yellow and red are low, medium and high.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from drivers.contract import Alarm, Output, Phase, Status

STATUS_TYPE = 1
HEAD = struct.Struct("<hh4xh")
SHOWN = struct.Struct("<80shhh12x")
SHOWN_COUNT = 5
MESSAGE_BYTES = HEAD.size + SHOWN_COUNT * SHOWN.size + 10
COLOURS = {1: "low", 2: "medium", 3: "high"}
SILENCED = ("", "apnea", "asystole", "apnea and asystole", "all", "2 minutes", "5 minutes", "20 seconds")


class Alarms:
    """The list as it was last told."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}  # priority by text
        self._sound: bool | None = None
        self._silenced = ""

    def said(self, data: bytes) -> Iterator[Output]:
        """What has changed; nothing where the message is cut short."""
        if len(data) < MESSAGE_BYTES:
            return
        _, sound, silence = HEAD.unpack_from(data)
        if bool(sound) != self._sound:
            self._sound = bool(sound)
            yield Status("alarm-sound", Phase.ON if sound else Phase.OFF)
        yield from self._silence(SILENCED[silence] if 0 <= silence < len(SILENCED) else f"silence {silence}")
        shown: dict[str, str] = {}
        for text, _, colour, _ in SHOWN.iter_unpack(data[HEAD.size : MESSAGE_BYTES - 10]):
            words = " ".join(text.partition(b"\0")[0].decode("latin-1").split())
            if words and colour != 0:
                shown.setdefault(words, COLOURS.get(colour, "unknown"))
        for words, priority in self._shown.items():
            if words not in shown:
                yield Alarm(words, words, priority, Phase.OFF)
        for words, priority in shown.items():
            if self._shown.get(words) != priority:
                yield Alarm(words, words, priority, Phase.ON)
        self._shown = shown

    def _silence(self, text: str) -> Iterator[Status]:
        if text != self._silenced:
            self._silenced = text
            yield Status("alarms-silenced", Phase.ON if text else Phase.OFF, text)
