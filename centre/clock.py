"""The centre's clock and its dice: the only place of the centre that asks the machine for either."""

from __future__ import annotations

import os
import random
import time

RETRY_LIMIT_S = 60


def utc_us() -> int:
    """Microseconds since 1970 by this machine."""
    return time.time_ns() // 1000


def monotonic_us() -> int:
    """Microseconds that only grow, through suspend too."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def monotonic_s() -> float:
    """Seconds that only grow, for durations."""
    return time.monotonic()


def retry_s(attempt: int) -> int:
    """Full jitter: whole seconds to wait before attempt number `attempt` (from 0), between 1 and a doubling cap."""
    return 1 + random.randrange(min(RETRY_LIMIT_S, 2 ** min(attempt, 10)))


def secret(count: int) -> bytes:
    """Random bytes that nobody can guess."""
    return os.urandom(count)


def nonce() -> bytes:
    """8 random bytes: the name of a command, or of a receipt."""
    return random.randbytes(8)
