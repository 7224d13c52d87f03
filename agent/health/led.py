"""The LED beside the bed: what each word of the page looks like, and the kernel that blinks it.

A word is told by its rhythm; colour, where there are three, says it once more. No red and no yellow: those flash on
devices that alarm, and this is none (REQUIREMENTS ALM-04). The rhythm runs in the kernel (ledtrig-pattern, leds-trigger
documentation, ABI/testing/sysfs-class-led-trigger-pattern), so a steady state costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

CLASS = Path("/sys/class/leds")
DARK, WHITE, BLUE, GREEN = 0b000, 0b111, 0b001, 0b010  # red, green, blue
_STEADY_MS = 1000
_SINGLE = ("ACT", "led0", "led-act", "green:activity", "act")  # what boards call the one they have


class Step(NamedTuple):
    """One colour for so long. `one` is whether a single LED is lit meanwhile."""

    colour: int
    one: bool
    ms: int


Pattern = tuple[Step, ...]


def _blinks(count: int, colour: int) -> Pattern:
    """So many short blinks, then a pause: counted from across the room."""
    return (Step(colour, True, 200), Step(DARK, False, 250)) * (count - 1) + (
        Step(colour, True, 200),
        Step(DARK, False, 1600),
    )


# By the words of agent/page/state.py.
PATTERNS: Mapping[str, Pattern] = {
    "starting": (Step(WHITE, True, 1500), Step(DARK, False, 1500)),
    "no_device": (Step(WHITE, True, 150), Step(DARK, False, 4850)),
    "who": (Step(WHITE, True, 600), Step(BLUE, False, 600)),
    "sending": (Step(GREEN, True, _STEADY_MS),),
    "storing": (Step(BLUE, True, 3000), Step(DARK, False, 500)),
    "silent": _blinks(2, BLUE),
    "conflict": (Step(BLUE, True, 120), Step(WHITE, False, 120)),
    "engineer": _blinks(3, WHITE),
}


@dataclass(frozen=True, slots=True)
class Lamp:
    """What the board has: one LED, or red, green and blue. Folders below /sys/class/leds."""

    leds: tuple[Path, ...]

    def show(self, pattern: Pattern) -> None:
        """Raises OSError."""
        for at, led in enumerate(self.leds):
            if len(self.leds) == 1:
                lit = [step.one for step in pattern]
            else:
                lit = [bool(step.colour & (4 >> at)) for step in pattern]
            _drive(led, lit, [step.ms for step in pattern])


def found(folder: Path = CLASS, name: str = "") -> Lamp | None:
    """Three colours where there are three, else the board's one (or the one of this name); None: it has none."""
    names = sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []
    if name:
        return Lamp((folder / name,)) if name in names else None
    colours = [
        next((one for one in names if re.search(rf"(^|[:_-]){colour}([:_-]|$)", one)), "")
        for colour in ("red", "green", "blue")
    ]
    if all(colours):
        return Lamp(tuple(folder / one for one in colours))
    single = next((one for one in _SINGLE if one in names), "")
    return Lamp((folder / single,)) if single else None


def _drive(led: Path, lit: Sequence[bool], lasts_ms: Sequence[int]) -> None:
    """Steady by brightness, all else by the kernel's pattern; by its timer where it has no pattern."""
    full = int((led / "max_brightness").read_text("ascii"))
    if len(set(lit)) == 1:
        (led / "trigger").write_text("none", "ascii")
        (led / "brightness").write_text(str(full if lit[0] else 0), "ascii")
        return
    if "pattern" not in (led / "trigger").read_text("ascii"):
        (led / "trigger").write_text("timer", "ascii")
        for file, is_on in (("delay_on", True), ("delay_off", False)):
            each = [ms for ms, one in zip(lasts_ms, lit, strict=True) if one is is_on]
            (led / file).write_text(str(max(each)), "ascii")
        return
    (led / "trigger").write_text("pattern", "ascii")
    tuples = [f"{full if one else 0} {ms} {full if one else 0} 0" for one, ms in zip(lit, lasts_ms, strict=True)]
    (led / "pattern").write_text(" ".join(tuples), "ascii")
