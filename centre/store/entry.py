"""What ingest gives the store: opened envelopes and everything that belongs in one transaction with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from centre.ledger import Place
from wire.envelope import Header
from wire.records import Block, Record
from wire.reply import Reply
from wire.statement import Statement
from wire.topics import Address


@dataclass(frozen=True, slots=True)
class Entry:
    """One opened, verified envelope: a statement with its bytes, or records, or blocks.

    `start`: the 8 random bytes of the gateway's start that sealed it.
    """

    address: Address
    header: Header
    received: int
    size: int
    digest: bytes
    start: bytes
    said: Statement | None = None
    data: bytes = b""
    records: Sequence[Record] = ()
    blocks: Sequence[Block] = ()

    @property
    def place(self) -> Place:
        return Place(self.address.gateway, self.header.epoch, self.header.cls)


@dataclass(frozen=True, slots=True)
class Parked:
    """An envelope whose grant has not come."""

    address: Address
    header: Header
    received: int
    digest: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Apart:
    """A genuine envelope whose name another one has; `start` sealed it."""

    start: bytes
    envelope: Parked

    @property
    def place(self) -> Place:
        return Place(self.envelope.address.gateway, self.envelope.header.epoch, self.envelope.header.cls)


@dataclass(frozen=True, slots=True)
class Replied:
    """A verified reply of a gateway to a command, and when it came."""

    gateway: str
    reply: Reply
    received: int


@dataclass(slots=True)
class Batch:
    """One transaction. `taken` were parked and are to be forgotten; `online` is what presence said last.
    `conflicts` are genuine, and another envelope has their name. `starts`: of epochs, (gateway, epoch), that are new.

    `handled`: numbers of what other consumers handed over and is in it.
    `dropped` is the store's answer: how many parked envelopes had to go for want of room.
    """

    entries: list[Entry] = field(default_factory=list)
    parked: list[Parked] = field(default_factory=list)
    taken: list[Parked] = field(default_factory=list)
    conflicts: list[Apart] = field(default_factory=list)
    starts: dict[tuple[str, int], bytes] = field(default_factory=dict)
    repeats: Counter[Place] = field(default_factory=Counter)
    online: dict[Address, bool] = field(default_factory=dict)
    heard: dict[Address, int] = field(default_factory=dict)
    replies: list[Replied] = field(default_factory=list)
    handled: list[int] = field(default_factory=list)
    dropped: int = 0
