"""How well a time is known, in one letter for people (REQUIREMENTS TIM-06)."""

from __future__ import annotations

from typing import Literal

Grade = Literal["A", "B", "C", "D", "X"]
_LIMITS_US: tuple[tuple[int, Grade], ...] = ((50_000, "A"), (1_000_000, "B"), (60_000_000, "C"))


def grade(error_us: int | None) -> Grade:
    """A within 50 ms, B within 1 s, C within 60 s, D bounded, X unknown."""
    if error_us is None:
        return "X"
    return next((letter for limit, letter in _LIMITS_US if error_us <= limit), "D")
