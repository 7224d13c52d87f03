"""The writer's side of the store: a batch is a transaction. An envelope and all that it carried are there, or nothing.

Whether an envelope is new is the database's word (its primary key), not the ledger's in memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, case, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from centre.ledger import SEQ_LAST, Place
from centre.store import handing, orders, outlines, schema, trend_outlines
from centre.store.columns import METADATA
from centre.store.entry import Apart, Batch, Entry, Parked
from centre.store.spread import Row, spread
from wire.records import EnvelopeGap
from wire.statement import Ended, Manifest
from wire.topics import Address, Class

PARKED_LIMIT_COUNT = 50_000
PARKED_LIMIT_BYTES = 256 << 20
_PARKED_ROOM_COUNT = 5_000  # dropped at once when full, the oldest first
_LATEST = (schema.SESSION, schema.STREAM, schema.ROOM, schema.AUDIT)
_FIRST = (schema.LOST, schema.BOOT)  # said again, it changes nothing


def write(connection: Connection, numbers: dict[str, int], batch: Batch) -> list[Entry]:
    """Put a batch into the transaction; return the entries that were new. `numbers` learns gateways met first."""
    unopened = [*batch.parked, *(one.envelope for one in batch.conflicts)]
    for address in (*batch.heard, *batch.online, *(one.address for one in unopened)):
        if address.gateway not in numbers:
            numbers[address.gateway] = _introduce(connection, address)
    fresh = _insert_envelopes(connection, numbers, batch.entries)
    _insert_rows(connection, numbers, fresh)
    new = {id(entry) for entry in fresh}
    copies = [entry.place for entry in batch.entries if id(entry) not in new]
    _count_sequences(connection, numbers, fresh, [*copies, *batch.repeats.elements()])
    _park(connection, numbers, batch)
    _begin(connection, numbers, batch.starts)
    _set_apart(connection, numbers, batch.conflicts)
    _hear(connection, numbers, batch)
    handing.forget(connection, batch.handled)
    orders.answer(connection, batch.replies)
    return fresh


def enrol(connection: Connection, numbers: dict[str, int], address: Address, bed: str) -> None:
    """Make a gateway known, or say anew where it stands."""
    if address.gateway not in numbers:
        numbers[address.gateway] = _introduce(connection, address)
    here = schema.GATEWAY.c.gw == numbers[address.gateway]
    connection.execute(update(schema.GATEWAY).where(here).values(site=address.site, bed=bed))


def all_offline(connection: Connection, only: Iterable[int] | None = None) -> None:
    """Nobody's presence is known any more, or that of `only` these numbers."""
    g = schema.GATEWAY.c
    there = g.online if only is None else and_(g.online, g.gw.in_(list(only)))
    connection.execute(update(schema.GATEWAY).where(there).values(online=False))


def tails(entry: Entry) -> Iterator[tuple[Place, int]]:
    """(sequence, one past its last known seq) that a statement tells of."""
    gateway = entry.address.gateway
    match entry.said:
        case Manifest():
            for sealed in entry.said.sealed:
                yield Place(gateway, entry.header.epoch, Class(sealed.cls)), sealed.first + sealed.count
        case Ended():
            for epoch, cls, following in entry.said.tails:
                yield Place(gateway, epoch, Class(cls)), following


def losses(entry: Entry) -> Iterator[tuple[Place, int, int]]:
    """(sequence, first, last) of envelopes that the gateway declares lost."""
    if isinstance(entry.said, Ended):
        for epoch, cls, following in entry.said.tails:
            yield Place(entry.address.gateway, epoch, Class(cls)), following, SEQ_LAST
    for record in entry.records:
        if isinstance(record, EnvelopeGap):
            yield Place(entry.address.gateway, record.epoch, Class(record.cls)), record.first, record.last


def _introduce(connection: Connection, address: Address) -> int:
    """Its number here; another process may have met it first."""
    values = {"gateway": address.gateway, "site": address.site, "bed": "", "online": False}
    connection.execute(_upsert(connection, schema.GATEWAY).values(values).on_conflict_do_nothing())
    known = select(schema.GATEWAY.c.gw).where(schema.GATEWAY.c.gateway == address.gateway)
    return int(connection.execute(known).scalar_one())


