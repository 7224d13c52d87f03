"""Times and sizes of the uplink that a test or a bench may want otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from agent.uplink.lanes import LIVE_LIMIT_BYTES
from agent.uplink.receipts import PATIENCE_LEAST_S

STALL_LEAST_S = 20.0
LOOK_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The defaults are for links from 9.6 kbit/s to loopback."""

    stall_least_s: float = STALL_LEAST_S
    patience_least_s: float = PATIENCE_LEAST_S
    look_every_s: float = LOOK_EVERY_S
    close_limit_s: float = 3.0
    live_limit_bytes: int = LIVE_LIMIT_BYTES
