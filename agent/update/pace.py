"""Behind live data: when an update may be fetched, how fast, and when the machine may start again. Pure."""

from __future__ import annotations

from dataclasses import dataclass

BACKLOG_LIMIT_BYTES = 1 << 20
FIRST_BYTES_S = 16 << 10
LEAST_BYTES_S = 1 << 10
LIMIT_BYTES_S = 1 << 20
PIECE_LEAST_BYTES, PIECE_LIMIT_BYTES = 4 << 10, 64 << 10
PIECE_S = 0.5  # of the link at a time: what live data may have to wait for
SLOWER, FASTER = 0.5, 1.25
SLACK_S = 0.5
QUIET_S = 600.0
PATIENCE_S, URGENT_PATIENCE_S = 24 * 3600.0, 3600.0


@dataclass(frozen=True, slots=True)
class Live:
    """How live data fares: `waiting_bytes` without a receipt, `live_left` envelopes that live had to leave to backfill.

    `heard_s` is the age of the last observation of any device; None: there was none.
    """

    is_connected: bool
    waiting_bytes: int
    live_left: int
    round_trip_s: float | None
    heard_s: float | None = None


def why_not(live: Live | None, *, is_urgent: bool) -> str:
    """Why nothing may be fetched now; empty if it may. `live` None: no gateway runs that could be disturbed."""
    if live is None or is_urgent:
        return ""
    if not live.is_connected:
        return "no link to the broker: what waits goes first"
    if live.waiting_bytes > BACKLOG_LIMIT_BYTES:
        return f"{live.waiting_bytes} bytes wait to be delivered, and go first"
    return ""


def may_restart(live: Live | None, waited_s: float, *, is_urgent: bool) -> bool:
    """Nobody is being measured, or it has waited long enough."""
    if live is None or live.heard_s is None or live.heard_s >= QUIET_S:
        return True
    return waited_s >= (URGENT_PATIENCE_S if is_urgent else PATIENCE_S)


class Pace:
    """The rate: faster while live data does not mind, half of it as soon as live is left behind or answered later."""

    def __init__(self, limit_bytes_s: float = LIMIT_BYTES_S) -> None:
        self._limit = limit_bytes_s
        self.bytes_s: float = min(FIRST_BYTES_S, limit_bytes_s)
        self._least_s: float | None = None
        self._left: int | None = None

    @property
    def piece_bytes(self) -> int:
        """How much to ask for at once; whole grains."""
        wanted = int(self.bytes_s * PIECE_S) // PIECE_LEAST_BYTES * PIECE_LEAST_BYTES
        return max(PIECE_LEAST_BYTES, min(PIECE_LIMIT_BYTES, wanted))

    def rest_s(self, size_bytes: int, took_s: float) -> float:
        """How long to leave the link alone after a piece."""
        return max(0.0, size_bytes / self.bytes_s - took_s)

    def look(self, live: Live | None) -> None:
        """`live` None: nobody minds."""
        if live is None:
            self.bytes_s = self._limit
        elif self._minds(live):
            self.bytes_s = max(LEAST_BYTES_S, self.bytes_s * SLOWER)
        else:
            self.bytes_s = min(self._limit, self.bytes_s * FASTER)

    def _minds(self, live: Live) -> bool:
        left, self._left = self._left, live.live_left
        if left is not None and live.live_left > left:
            return True
        if live.round_trip_s is None:
            return False
        self._least_s = min(live.round_trip_s, self._least_s or live.round_trip_s)
        return live.round_trip_s > 2 * self._least_s + SLACK_S
