"""Hypertables of TimescaleDB for waves and readings, where the extension is there: new rows in small indexes. ADR 33.

A hypertable is cut by time, and every unique key of it must hold that time: `stored`, by the database's own clock,
which a copy would not share. So nothing here decides what is new: that is the key of `envelope`, an ordinary table, in
the same transaction. By TimescaleDB's documentation (create_hypertable with by_range: 2.13; changes in compressed
chunks: 2.11), and run on 2.23. Hypertables are under the Apache licence, compression is under the TSL.
"""

from __future__ import annotations

import logging

from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError

from centre.store.columns import METADATA

CHUNK, COMPRESS_AFTER = "1 day", "7 days"
TABLES = ("block", "numeric")
COMPRESSED = "numeric"  # blocks are coded already: nothing is left to gain
_HERE = "SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'"
_OFFERED = "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'"
_KNOWN = "SELECT hypertable_name FROM timescaledb_information.hypertables WHERE hypertable_schema = current_schema()"
_LICENCE = "SELECT current_setting('timescaledb.license', true)"
_LOG = logging.getLogger("wardlink.centre")


def arrange(connection: Connection) -> None:
    """Make hypertables of what has no rows yet. Without the extension, or the right to it, tables stay as they are."""
    if not _is_there(connection):
        return
    known = set(connection.execute(text(_KNOWN)).scalars())
    licence = connection.execute(text(_LICENCE)).scalar()
    for name in TABLES:
        if name in known or not _is_empty(connection, name):
            continue
        for statement in statements(name, _key(connection, name), licence == "timescale"):
            connection.execute(text(statement))
        _LOG.info("hypertable table=%s licence=%s", name, licence)


def statements(name: str, key: str, may_compress: bool) -> list[str]:
    """What makes a hypertable of an empty table whose primary key has these columns."""
    made = [
        f'ALTER TABLE "{name}" ADD COLUMN stored timestamptz NOT NULL DEFAULT now()',
        f'ALTER TABLE "{name}" DROP CONSTRAINT "{name}_pkey"',
        f'ALTER TABLE "{name}" ADD PRIMARY KEY ({key}, stored)',
        f"SELECT create_hypertable('\"{name}\"', by_range('stored', INTERVAL '{CHUNK}'),"
        " create_default_indexes => false)",
    ]
    if may_compress and name == COMPRESSED:
        by = "timescaledb.compress_segmentby = 'gw, epoch, stream', timescaledb.compress_orderby = 't, seq, item'"
        made += [
            f'ALTER TABLE "{name}" SET (timescaledb.compress, {by})',
            f"SELECT add_compression_policy('\"{name}\"', INTERVAL '{COMPRESS_AFTER}', if_not_exists => true)",
        ]
    return made


def _is_there(connection: Connection) -> bool:
    if connection.execute(text(_HERE)).scalar():
        return True
    if not connection.execute(text(_OFFERED)).scalar():
        return False
    try:
        with connection.begin_nested():
            connection.execute(text("CREATE EXTENSION timescaledb"))
    except DBAPIError as error:
        said = str(error.orig).strip().splitlines()[0]
        _LOG.warning("timescaledb is offered and cannot be used: %s; plain tables", said)
        return False
    return True


def _is_empty(connection: Connection, name: str) -> bool:
    return connection.execute(select(METADATA.tables[name].c.gw).limit(1)).first() is None


def _key(connection: Connection, name: str) -> str:
    """The columns of the primary key, in order."""
    wanted = """SELECT a.attname FROM pg_constraint c, unnest(c.conkey) WITH ORDINALITY AS k(number, place)
                JOIN pg_attribute a ON a.attnum = k.number
                WHERE c.contype = 'p' AND c.conrelid = CAST(:name AS regclass) AND a.attrelid = c.conrelid
                ORDER BY k.place"""
    found = connection.execute(text(wanted), {"name": f'"{name}"'}).scalars()
    return ", ".join(f'"{column}"' for column in found)
