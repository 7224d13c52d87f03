"""What the store hands to pages and interfaces: plain rows, one word per thing (DESIGN 2).

`t` is microseconds of a gateway's monotonic clock within `epoch`; `utc` is microseconds since 1970 by the centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from wire.records import MarkAt


@dataclass(frozen=True, slots=True)
class Room:
    """How a gateway's spool stood for a class (`key`, `vital`, `wave`) when it said so, at `utc` by the centre's clock.

    `seconds`: how long it had room before what has no receipt must give way; None where the gateway did not know.
    """

    word: str
    utc: int
    waiting: int
    seconds: int | None


@dataclass(frozen=True, slots=True)
class Bed:
    """One gateway at its bed, as last heard. `heard_utc` is None where nothing has come yet."""

    site: str
    gateway: str
    bed: str
    online: bool
    heard_utc: int | None
    epoch: int
    method: str
    status: str
    pseudonym: str
    missing: int  # envelopes that the ledger lacks and nobody has declared lost
    lost: int  # envelopes declared lost
    duplicates: int
    rooms: tuple[Room, ...] = ()  # by class; none where the gateway has not said
    unproven: int = 0  # envelopes here that no manifest proves, or not yet
    refuted: int = 0  # envelopes of stretches that are not what their manifest lists
    conflicts: int = 0  # envelopes kept apart: others were here under their names
    error: int | None = None  # of its clock at its newest data, microseconds; None where nobody knows
    source: str = ""  # of the anchor that says so


@dataclass(frozen=True, slots=True)
class Association:
    """What was said of the patient, from `since` until before `until`: (epoch, t) each, None: it goes on."""

    since: tuple[int, int]
    until: tuple[int, int] | None
    method: str
    status: str
    performer: str
    pseudonym: str
    bed: str
    ended: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream with the session it belongs to; a wave where `rate` > 0, else a numeric."""

    gateway: str
    epoch: int
    stream: int
    session: int
    channel: str
    mdc: int
    unit: str
    rate: Fraction
    gain: Fraction
    offset: Fraction
    bits: int
    filter: str
    driver: str
    integrity: str
    maker: str
    model: str
    serial: str
    port: str
    firmware: str = ""


@dataclass(frozen=True, slots=True)
class Samples:
    """A run of one stream: `values` are the device's integers, from index `first`; `t` when the last one arrived."""

    epoch: int
    stream: int
    first: int
    t: int
    values: NDArray[np.int32]
    marks: tuple[MarkAt, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a device's clock said: `iso` (no zone, "" where it has no calendar) or `ticks` of `hertz`."""

    iso: str
    ticks: int | None = None
    hertz: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Reading:
    """A numeric as the device said it; `taken` where it says when it was measured, which may be long before `t`."""

    epoch: int
    stream: int
    t: int
    value: Decimal | None
    why: str
    taken: Taken | None = None


@dataclass(frozen=True, slots=True)
class Paired:
    """A coincident pair: at `t` of `epoch` the clock of the device of `session` said `said`."""

    epoch: int
    session: int
    t: int
    said: Taken


@dataclass(frozen=True, slots=True)
class Notice:
    """An alarm, status, device time or session change of the device's, relayed: `kind` names which."""

    epoch: int
    session: int
    t: int
    kind: str
    code: str
    phase: str
    text: str
    channel: str
    priority: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples of a stream that never came (declared by the gateway)."""

    epoch: int
    stream: int
    t: int
    first: int
    count: int | None
    cause: str


@dataclass(frozen=True, slots=True)
class Anchored:
    """An anchor: at `t` of `epoch` UTC was `utc`, within `error` microseconds (None: nobody knows)."""

    epoch: int
    t: int
    utc: int
    error: int | None
    source: str


@dataclass(frozen=True, slots=True)
class Order:
    """A command that a person gave, and what came of it. `outcome` is empty until the gateway has said it.

    `here` of `pieces` of a diagnostic bundle have come; `pieces` is 0 until the first has.
    """

    nonce: str
    verb: str
    asked: int
    sent: int | None
    tries: int
    outcome: str
    text: str
    answered: int | None
    here: int
    pieces: int


@dataclass(frozen=True, slots=True)
class AuditLog:
    """How far a gateway's audit log had come when it said so, at `utc`; `problem`: what speaks against it, or ""."""

    count: int
    hash: bytes
    utc: int
    problem: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """When envelopes of one stretch of an epoch came; they hold times from `first` to `last`.

    The one that holds `t` had come at `received` by the centre's clock; none of them came sooner after its t.
    """

    epoch: int
    first: int
    last: int
    t: int
    received: int


@dataclass(frozen=True, slots=True)
class Dating:
    """All that is known about when an epoch was. `boot` is empty where it is not known."""

    epoch: int
    boot: bytes
    anchors: tuple[Anchored, ...]
    arrived: tuple[Arrived, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """Streams `stream` ... `stream + rows - 1` were coded together; no block is longer than `longest` samples."""

    stream: int
    rows: int
    next: int
    longest: int


@dataclass(frozen=True, slots=True)
class Banded:
    """A block of a band: `values` of shape (rows, count), the device's integers from index `first`."""

    first: int
    values: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Bound:
    """From `t` on: whose bed this was, all corrections made. `pseudonym` is empty where nobody is bound."""

    t: int
    method: str
    status: str
    performer: str
    pseudonym: str
    bed: str

    @property
    def who(self) -> tuple[str, ...]:
        """All but when it was said."""
        return (self.method, self.status, self.performer, self.pseudonym, self.bed)

    @property
    def person(self) -> tuple[str, ...]:
        """Who, and how surely."""
        return (self.method, self.status, self.performer, self.pseudonym)


NOBODY = Bound(0, "none", "unvalidated", "", "", "")
