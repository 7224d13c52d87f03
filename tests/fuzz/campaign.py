"""One driver's whole campaign: the long life, the short ones, and what failed, made small."""

from __future__ import annotations

import time
from typing import Any

from tests.fuzz import corpus, evidence, life, shrink


def attempt(driver_id: str, seed: int, size: int) -> dict[str, Any]:
    """All of one driver, in a process of its own: its memory is nobody else's."""
    tally = life.Tally()
    began = time.monotonic()
    life.long_life(driver_id, seed, size, tally)
    life.short_lives(driver_id, seed, size // life.SHORT_SHARE, tally)
    tally.seconds = time.monotonic() - began
    captures = [str(shrink.write(driver_id, found).relative_to(corpus.ROOT)) for found in tally.failures]
    return evidence.line(driver_id, seed, tally, captures)


def is_good(one: dict[str, Any]) -> bool:
    return not one["exceptions"] and not one["outside"] and one["growth_bytes"] < life.GROWTH_LIMIT_BYTES


def summary(one: dict[str, Any]) -> str:
    said = (
        f"{one['driver']}: {one['bytes']} bytes in {one['seconds']:.0f} s, {one['frames']} frames, "
        f"exceptions {one['exceptions']}, outside {one['outside']}, grown by {one['growth_bytes'] >> 10} KiB, "
        f"holds {one['held_bytes'] >> 10} KiB, slowest {one['slowest_ms']:.0f} ms"
    )
    return "\n".join([said, *(f"  {text}" for text in (*one["failures"], *one["captures"]))])
