"""The reader's side of the store: beds, streams, readings, notices, gaps, anchors. Each function is one question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, func, select, tuple_

from centre import mapping, rows
from centre.ledger import Standing
from centre.store import schema
from centre.store.proofs import conflicts
from wire.topics import Class

SESSIONS_LIMIT_COUNT = 32  # of one device, the newest
RADIO_PORT = "ble "
_NOTHING = ("none", "unvalidated", "", "")


def beds(connection: Connection, standings: Mapping[str, Standing]) -> list[rows.Bed]:
    """All gateways, by site and bed."""
    found = connection.execute(select(schema.GATEWAY)).mappings()
    told = [_bed(connection, row, standings.get(row["gateway"], Standing())) for row in found]
    return sorted(told, key=lambda bed: (bed.site, bed.bed, bed.gateway))


def bed(connection: Connection, gateway: str, stands: Standing) -> rows.Bed | None:
    """One gateway; None where it is not known."""
    here = select(schema.GATEWAY).where(schema.GATEWAY.c.gateway == gateway)
    row = connection.execute(here).mappings().first()
    return None if row is None else _bed(connection, row, stands)


def _bed(connection: Connection, row: RowMapping, stands: Standing) -> rows.Bed:
    method, status, pseudonym, bed = _association(connection, row["gw"])
    error, source = _clock(connection, row["gw"], stands.newest)
    return rows.Bed(
        site=row["site"],
        gateway=row["gateway"],
        bed=bed or row["bed"],
        online=row["online"],
        heard_utc=row["heard_utc"],
        epoch=stands.newest,
        method=method,
        status=status,
        pseudonym=pseudonym,
        missing=stands.summary.missing,
        lost=stands.summary.lost,
        duplicates=stands.summary.duplicates,
        rooms=_rooms(connection, row["gw"]),
        unproven=stands.unproven,
        refuted=stands.refuted,
        conflicts=conflicts(connection, row["gw"]),
        error=error,
        source=source,
    )


def _clock(connection: Connection, gw: int, epoch: int) -> tuple[int | None, str]:
    """How well the newest data of a gateway are dated, by its last anchor: (error in microseconds, source)."""
    a, r = schema.ANCHOR.c, schema.ARRIVED.c
    wanted = select(schema.ANCHOR).where(a.gw == gw, a.epoch == epoch, a.error.is_not(None))
    anchor = connection.execute(wanted.order_by(a.t.desc()).limit(1)).mappings().first()
    if anchor is None:
        return None, ""
    newest = connection.execute(select(func.max(r.last)).where(r.gw == gw, r.epoch == epoch)).scalar()
    said = rows.Anchored(epoch, anchor["t"], anchor["utc"], anchor["error"], anchor["source"])
    return mapping.Mapping([said]).at(max(said.t, newest or 0)).error, said.source


def _rooms(connection: Connection, gw: int) -> tuple[rows.Room, ...]:
    r = schema.ROOM.c
    found = connection.execute(select(schema.ROOM).where(r.gw == gw).order_by(r.cls)).mappings()
    return tuple(rows.Room(Class(row["cls"]).word, row["received"], row["waiting"], row["seconds"]) for row in found)


def _said_of_patients(gw: int) -> Select[*tuple[Any, ...]]:
    a, i = schema.ASSOCIATION.c, schema.INTERVAL.c
    same = (i.gw == a.gw, i.epoch == a.epoch, i.t == a.t, i.seq == a.seq, i.item == a.item)
    times = (i.since_epoch, i.since_t, i.until_epoch, i.until_t, i.ended)
    both = select(schema.ASSOCIATION, *times).outerjoin_from(schema.ASSOCIATION, schema.INTERVAL, and_(*same))
    return both.where(a.gw == gw)


def _association(connection: Connection, gw: int) -> tuple[str, str, str, str]:
    """(method, status, pseudonym, bed) of what goes on: what was said last, and is not about a time that is over."""
    a = schema.ASSOCIATION.c
    latest = _said_of_patients(gw).where(schema.INTERVAL.c.until_epoch.is_(None))
    order = (a.epoch.desc(), a.t.desc(), a.seq.desc(), a.item.desc())
    row = connection.execute(latest.order_by(*order).limit(1)).mappings().first()
    return (row["method"], row["status"], row["pseudonym"], row["bed"]) if row else _NOTHING


def associations(connection: Connection, gw: int) -> list[rows.Association]:
    """All that was said of patients, in the order it was said; what was only said again is there once."""
    a = schema.ASSOCIATION.c
    found = connection.execute(_said_of_patients(gw).order_by(a.epoch, a.t, a.seq, a.item)).mappings()
    said = dict.fromkeys(reversed([_statement(row) for row in found]))
    return list(said)[::-1]


def _statement(row: RowMapping) -> rows.Association:
    words = (row["method"], row["status"], row["performer"], row["pseudonym"], row["bed"])
    if row["since_epoch"] is None:
        return rows.Association((row["epoch"], row["t"]), None, *words)
    until = None if row["until_epoch"] is None else (row["until_epoch"], row["until_t"])
    return rows.Association((row["since_epoch"], row["since_t"]), until, *words, row["ended"])


def newest_catalogue(connection: Connection, gw: int) -> int | None:
    """The newest epoch that has said what its streams are."""
    s = schema.STREAM.c
    return connection.execute(select(func.max(s.epoch)).where(s.gw == gw)).scalar()


def streams(connection: Connection, gateway: str, gw: int, epoch: int) -> list[rows.Stream]:
    """Streams of an epoch by number."""
    stream, session = schema.STREAM, schema.SESSION
    same = (stream.c.gw == session.c.gw) & (stream.c.epoch == session.c.epoch) & (stream.c.session == session.c.session)
    device = (
        session.c.driver,
        session.c.integrity,
        session.c.maker,
        session.c.model,
        session.c.serial,
        session.c.port,
        session.c.firmware,
    )
    wanted = select(stream, *device).join_from(stream, session, same)
    found = connection.execute(
        wanted.where(stream.c.gw == gw, stream.c.epoch == epoch).order_by(stream.c.stream)
    ).mappings()
    return [_stream(gateway, row) for row in found]


def _stream(gateway: str, row: RowMapping) -> rows.Stream:
    return rows.Stream(
        gateway=gateway,
        epoch=row["epoch"],
        stream=row["stream"],
        session=row["session"],
        channel=row["channel"],
        mdc=row["mdc"],
        unit=row["unit"],
        rate=Fraction(row["rate"]),
        gain=Fraction(row["gain"]),
        offset=Fraction(row["offset"]),
        bits=row["bits"],
        filter=row["filter"],
        driver=row["driver"],
        integrity=row["integrity"],
        maker=row["maker"],
        model=row["model"],
        serial=row["serial"],
        port=row["port"],
        firmware=row["firmware"],
    )


def readings(connection: Connection, gw: int, epoch: int, since_t: int | None, limit_rows: int) -> list[rows.Reading]:
    """From `since_t` on, by time; None: the newest of each stream."""
    n = schema.NUMERIC.c
    k = schema.TAKEN.c
    same = (k.gw == n.gw, k.epoch == n.epoch, k.stream == n.stream, k.t == n.t, k.seq == n.seq, k.item == n.item)
    both = select(schema.NUMERIC, k.iso, k.ticks, k.hertz).outerjoin_from(schema.NUMERIC, schema.TAKEN, and_(*same))
    here = both.where(n.gw == gw, n.epoch == epoch)
    if since_t is not None:
        found: Iterable[RowMapping] = connection.execute(
            here.where(n.t >= since_t).order_by(n.t, n.seq, n.item).limit(limit_rows)
        ).mappings()
    else:
        numbers = connection.execute(
            select(schema.STREAM.c.stream).where(
                schema.STREAM.c.gw == gw, schema.STREAM.c.epoch == epoch, schema.STREAM.c.rate == "0/1"
            )
        ).scalars()
        found = [row for number in list(numbers)[:limit_rows] for row in _latest(connection, here, number)]
    return [_reading(r) for r in found]


def _reading(r: RowMapping) -> rows.Reading:
    value = None if r["value"] is None else Decimal(r["value"])
    taken = None if r["hertz"] is None else _taken(r)
    return rows.Reading(r["epoch"], r["stream"], r["t"], value, r["why"], taken)


def _taken(r: RowMapping) -> rows.Taken:
    return rows.Taken(r["iso"], r["ticks"], Fraction(r["hertz"]))


def pairs(connection: Connection, gw: int, sessions: Iterable[tuple[int, int]]) -> list[rows.Paired]:
    """What the clocks of the devices of these (epoch, session) said, by epoch and t."""
    p = schema.PAIR.c
    wanted = select(schema.PAIR).where(p.gw == gw, tuple_(p.epoch, p.session).in_(list(sessions)))
    found = connection.execute(wanted.order_by(p.epoch, p.t, p.seq, p.item)).mappings()
    return [rows.Paired(r["epoch"], r["session"], r["t"], _taken(r)) for r in found]


def sessions_of(connection: Connection, gw: int, epoch: int, session: int) -> list[tuple[int, int]]:
    """The sessions of the device of this one, by epoch: of the same driver and serial number, or Bluetooth address."""
    s = schema.SESSION.c
    own = connection.execute(select(schema.SESSION).where(s.gw == gw, s.epoch == epoch, s.session == session))
    row = own.mappings().first()
    if row is None or not (is_one(row["serial"]) or row["port"].startswith(RADIO_PORT)):
        return [(epoch, session)]
    by = s.serial == row["serial"] if is_one(row["serial"]) else s.port == row["port"]
    same = select(s.epoch, s.session).where(s.gw == gw, s.driver == row["driver"], by)
    newest = same.order_by(s.epoch.desc(), s.session.desc()).limit(SESSIONS_LIMIT_COUNT)
    return sorted({(epoch, session), *((r.epoch, r.session) for r in connection.execute(newest))})


def is_one(serial: str) -> bool:
    """Whether a serial number tells a device from its twins (docs/formats.md)."""
    return len(serial) >= 4 and len(set(serial)) > 1 and any(letter.isdigit() for letter in serial)


def _latest(connection: Connection, here: Select[*tuple[Any, ...]], stream: int) -> Iterable[RowMapping]:
    n = schema.NUMERIC.c
    order = (n.t.desc(), n.seq.desc(), n.item.desc())
    return connection.execute(here.where(n.stream == stream).order_by(*order).limit(1)).mappings()


def notices(connection: Connection, gw: int, epoch: int, since_t: int | None, limit_rows: int) -> list[rows.Notice]:
    """From `since_t` on, by time; None: the newest `limit_rows`, by time."""
    n = schema.NOTICE.c
    here = select(schema.NOTICE).where(n.gw == gw, n.epoch == epoch).limit(limit_rows)
    if since_t is not None:
        found = list(connection.execute(here.where(n.t >= since_t).order_by(n.t, n.seq, n.item)).mappings())
    else:
        found = list(connection.execute(here.order_by(n.t.desc(), n.seq.desc(), n.item.desc())).mappings())[::-1]
    return [
        rows.Notice(
            r["epoch"], r["session"], r["t"], r["kind"], r["code"], r["phase"], r["text"], r["channel"], r["priority"]
        )
        for r in found
    ]


def gaps(connection: Connection, gw: int, epoch: int, stream: int | None) -> list[rows.Gap]:
    """Declared gaps by time, of one stream or of all."""
    g = schema.GAP.c
    wanted = select(schema.GAP).where(g.gw == gw, g.epoch == epoch).order_by(g.t, g.stream, g.seq, g.item)
    if stream is not None:
        wanted = wanted.where(g.stream == stream)
    return [
        rows.Gap(r["epoch"], r["stream"], r["t"], r["first"], r["count"], r["cause"])
        for r in connection.execute(wanted).mappings()
    ]
