"""Opening the database: durable by default, and the right version of our tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, insert, inspect, select
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from centre.store import hyper, trend_outlines
from centre.store.columns import METADATA
from centre.store.schema import SCHEMA, SCHEMA_VERSION
from centre.store.trends_schema import TREND

BUSY_LIMIT_MS = 10_000
TABLES_LOCK = 0x77_6C_00_00_00_01  # wl
_SQLITE_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_LIMIT_MS}")


class StoreError(Exception):
    """The database does not do what it should; nothing of the transaction is in it. `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def open_engine(url: str) -> Engine:
    """Connect and make the tables where there are none. Raises StoreError."""
    try:
        engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise StoreError(f"no store has this address: {error}", "sqlite:///file or postgresql+psycopg://...") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    try:
        _make_tables(engine)
    except DBAPIError as error:
        engine.dispose()
        raise said(error) from error
    return engine


@contextmanager
def alone(connection: Connection, lock: int) -> Iterator[bool]:
    """Whether no other process of this database is within the same lock. In a file there is one that writes anyway."""
    if connection.dialect.name != "postgresql":
        yield True
        return
    got = bool(connection.execute(select(func.pg_try_advisory_lock(lock, 0))).scalar())
    connection.commit()
    try:
        yield got
    finally:
        if got:
            connection.execute(select(func.pg_advisory_unlock(lock, 0)))


def said(error: SQLAlchemyError) -> StoreError:
    """What the database complained of, in one line and without the rows it was given."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return StoreError(f"the store refuses: {lines[0]}", "is the database up, writable, and its disk not full?")


def _set_up_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _make_tables(engine: Engine) -> None:
    fresh = not inspect(engine).has_table(SCHEMA.name)
    has_trends = fresh or inspect(engine).has_table(TREND.name)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # several centres may start at once
            connection.execute(select(func.pg_advisory_xact_lock(TABLES_LOCK)))
            fresh = not inspect(connection).has_table(SCHEMA.name)
        METADATA.create_all(connection)
        if engine.dialect.name == "postgresql":
            hyper.arrange(connection)
        if fresh:
            connection.execute(insert(SCHEMA).values(version=SCHEMA_VERSION))
        if not has_trends:
            trend_outlines.mark_all(connection)
        version = connection.execute(select(SCHEMA.c.version)).scalar()
    if version != SCHEMA_VERSION:
        hint = f"this wardlink works with version {SCHEMA_VERSION}; give it a store of its own"
        raise StoreError(f"the store has version {version} of the tables", hint)
