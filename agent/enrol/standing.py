"""Where the gateway stands with its enrolment: until when, and when to renew. Pure, and light enough for the daemon.

Times are microseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

RENEWABLE_US = 180 * 86_400_000_000  # after a certificate has expired the old key still renews it (ADR 19)
RETRY_FIRST_S = 60.0
RETRY_LIMIT_S = 6 * 3600.0


class Enrolled(msgspec.Struct, frozen=True):
    """The file enrolled.json. `url`: where to renew, or "". `time`: host:port of signed time, or ""."""

    site: str
    gateway: str
    version: int  # of the directory
    begins: int
    ends: int
    url: str
    time: str = ""
    revoked: bool = False

    @property
    def due(self) -> int:
        """When to renew: at two thirds of the life."""
        return self.begins + (self.ends - self.begins) * 2 // 3


class Asked(msgspec.Struct, frozen=True):
    """What was asked and waits for its answer. `root`: SHA-256 that a voucher named, b"" in a renewal; `url`: where."""

    site: str
    gateway: str
    nonce: bytes
    root: bytes
    url: str


def read(data: bytes) -> Enrolled:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(data, type=Enrolled)


def is_due(enrolled: Enrolled, passed: int, refused: bool) -> bool:
    """`passed`: what time has surely passed, at least; `refused`: it has expired, says the broker."""
    return bool(enrolled.url) and (refused or passed >= enrolled.due)


def is_too_late(enrolled: Enrolled, passed: int) -> bool:
    """Whether only a voucher helps."""
    return passed > enrolled.ends + RENEWABLE_US


def wait_s(attempt: int, uniform: Callable[[float, float], float]) -> float:
    """Before the attempt after `attempt` failures: doubling from a minute to six hours, half of it by chance."""
    longest = min(RETRY_LIMIT_S, RETRY_FIRST_S * 2.0 ** min(attempt, 16))
    return uniform(longest / 2, longest)
