"""What one consumer hands to another: an arrival as it came, durable, until the gateway's own consumer has stored it.

Each gateway is in one of 256 slots, and each slot is one consumer's at a time (centre/store/shared.py).
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, LargeBinary, Table, delete, func, insert, select

from centre.store.columns import METADATA, gw, number, word
from wire.topics import Address

SLOTS_COUNT = 256

# What waits for the consumer that has the slot. Rows live for a moment.
HANDED = Table(
    "handed",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("slot", Integer, nullable=False),
    word("site"),
    word("gateway"),
    word("word"),
    number("received"),
    Column("data", LargeBinary, nullable=False),
    Index("handed_slot", "slot", "id"),
)

# Changes: how gateways stand, for consumers that do not keep their books.
STANDING = Table(
    "standing",
    METADATA,
    gw(),
    number("newest"),
    number("held"),
    number("missing"),
    number("lost"),
    number("duplicates"),
    number("unproven"),
    number("refuted"),
)


class Handed(NamedTuple):
    """An arrival (address, word, data, received), and its number in the table."""

    id: int
    address: Address
    word: str
    data: bytes
    received: int


def slot_of(gateway: str) -> int:
    """The same for all who ask."""
    return zlib.crc32(gateway.encode()) % SLOTS_COUNT


def put(connection: Connection, arrivals: Iterable[tuple[int, Address, str, bytes, int]]) -> None:
    """(slot, address, word, data, received) of each."""
    rows = [
        {"slot": slot, "site": at.site, "gateway": at.gateway, "word": word, "received": received, "data": data}
        for slot, at, word, data, received in arrivals
    ]
    if rows:
        connection.execute(insert(HANDED), rows)


def waiting(connection: Connection, slots: Iterable[int], besides: Collection[int], limit_rows: int) -> list[Handed]:
    """The oldest of these slots; not those that the caller has at hand already."""
    h = HANDED.c
    wanted = select(HANDED).where(h.slot.in_(list(slots)))
    if besides:
        wanted = wanted.where(h.id.not_in(list(besides)))
    return [
        Handed(row.id, Address(row.site, row.gateway), row.word, bytes(row.data), row.received)
        for row in connection.execute(wanted.order_by(h.id).limit(limit_rows))
    ]


def count(connection: Connection, slots: Iterable[int]) -> int:
    """All that waits for these slots."""
    wanted = select(func.count()).select_from(HANDED).where(HANDED.c.slot.in_(list(slots)))
    return int(connection.execute(wanted).scalar_one())


def forget(connection: Connection, ids: Collection[int]) -> None:
    """They are stored, in this very transaction."""
    if ids:
        connection.execute(delete(HANDED).where(HANDED.c.id.in_(list(ids))))