def _insert_envelopes(connection: Connection, numbers: dict[str, int], entries: Sequence[Entry]) -> list[Entry]:
    by_key = {(numbers[e.place.gateway], e.place.epoch, int(e.place.cls), e.header.seq): e for e in entries}
    if not by_key:
        return []
    table = schema.ENVELOPE
    key = (table.c.gw, table.c.epoch, table.c.cls, table.c.seq)
    values = [
        {
            "gw": k[0],
            "epoch": k[1],
            "cls": k[2],
            "seq": k[3],
            "received": e.received,
            "size": e.size,
            "digest": e.digest,
        }
        for k, e in by_key.items()
    ]
    statement = _upsert(connection, table).on_conflict_do_nothing().returning(*key)
    new = {tuple(row) for row in connection.execute(statement, values)}
    return [entry for k, entry in by_key.items() if k in new]


def _insert_rows(connection: Connection, numbers: dict[str, int], fresh: Sequence[Entry]) -> None:
    by_table: dict[Table, list[Row]] = defaultdict(list)
    for entry in fresh:
        for table, row in spread(numbers[entry.place.gateway], entry):
            by_table[table].append(row)
    for table in METADATA.sorted_tables:  # a session before its streams
        rows = by_table.get(table)
        if not rows:
            continue
        if table in _LATEST:
            _replace_older(connection, table, rows)
        elif table is schema.ARRIVED:
            _join_arrivals(connection, rows)
        elif table in _FIRST:
            connection.execute(_upsert(connection, table).on_conflict_do_nothing(), rows)
        else:
            connection.execute(insert(table), rows)
    _widen_bands(connection, by_table.get(schema.BLOCK, ()))
    received = max((one.received for one in fresh), default=0)
    outlines.mark(connection, by_table.get(schema.BLOCK, ()), received)
    trend_outlines.mark(connection, by_table.get(schema.NUMERIC, ()), received)


def _replace_older(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    keys = [column.name for column in table.primary_key]
    latest: dict[tuple[Any, ...], Row] = {}
    for row in sorted(rows, key=lambda row: (row["epoch"], row["t"])):
        latest[tuple(row[key] for key in keys)] = row
    statement = _upsert(connection, table)
    news = {column.name: statement.excluded[column.name] for column in table.c if not column.primary_key}
    is_newer = tuple_(table.c.epoch, table.c.t) <= tuple_(statement.excluded.epoch, statement.excluded.t)
    said = statement.on_conflict_do_update(index_elements=keys, set_=news, where=is_newer)
    connection.execute(said, list(latest.values()))


def _widen_bands(connection: Connection, blocks: Iterable[Row]) -> None:
    bands: dict[tuple[int, int, int, int], tuple[int, int]] = {}
    for b in blocks:
        key = (b["gw"], b["epoch"], b["stream"], b["rows"])
        following, longest = bands.get(key, (0, 0))
        bands[key] = max(following, b["first"] + b["count"]), max(longest, b["count"])
    names = ("gw", "epoch", "stream", "rows", "next", "longest")
    rows = [dict(zip(names, (*key, *ends), strict=True)) for key, ends in bands.items()]
    if rows:
        statement = _upsert(connection, schema.BAND)
        greater = {name: _greater(schema.BAND, statement, name) for name in names[4:]}
        connection.execute(statement.on_conflict_do_update(index_elements=names[:4], set_=greater), rows)


def _join_arrivals(connection: Connection, rows: Iterable[Row]) -> None:
    """One row a stretch: its ends, and of all envelopes the one that came soonest after its t."""
    joined: dict[tuple[int, int, int], Row] = {}
    for row in rows:
        key = (row["gw"], row["epoch"], row["stretch"])
        old = joined.get(key, row)
        soonest = min(old, row, key=lambda r: r["received"] - r["t"])
        ends = {"first": min(old["first"], row["first"]), "last": max(old["last"], row["last"])}
        joined[key] = {**soonest, **ends}
    table = schema.ARRIVED
    statement = _upsert(connection, table)
    new = statement.excluded
    is_sooner = new.received - new.t < table.c.received - table.c.t
    news = {
        "first": case((new.first < table.c.first, new.first), else_=table.c.first),
        "last": _greater(table, statement, "last"),
        "t": case((is_sooner, new.t), else_=table.c.t),
        "received": case((is_sooner, new.received), else_=table.c.received),
    }
    keys = [column.name for column in table.primary_key]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=news), list(joined.values()))


