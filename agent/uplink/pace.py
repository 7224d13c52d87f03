"""Pace: when to try again, how much may be on the way, and when a silent link is dead. Pure; times are nanoseconds.

Figures: DATA.md 3 (12 kB outstanding makes an alarm wait 0.4 s on 64 kbit/s, 116 kB makes it wait 15 s) and 6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

SECOND_NS = 1_000_000_000

BACKOFF_LEAST_S = 0.5
BACKOFF_LIMIT_S = 30.0
BACKOFF_DOUBLINGS_LIMIT = 7

WINDOW_BYTES = 12_000
WINDOW_LIMIT_BYTES = 64_000
FAST_RTT_NS = 50_000_000
RECEIVE_LIMIT_COUNT = 65_535
PACKET_LIMIT_BYTES = 1 << 28

STALL_RTTS = 8
LEAST_RATE_BYTES_S = 500  # 4 kbit/s: slower than any link we promise to work on

FETCH_AHEAD_S = 4
FETCH_LEAST_BYTES = 32_768
FETCH_LIMIT_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Terms:
    """What the broker allows, from its CONNACK; the defaults are MQTT's own."""

    receive_limit_count: int = RECEIVE_LIMIT_COUNT
    packet_limit_bytes: int = PACKET_LIMIT_BYTES


class Backoff:
    """Full jitter: each wait is uniform between 0.5 s and a bound that doubles up to 30 s.

    `uniform(a, b)` gives a number in a..b. Only acknowledged envelopes reset it: a broker that accepts a
    connection and drops it at once is no success.
    """

    def __init__(self, uniform: Callable[[float, float], float]) -> None:
        self._uniform = uniform
        self._doublings = 0

    def next_ns(self) -> int:
        bound = min(BACKOFF_LIMIT_S, 2.0 * BACKOFF_LEAST_S * 2.0**self._doublings)
        self._doublings = min(BACKOFF_DOUBLINGS_LIMIT, self._doublings + 1)
        return int(self._uniform(BACKOFF_LEAST_S, bound) * SECOND_NS)

    def progress(self) -> None:
        self._doublings = 0

    def exhaust(self) -> None:
        """From now on wait as long as we ever do (another gateway has our name: haste would be a fight)."""
        self._doublings = BACKOFF_DOUBLINGS_LIMIT


class Window:
    """How many bytes and envelopes may be outstanding (handed over, not yet acknowledged by the broker).

    12 kB for all; on a link that answers within 50 ms backfill may grow it to 64 kB, and one slow answer, or none
    within 50 ms, takes it back. Live alone never holds more than 12 kB. An envelope larger than that goes alone.
    """

    def __init__(self) -> None:
        self.limit_bytes = WINDOW_BYTES
        self.receive_limit_count = RECEIVE_LIMIT_COUNT

    def acknowledged(self, size_bytes: int, rtt_ns: int) -> None:
        if rtt_ns < FAST_RTT_NS:
            self.limit_bytes = min(WINDOW_LIMIT_BYTES, self.limit_bytes + size_bytes)
        else:
            self.limit_bytes = WINDOW_BYTES

    def waited(self, oldest_ns: int) -> None:
        """The oldest outstanding envelope has had no answer for so long."""
        if oldest_ns >= FAST_RTT_NS:
            self.limit_bytes = WINDOW_BYTES

    def admits_live(self, size_bytes: int, live_bytes: int, outstanding_bytes: int, count: int) -> bool:
        if live_bytes and live_bytes + size_bytes > WINDOW_BYTES:
            return False
        return self.admits(size_bytes, outstanding_bytes, count)

    def admits(self, size_bytes: int, outstanding_bytes: int, count: int) -> bool:
        if count == 0:
            return True
        return count < self.receive_limit_count and outstanding_bytes + size_bytes <= self.limit_bytes


class RoundTrip:
    """Smoothed time from handing over to PUBACK (RFC 6298 weights), and the rate at which bytes are acknowledged."""

    def __init__(self) -> None:
        self.rtt_ns: int | None = None
        self._rate_bytes_s = 0.0
        self._acked_bytes = 0

    def sample(self, rtt_ns: int, size_bytes: int) -> None:
        self.rtt_ns = rtt_ns if self.rtt_ns is None else self.rtt_ns + (rtt_ns - self.rtt_ns) // 8
        self._acked_bytes += size_bytes

    def tick(self, elapsed_ns: int) -> None:
        """Close one interval of the rate. An idle interval says nothing about the link."""
        if self._acked_bytes and elapsed_ns > 0:
            rate = self._acked_bytes * SECOND_NS / elapsed_ns
            self._rate_bytes_s += (rate - self._rate_bytes_s) / 2
        self._acked_bytes = 0

    def fetch_bytes(self) -> int:
        """How much backlog to take at a time: what the link carries in 4 s, so that newer is not stuck behind."""
        return min(FETCH_LIMIT_BYTES, max(FETCH_LEAST_BYTES, int(self._rate_bytes_s * FETCH_AHEAD_S)))

    def stall_ns(self, least_ns: int, largest_bytes: int) -> int:
        """How long without any PUBACK means half-open, with an envelope of `largest_bytes` outstanding.

        An envelope larger than the window is given the time that the slowest link needs for it.
        """
        patience = max(least_ns, STALL_RTTS * (self.rtt_ns or 0))
        return patience + max(0, largest_bytes - WINDOW_BYTES) * SECOND_NS // LEAST_RATE_BYTES_S
