"""What to do when the radio fails, a rung at a time: from what disturbs nobody to what silences all for seconds. Pure.

Times are monotonic nanoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
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
REST_S = {Rung.RESCAN: 0, Rung.FORGET: 0, Rung.POWER: 60, Rung.DAEMON: 600, Rung.USB: 1800}  # not again within
AFTER_S = {Rung.RESCAN: 0, Rung.FORGET: 0, Rung.POWER: 5, Rung.DAEMON: 60, Rung.USB: 120}  # of failing, and not before
DISTURB_REST_S = 300  # before what disturbs devices that are being heard


@dataclass(slots=True)
class Streak:
    """Failures in a row of one device, or of the scan."""

    first_ns: int
    failures: int = 0
    next: int = 0


class Ladder:
    """Counts failures in a row, of each device for itself (another one that is heard proves nothing), and says which
    rung to take now, if any. A rung that must rest is not climbed over.
    """

    def __init__(self) -> None:
        self.taken = dict.fromkeys(ORDER, 0)
        self.failed_rungs = 0
        self._streaks: dict[str, Streak] = {}
        self._taken_ns: dict[Rung, int] = {}

    def failed(
        self, who: str, now: int, rungs: tuple[Rung, ...], per_rung: int = PER_RUNG_COUNT, disturbs: bool = False
    ) -> Rung | None:
        """One more failure, for which these rungs may be taken; `disturbs`: others are being heard by this adapter."""
        streak = self._streaks.setdefault(who, Streak(now))
        streak.failures += 1
        if streak.failures % per_rung:
            return None
        wanted = next((rung for rung in rungs if ORDER.index(rung) >= streak.next), rungs[0])
        rung = wanted if self._may(wanted, now - streak.first_ns, now, disturbs) else rungs[0]
        if rung is wanted:
            streak.next = ORDER.index(rung) + 1
        self._taken_ns[rung] = now
        self.taken[rung] += 1
        return rung

    def _may(self, rung: Rung, failing_ns: int, now: int, disturbs: bool) -> bool:
        rest_s = max(DISTURB_REST_S, REST_S[rung]) if disturbs and REST_S[rung] else REST_S[rung]
        rested = rung not in self._taken_ns or now - self._taken_ns[rung] >= rest_s * SECOND_NS
        return rested and failing_ns >= AFTER_S[rung] * SECOND_NS

    def good(self, who: str) -> None:
        """It was heard: whatever it was is over."""
        self._streaks.pop(who, None)