def _count_sequences(
    connection: Connection, numbers: dict[str, int], fresh: Sequence[Entry], copies: Iterable[Place]
) -> None:
    told: dict[Place, list[int]] = defaultdict(lambda: [0, 0])
    for place in copies:
        told[place][1] += 1
    for entry in fresh:
        for place, following in tails(entry):
            told[place][0] = max(told[place][0], following)
    names = ("gw", "epoch", "cls", "following", "duplicates")
    rows = [
        dict(zip(names, (numbers[place.gateway], place.epoch, int(place.cls), *counted), strict=True))
        for place, counted in told.items()
    ]
    if rows:
        table = schema.SEQUENCE
        statement = _upsert(connection, table)
        news = {
            "following": _greater(table, statement, "following"),
            "duplicates": table.c.duplicates + statement.excluded.duplicates,
        }
        connection.execute(statement.on_conflict_do_update(index_elements=names[:3], set_=news), rows)


def _park(connection: Connection, numbers: dict[str, int], batch: Batch) -> None:
    for parked in batch.taken:
        connection.execute(delete(schema.PARKED).filter_by(**_parked_key(numbers, parked)))
    if batch.parked:
        rows = [{**_parked_key(numbers, p), "received": p.received, "data": p.data} for p in batch.parked]
        connection.execute(_upsert(connection, schema.PARKED).on_conflict_do_nothing(), rows)
        batch.dropped = _make_room(connection)


def _begin(connection: Connection, numbers: dict[str, int], starts: Mapping[tuple[str, int], bytes]) -> None:
    rows = [{"gw": numbers[gateway], "epoch": epoch, "start": start} for (gateway, epoch), start in starts.items()]
    if rows:
        connection.execute(_upsert(connection, schema.START).on_conflict_do_nothing(), rows)


def _set_apart(connection: Connection, numbers: dict[str, int], conflicts: Sequence[Apart]) -> None:
    """Keep what has the name of another: nothing is written over, and nothing that was confirmed is let go."""
    for apart in conflicts:
        one = apart.envelope
        place = {key: value for key, value in _parked_key(numbers, one).items() if key != "hour"}
        row = {**place, "start": apart.start, "received": one.received, "data": one.data}
        connection.execute(_upsert(connection, schema.CONFLICT).values(row).on_conflict_do_nothing())


def _parked_key(numbers: dict[str, int], parked: Parked) -> Row:
    header = parked.header
    place = {"gw": numbers[parked.address.gateway], "epoch": header.epoch, "hour": header.hour}
    return {**place, "cls": int(header.cls), "seq": header.seq, "digest": parked.digest}


def _make_room(connection: Connection) -> int:
    """Drop the oldest where too much waits: no receipt was given, so its gateway will send it again. How many."""
    table = schema.PARKED
    totals = select(func.count(), func.coalesce(func.sum(func.length(table.c.data)), 0)).select_from(table)
    count, size = connection.execute(totals).one()
    if count <= PARKED_LIMIT_COUNT and size <= PARKED_LIMIT_BYTES:
        return 0
    oldest = select(table.c.received).order_by(table.c.received).offset(_PARKED_ROOM_COUNT).limit(1)
    until = connection.execute(oldest).scalar()
    first = delete(table) if until is None else delete(table).where(table.c.received <= until)
    return connection.execute(first).rowcount


def _hear(connection: Connection, numbers: dict[str, int], batch: Batch) -> None:
    """One statement for all gateways: a round trip for each is a sixth of a commit on PostgreSQL."""
    its = update(schema.GATEWAY).where(schema.GATEWAY.c.gw == bindparam("which"))
    heard = [{"which": numbers[at.gateway], "its_site": at.site, "its_utc": utc} for at, utc in batch.heard.items()]
    if heard:
        connection.execute(its.values(site=bindparam("its_site"), heard_utc=bindparam("its_utc")), heard)
    here = [{"which": numbers[at.gateway], "is_here": online} for at, online in batch.online.items()]
    if here:
        connection.execute(its.values(online=bindparam("is_here")), here)


def _upsert(connection: Connection, table: Table) -> Any:
    """The dialect's own insert: the standard one knows no `on conflict`."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def _greater(table: Table, statement: Any, name: str) -> Any:
    old, new = table.c[name], statement.excluded[name]
    return case((new > old, new), else_=old)
