"""Where the uplink meets the rest of the gateway."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from agent.uplink.account import LinkState
from agent.uplink.link import Broker, Link, Will
from agent.uplink.shut import OPEN, Shut
from agent.uplink.times import Nobody, Times
from wire.topics import Address

Dial = Callable[[Broker, str, Will, Callable[[], None], Callable[[str, bytes], None]], Link]


@dataclass(frozen=True, slots=True)
class Seams:
    """Where the uplink meets the rest. `clock` is monotonic nanoseconds; `uniform(a, b)` a random number in a..b.

    `on_connect` is called on each connection before anything live flows: offer the catalogue there.
    `shut` says what waits in the spool for want of volume; any thread.
    `utc` gives microseconds since 1970 that have surely passed, None where nobody knows.
    """

    on_state: Callable[[LinkState], None]
    on_connect: Callable[[], None]
    clock: Callable[[], int]
    uniform: Callable[[float, float], float]
    utc: Callable[[], int | None] = lambda: None
    dial: Dial = Link
    times: Times = field(default_factory=Nobody)
    shut: Callable[[], Shut] = lambda: OPEN


@dataclass(frozen=True, slots=True)
class Origin:
    """Who sends: the gateway's address, its epoch, and the 8 random bytes that tell this start from others."""

    address: Address
    epoch: int
    start: bytes
