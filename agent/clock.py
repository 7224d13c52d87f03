"""The only clock: monotonic nanoseconds since boot, and anchors that say what UTC was (DESIGN 9).

Monotonic time is CLOCK_BOOTTIME, which runs on through suspend and never steps. UTC is read beside it; how well it is
known comes from the kernel's own discipline state (adjtimex(2): synchronised or not, and its maximum error).
"""

from __future__ import annotations

import time
from pathlib import Path

from discipline import kernel, machine
from wire.records import Anchor

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
FLOOR_UTC_US = 1_795_305_600_000_000  # 2026-11-22, when this release was made: no clock before it is believed
STEP_LIMIT_US = 50_000


def now() -> int:
    """Monotonic nanoseconds since boot."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def boot_id() -> bytes:
    """16 random bytes that the kernel made for this boot; zeros where it does not say."""
    try:
        return bytes.fromhex(BOOT_ID.read_text("ascii").strip().replace("-", ""))
    except (OSError, ValueError):
        return bytes(16)


def unix_us() -> int:
    """The wall clock in microseconds since 1970, whatever it is worth."""
    return time.time_ns() // 1000


def look() -> machine.Found:
    """Who keeps the wall clock, and what it is worth. Blocks for milliseconds."""
    return machine.look(unix_us)


def anchor(late_us: int = 0) -> Anchor | None:
    """What UTC is now, as far as anybody knows; None while the wall clock is plainly unset.

    `late_us`: how much later than it happened a thing may be stamped. It is part of the error of every stamp.
    """
    before = now()
    utc = unix_us()
    after = now()
    error = kernel.state().error_us
    return anchored(before, utc, after, None if error is None else error + late_us)


def anchored(before: int, utc: int, after: int, error_us: int | None) -> Anchor | None:
    """The anchor for a wall clock that said `utc` between `before` and `after`; `error_us` None: nobody knows."""
    if utc < FLOOR_UTC_US:
        return None
    middle = (before + after) // 2000
    if error_us is None:
        return Anchor(middle, utc, None, "unsynchronised")
    return Anchor(middle, utc, error_us + (after - before) // 2000, "ntp")


def passed_utc(known: Anchor | None) -> int | None:
    """Microseconds since 1970 that had surely passed at an anchor; None where it does not know its error."""
    return None if known is None or known.error is None else known.utc - known.error


def stepped(earlier: Anchor, later: Anchor) -> bool:
    """Whether UTC moved against the monotonic clock by more than an anchor should hide."""
    return abs((later.utc - earlier.utc) - (later.t - earlier.t)) > STEP_LIMIT_US
