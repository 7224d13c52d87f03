"""How much of a month's volume is left, and what is held back for it. Pure.

What may wait gives way first: waves that are late, then waves as they come, then vitals that are late. Keys, and vitals
as they come, with every alarm, are never held back: the cap is passed for them, and that is said.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from agent.uplink.shut import OPEN, Shut
from wire.topics import Class

_WAVES = frozenset({Class.WAVE})
# From which hundredth of the cap on, the last first. 5 of them are what vitals, which nothing stops, may yet need.
_STEPS = (
    (95, Shut(_WAVES, _WAVES | {Class.VITAL}, "waves and late readings wait")),
    (90, Shut(_WAVES, _WAVES, "waves wait")),
    (80, Shut(frozenset(), _WAVES, "late waves wait")),
)


class Used(msgspec.Struct, frozen=True):
    """As it is kept on the disk. `month` is its number since the year 0, 0 where no time was ever known."""

    month: int = 0
    bytes: int = 0


class Allowance:
    """Of `cap_bytes` a month, by UTC."""

    def __init__(self, cap_bytes: int, used: Used = Used()) -> None:  # noqa: B008  frozen
        self.cap_bytes = cap_bytes
        self.used = used

    def count(self, size_bytes: int, utc: int | None) -> None:
        """So many more. `utc`: microseconds since 1970 that have surely passed; None: nobody knows, it goes on."""
        month, total = self.used.month, self.used.bytes + size_bytes
        now = month if utc is None else _month(utc)
        if now > month:
            total = size_bytes if month else total  # what came before any time was known counts for this one
            month = now
        self.used = Used(month, total)

    @property
    def shut(self) -> Shut:
        return next((shut for hundredth, shut in _STEPS if self.used.bytes * 100 >= self.cap_bytes * hundredth), OPEN)

    @property
    def month(self) -> str:
        """Like "2026-11"; empty where no time was ever known."""
        return f"{(self.used.month - 1) // 12:04}-{(self.used.month - 1) % 12 + 1:02}" if self.used.month else ""


def _month(utc: int) -> int:
    when = datetime.fromtimestamp(utc // 1_000_000, UTC)
    return when.year * 12 + when.month
