"""When what happened to each envelope of a shard: seconds of the machine's monotonic clock, which all share."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field

NEVER = float("inf")


@dataclass(slots=True)
class Sheet:
    """`rows` x `columns`: gateways of the shard by envelopes of their rings, the grant first."""

    rows: int
    columns: int
    due: array[float] = field(init=False)
    written: array[float] = field(init=False)  # first handed to the socket
    acked: array[float] = field(init=False)  # first PUBACK
    held: array[float] = field(init=False)  # first receipt that says so
    up: array[float] = field(init=False)  # by gateway: when the broker last accepted its connection
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for name in ("due", "written", "acked", "held"):
            setattr(self, name, array("d", [NEVER]) * (self.rows * self.columns))
        self.up = array("d", [NEVER]) * self.rows
