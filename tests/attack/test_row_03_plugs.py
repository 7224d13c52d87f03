"""Row 3, from the side of the gateway: adapters whose names lie, and ten thousand plug cycles. Nothing leaks.

The kernel reads descriptors before we do (a fuzz of those, and cycles on a real bus, are the guest's: tests/vm). What
reaches us are names in /sys: of any letters and length, coming and going while we look.
"""

from __future__ import annotations

import gc
import random
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

from agent.ports.plugs import LOOKS_LIMIT, Plugs
from tests.attack.long import IS_LONG

CYCLES = 10_000 if IS_LONG else 1000
GROWTH_LIMIT_BYTES = 64 * 1024
NAMES = ("FTDI", "\x1b[2J", "\u202egnp", "a" * 126, "", None, "\r\nroot", "\ud800", "'; DROP TABLE--")


@dataclass
class Sys:
    """An adapter as pyserial reads it."""

    device: str
    name: str
    location: str | None
    manufacturer: str | None
    product: str | None


def ours_bytes() -> int:
    """What the code that is tried keeps; pathlib here keeps every name it ever saw."""
    gc.collect()
    kept = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/agent/*")])
    return sum(one.size for one in kept.statistics("filename"))


def test_ten_thousand_cycles_of_adapters_with_hostile_names_leave_nothing(tmp_path: Path) -> None:
    dice, there = random.Random(3), {}

    def ports() -> list[Sys]:
        if dice.random() < 0.1:
            raise dice.choice((OSError(19, "gone"), TypeError("gone"), ValueError("gone")))
        return [Sys(f"/dev/{n}", n, place, dice.choice(NAMES), dice.choice(NAMES)) for n, place in there.items()]

    look, base = Plugs(tmp_path, ports), 0
    for cycle in range(CYCLES):
        name = f"ttyUSB{dice.randrange(6)}"
        if there.pop(name, None) is None:
            there[name] = f"1-{dice.randrange(4)}"
            (tmp_path / name).touch()
        else:
            (tmp_path / name).unlink()
        for plug in look():
            assert plug.path.startswith("/dev/ttyUSB")
            assert plug.place
        if cycle == CYCLES // 10:
            tracemalloc.start()
            base = ours_bytes()
    grown = ours_bytes() - base
    tracemalloc.stop()
    assert grown < GROWTH_LIMIT_BYTES
    for _ in range(4 * LOOKS_LIMIT):
        found = look()
    assert {plug.path for plug in found} == {f"/dev/{name}" for name in there}
