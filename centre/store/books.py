"""What must be in memory when the centre starts: the ledger, gateways' numbers, grants, and what waits for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, func, select

from centre.ledger import Ledger, Place
from centre.store import keeping_schema, schema
from centre.store.entry import Parked
from wire.envelope import Header
from wire.ranges import Ranges
from wire.topics import Address, Class


def numbers(connection: Connection) -> dict[str, int]:
    """Gateways by id."""
    gateway = schema.GATEWAY.c
    return {row.gateway: row.gw for row in connection.execute(select(gateway.gateway, gateway.gw))}


def ledger(connection: Connection, names: Mapping[int, str]) -> Ledger:
    """All accounts of the gateways in `names`. Runs of seq are found by the database: within one, seq less its rank is
    the same."""
    books, mine = Ledger(), list(names)
    e = schema.ENVELOPE.c
    rank = func.row_number().over(partition_by=(e.gw, e.epoch, e.cls), order_by=e.seq)
    run = select(e.gw, e.epoch, e.cls, e.seq, (e.seq - rank).label("run")).where(e.gw.in_(mine)).subquery()
    place = (run.c.gw, run.c.epoch, run.c.cls)
    ends = (func.min(run.c.seq).label("first"), func.max(run.c.seq).label("last"))
    for row in connection.execute(select(*place, *ends).group_by(*place, run.c.run)):
        books.hold(_place(names, row), row.first, row.last)
    let_go = keeping_schema.LET_GO
    for row in connection.execute(select(let_go).where(let_go.c.gw.in_(mine))):
        books.hold(_place(names, row), row.first, row.last)
    for row in connection.execute(select(schema.LOST).where(schema.LOST.c.gw.in_(mine))):
        books.declare(_place(names, row), row.first, row.last)
    for row in connection.execute(select(schema.SEQUENCE).where(schema.SEQUENCE.c.gw.in_(mine))):
        books.follow(_place(names, row), row.following)
        books.repeat(_place(names, row), row.duplicates)
    for row in connection.execute(select(schema.START).where(schema.START.c.gw.in_(mine))):
        books.begin(names[row.gw], row.epoch, bytes(row.start))
    c = schema.CONFLICT.c
    apart = select(c.gw, c.epoch, c.cls, c.seq, c.start).where(c.gw.in_(mine))
    for row in connection.execute(apart.order_by(c.received, c.seq)):
        books.set_apart(_place(names, row), bytes(row.start), row.seq)
    return books


def grants(connection: Connection, gw: int, epoch: int, hour: int) -> list[bytes]:
    """The signed grants of one data key, as they came."""
    s = schema.STATEMENT.c
    wanted = select(s.data).where(s.gw == gw, s.epoch == epoch, s.hour == hour, s.grants).order_by(s.seq)
    c = schema.CONFLICT.c  # of another start with this number: what opens what is kept apart
    apart = select(c.data).where(c.gw == gw, c.epoch == epoch, c.cls == int(Class.KEY)).order_by(c.seq)
    return [bytes(row.data) for row in (*connection.execute(wanted), *connection.execute(apart))]


def digest(connection: Connection, gw: int, place: Place, seq: int) -> bytes | None:
    """SHA-256 of an envelope that is held."""
    e = schema.ENVELOPE.c
    here = (e.gw == gw) & (e.epoch == place.epoch) & (e.cls == int(place.cls)) & (e.seq == seq)
    found = connection.execute(select(e.digest).where(here)).scalar()
    return None if found is None else bytes(found)


def openable(connection: Connection) -> list[tuple[str, int, int]]:
    """(gateway, epoch, hour) of parked envelopes whose grant is here."""
    p, s = schema.PARKED.c, schema.STATEMENT.c
    granted = exists().where(and_(s.gw == p.gw, s.epoch == p.epoch, s.hour == p.hour, s.grants))
    wanted = select(schema.GATEWAY.c.gateway, p.epoch, p.hour).distinct()
    joined = wanted.join_from(schema.PARKED, schema.GATEWAY, schema.GATEWAY.c.gw == p.gw).where(granted)
    return [(row.gateway, row.epoch, row.hour) for row in connection.execute(joined)]


def parked(connection: Connection, key: tuple[str, int, int], limit_rows: int) -> list[Parked]:
    """Envelopes that wait for the grant of (gateway, epoch, hour), the oldest seq first."""
    p, g = schema.PARKED.c, schema.GATEWAY.c
    gateway, epoch, hour = key
    wanted = select(schema.PARKED, g.site).join_from(schema.PARKED, schema.GATEWAY, g.gw == p.gw)
    found = wanted.where(g.gateway == gateway, p.epoch == epoch, p.hour == hour).order_by(p.cls, p.seq)
    return [
        Parked(
            Address(row.site, gateway),
            Header(row.epoch, Class(row.cls), row.seq, row.hour),
            row.received,
            bytes(row.digest),
            bytes(row.data),
        )
        for row in connection.execute(found.limit(limit_rows))
    ]


def waiting(connection: Connection, gw: int) -> dict[tuple[int, int], Ranges]:
    """Parked numbers by (epoch, class)."""
    p = schema.PARKED.c
    out: dict[tuple[int, int], Ranges] = {}
    for row in connection.execute(select(p.epoch, p.cls, p.seq).where(p.gw == gw).order_by(p.seq)):
        out.setdefault((row.epoch, row.cls), Ranges()).add(row.seq)
    return out


def newest_t(connection: Connection, gw: int, epoch: int) -> int:
    """The latest `t` of what the class vital has brought in an epoch; -1 where nothing has."""
    tables = (schema.NUMERIC, schema.NOTICE, schema.ANCHOR)
    found = [
        connection.execute(select(func.max(t.c.t)).where(t.c.gw == gw, t.c.epoch == epoch)).scalar() for t in tables
    ]
    return max((t for t in found if t is not None), default=-1)


def _place(names: Mapping[int, str], row: Row[*tuple[Any, ...]]) -> Place:
    return Place(names[row.gw], row.epoch, Class(row.cls))
