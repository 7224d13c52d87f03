"""What to do when the radio fails, a rung at a time: from what disturbs nobody to what silences all for seconds. Pure.

Times are monotonic nanoseconds.
"""

from __future__ import annotations

from enum import StrEnum

SECOND_NS = 1_000_000_000
PER_RUNG_COUNT = 2  # so many failures before the next rung


class Rung(StrEnum):
    """In the order in which they are climbed."""

    RESCAN = "scan again"
    FORGET = "forget the device"
    POWER = "adapter off and on"
    DAEMON = "restart bluetoothd"
    USB = "adapter's USB power"


ORDER = tuple(Rung)
REST_S = {Rung.RESCAN: 0, Rung.FORGET: 0, Rung.POWER: 120, Rung.DAEMON: 600, Rung.USB: 1800}  # not again within


class Ladder:
    """Counts failures in a row; says which rung to take now, if any."""

    def __init__(self) -> None:
        self.taken = dict.fromkeys(ORDER, 0)
        self.failed_rungs = 0
        self._failures = 0
        self._next = 0
        self._taken_at: dict[Rung, int] = {}

    def failed(self, now: int, top: Rung, per_rung: int = PER_RUNG_COUNT) -> Rung | None:
        """One more failure. No rung above `top` is taken; after it, and after a rest, the lowest again."""
        self._failures += 1
        if self._failures % per_rung:
            return None
        limit = ORDER.index(top)
        for step in range(limit + 1):
            at = (self._next + step) % (limit + 1) if self._next <= limit else step
            rung = ORDER[at]
            if now - self._taken_at.get(rung, -REST_S[rung] * SECOND_NS) >= REST_S[rung] * SECOND_NS:
                self._next = at + 1
                self._taken_at[rung] = now
                self.taken[rung] += 1
                return rung
        return None

    def good(self) -> None:
        """A device was heard: whatever it was is over."""
        self._failures = self._next = 0
