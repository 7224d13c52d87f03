"""Nonin tabletop and handheld oximeters that print: a line of text once a second, unasked.

    SPO2=097 HR=072          --- no value; a * behind: a button was pressed to mark an event
    SPO2=097 HR=072 F        the fast-responding values (a switch of the Avant)
    14:05:33 SPO2=097 HR=072        8600: with the time of its clock

Source: operator's manuals of the Avant 9600 (section 5.3), the Avant 4000 (BT4000, "Real-Time Patient Data Output") and
the 8600V ("Real-Time Data Output"). The 8500 and 8600 send a ninth bit that is always mark: it reads as a longer stop.
No line of a device was at hand: proven on lines made by these rules.

Not protected: no checksum. A line is good if all of it has the form and its numbers are possible; a wrong digit passes.
What the monitor prints when it is switched on (its name, the date) and at a touch of a button is no such line: it is
refused and counted once a good line was heard.
Not known: why there is no value (finger out, sensor out, searching).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from drivers.contract import Driver, Info, Integrity, Numeric, Output, Phase, Serial, Status, Why
from drivers.framing import Framer, Lines

LINE = re.compile(r"([0-9][0-9]:[0-9][0-9]:[0-9][0-9] +)?SPO2=([0-9]{3}|---) +HR=([0-9]{3}|---)( +F)? ?(\*?) *")
LINE_LIMIT_BYTES = 128
MOST_SPO2, MOST_RATE = 100, 325


class NoninAscii(Driver):
    info = Info(
        id="nonin_ascii",
        models=("Nonin Avant 9600", "Nonin Avant 4000", "Nonin 8500", "Nonin 8600"),
        claims=(Serial(9600),),
        emits=("spo2", "spo2.pr"),
        integrity=Integrity.NONE,
        wiring="RS-232 port (Avant: null modem cable) or recording output with Nonin's cable, 9600 8N1. Avant: DIP "
        "switch 8 chooses standard or fast-responding values.",
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(Lines(wrong, LINE_LIMIT_BYTES), self.counts)
        self._on: set[str] = set()

    def pending(self) -> int:
        return len(self._framer)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        return [output for line in self._framer.feed(data) for output in self._tell(line.decode("latin-1"))]

    def _tell(self, line: str) -> Iterator[Output]:
        found = LINE.fullmatch(line)
        assert found, "nothing else is let through"
        yield from self._state("fast-responding", bool(found[4]))
        yield from self._state("event-marked", bool(found[5]))
        for channel, text, unit in (("spo2", found[2], "%"), ("spo2.pr", found[3], "/min")):
            yield reading(channel, unit, text)

    def _state(self, code: str, is_on: bool) -> Iterator[Output]:
        if is_on != (code in self._on):
            self._on ^= {code}
            yield Status(code, Phase.ON if is_on else Phase.OFF)


def wrong(line: str) -> str | None:
    """Why a line is none of the oximeter's, or None."""
    found = LINE.fullmatch(line)
    if not found:
        return "unknown line"
    good = all(text == "---" or int(text) <= most for text, most in ((found[2], MOST_SPO2), (found[3], MOST_RATE)))
    return None if good else "impossible"


def reading(channel: str, unit: str, text: str) -> Numeric:
    """A zero, which no pulse and no blood has, is what the device said, and questionable."""
    if text == "---":
        return Numeric(channel, None, unit, Why.UNAVAILABLE)
    return Numeric(channel, int(text), unit, None if int(text) else Why.QUESTIONABLE)
