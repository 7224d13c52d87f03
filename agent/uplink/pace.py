"""Pace: when to try again, how much may be on the way, and when a silent link is dead. Pure; times are nanoseconds.

What was measured on which link, and what to expect, is in docs/links.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

SECOND_NS = 1_000_000_000

BACKOFF_LEAST_S = 0.5
BACKOFF_LIMIT_S = 30.0  # of 1000 gateways whose broker comes back, 33 a second then ask for a handshake
SILENCE_LIMIT_S = 8.0  # where nothing answers a dial there is nobody to spare, and a short way out may just have opened
BACKOFF_DOUBLINGS_LIMIT = 7

# What may be outstanding: what the link carried in the last second, for an alarm waits behind all of it. Never less
# than 14 kB: that is 3.5 s on the slowest link (32 kbit/s, 0.8 s). With 12 kB it ran dry too often while a lost packet
# was sent again, with 24 kB an alarm waited twice as long (docs/links.md). Never more than 256 kB: 6 Mbit/s at 0.33 s,
# and paho keeps a copy of it in memory.
WINDOW_BYTES = 14_000
WINDOW_LIMIT_BYTES = 256_000
WINDOW_S = 1.0
# Of that, what the kernel holds and may not send yet: live cannot pass it. An envelope or two of backlog, or a quarter
# of a second of it, is enough that TCP never waits for us.
UNSENT_LEAST_BYTES = 3_000
UNSENT_S = 0.25
RATE_MEMORY_NS = 4 * SECOND_NS  # the best rate of the last 4 to 8 s counts: a loss is not yet another link
RTT_LEAST_NS = 1_000_000  # what is answered faster is as good as at once
RECEIVE_LIMIT_COUNT = 65_535
PACKET_LIMIT_BYTES = 1 << 28

STALL_RTTS = 8
STALL_LIMIT_NS = 40 * SECOND_NS  # a full window takes 10 s at 9.6 kbit/s, and TCP tries again after 3, 6, 12 s
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
    """Full jitter: each wait is uniform between 0.5 s and a bound that doubles up to 30 s, or 8 s on a silent network.

    `uniform(a, b)` gives a number in a..b. Only acknowledged envelopes reset it: a broker that accepts a
    connection and drops it at once is no success.
    """

    def __init__(self, uniform: Callable[[float, float], float]) -> None:
        self._uniform = uniform
        self._doublings = 0

    def next_ns(self, unheard: bool = False) -> int:
        """`unheard`: nobody answered the last dial, not even to refuse it."""
        bound = min(SILENCE_LIMIT_S if unheard else BACKOFF_LIMIT_S, 2.0 * BACKOFF_LEAST_S * 2.0**self._doublings)
        self._doublings = min(BACKOFF_DOUBLINGS_LIMIT, self._doublings + 1)
        return int(self._uniform(BACKOFF_LEAST_S, bound) * SECOND_NS)

    def progress(self) -> None:
        self._doublings = 0

    def exhaust(self) -> None:
        """From now on wait as long as we ever do (another gateway has our name: haste would be a fight)."""
        self._doublings = BACKOFF_DOUBLINGS_LIMIT


class Window:
    """How many bytes and envelopes may be outstanding (handed over, not yet acknowledged by the broker).

    An envelope larger than the window goes alone.
    """

    def __init__(self) -> None:
        self.limit_bytes = WINDOW_BYTES
        self.unsent_limit_bytes = UNSENT_LEAST_BYTES
        self.receive_limit_count = RECEIVE_LIMIT_COUNT

    def follow(self, rate_bytes_s: float) -> None:
        """The link carries so much."""
        self.limit_bytes = min(WINDOW_LIMIT_BYTES, max(WINDOW_BYTES, int(rate_bytes_s * WINDOW_S)))
        self.unsent_limit_bytes = max(UNSENT_LEAST_BYTES, int(rate_bytes_s * UNSENT_S))

    def admits(self, size_bytes: int, outstanding_bytes: int, count: int) -> bool:
        if count == 0:
            return True
        return count < self.receive_limit_count and outstanding_bytes + size_bytes <= self.limit_bytes


class RoundTrip:
    """Smoothed time from handing over to PUBACK (RFC 6298 weights), and the rate at which the link carries.

    The rate of one envelope's trip is all that was acknowledged from its handing over to its own answer, by the time
    that took: neither a pause before it nor answers that come in a heap make it too large by much.
    """

    def __init__(self) -> None:
        self.rtt_ns: int | None = None
        self._best = self._best_before = 0.0
        self._turned_ns = 0

    def sample(self, rtt_ns: int, carried_bytes: int, now: int) -> None:
        self.rtt_ns = rtt_ns if self.rtt_ns is None else self.rtt_ns + (rtt_ns - self.rtt_ns) // 8
        if now - self._turned_ns >= RATE_MEMORY_NS:
            self._best_before = self._best if now - self._turned_ns < 2 * RATE_MEMORY_NS else 0.0
            self._best, self._turned_ns = 0.0, now
        self._best = max(self._best, carried_bytes * SECOND_NS / max(rtt_ns, RTT_LEAST_NS))

    @property
    def rate_bytes_s(self) -> float:
        """The best of the last seconds; less than the link could where little was sent."""
        return max(self._best, self._best_before)

    def fetch_bytes(self) -> int:
        """How much backlog to take at a time: what the link carries in 4 s, so that newer is not stuck behind."""
        return min(FETCH_LIMIT_BYTES, max(FETCH_LEAST_BYTES, int(self.rate_bytes_s * FETCH_AHEAD_S)))

    def stall_ns(self, least_ns: int, largest_bytes: int) -> int:
        """How long without any PUBACK means half-open, with an envelope of `largest_bytes` outstanding.

        An envelope larger than the window is given the time that the slowest link needs for it.
        """
        patience = max(least_ns, min(STALL_LIMIT_NS, STALL_RTTS * (self.rtt_ns or 0)))
        return patience + max(0, largest_bytes - WINDOW_BYTES) * SECOND_NS // LEAST_RATE_BYTES_S
