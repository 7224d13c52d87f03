"""The fleet's store: one SQLite file. Times are microseconds since 1970 by the centre's clock.

Plain sqlite3 and not SQLAlchemy as `centre/store`: there will never be a second kind of database, and an offline
machine that answers requests from a stick then needs no package for it. A rollback journal and not a write-ahead log,
so that the centre, which may only read the file, can. synchronous=FULL: what was answered is durable before it is said.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCHEMA_VERSION = 1
BUSY_LIMIT_S = 10.0
FILE = "fleet.db"

# root: `crossed` is this root's key certified by the root before it. issuing: one row for each certificate of an
# issuing key; `key` names the key, `root` the SHA-256 of the root that signed. certificate: `key` is its issuer's.
_TABLES = """
CREATE TABLE schema (version INTEGER NOT NULL);
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE root (hash BLOB PRIMARY KEY, der BLOB NOT NULL, crossed BLOB, added INTEGER NOT NULL, dropped INTEGER);
CREATE TABLE issuing (number INTEGER PRIMARY KEY, key TEXT NOT NULL, root BLOB NOT NULL REFERENCES root,
    der BLOB NOT NULL, added INTEGER NOT NULL, until INTEGER NOT NULL);
CREATE TABLE site (site TEXT PRIMARY KEY, added INTEGER NOT NULL);
CREATE TABLE recipient (number INTEGER PRIMARY KEY, site TEXT NOT NULL REFERENCES site, name TEXT NOT NULL,
    role TEXT NOT NULL, key TEXT NOT NULL, added INTEGER NOT NULL, retired INTEGER);
CREATE UNIQUE INDEX recipient_name ON recipient (site, name) WHERE retired IS NULL;
CREATE TABLE centre_key (number INTEGER PRIMARY KEY, key TEXT NOT NULL, added INTEGER NOT NULL, retired INTEGER);
CREATE UNIQUE INDEX centre_key_text ON centre_key (key) WHERE retired IS NULL;
CREATE TABLE directory (site TEXT NOT NULL REFERENCES site, version INTEGER NOT NULL, issued INTEGER NOT NULL,
    data BLOB NOT NULL, PRIMARY KEY (site, version));
CREATE TABLE gateway (gateway TEXT PRIMARY KEY, site TEXT NOT NULL REFERENCES site, bed TEXT NOT NULL,
    board TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('active', 'retired', 'revoked')),
    enrolled INTEGER NOT NULL, changed INTEGER NOT NULL, why TEXT NOT NULL, replaces TEXT);
CREATE TABLE voucher (name TEXT PRIMARY KEY, digest BLOB NOT NULL, site TEXT NOT NULL REFERENCES site,
    bed TEXT NOT NULL, replaces TEXT, made INTEGER NOT NULL, expires INTEGER NOT NULL, withdrawn INTEGER,
    gateway TEXT, used INTEGER);
CREATE TABLE certificate (serial TEXT PRIMARY KEY, holder TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL,
    issued INTEGER NOT NULL, until INTEGER NOT NULL, revoked INTEGER, der BLOB NOT NULL);
CREATE INDEX certificate_holder ON certificate (holder, issued);
CREATE TABLE audit (n INTEGER PRIMARY KEY, line TEXT NOT NULL);
"""


class FleetError(Exception):
    """The fleet cannot do what was asked: says why, and what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def make(folder: Path) -> None:
    """An empty store. Raises FleetError where there is one already."""
    path = folder / FILE
    if path.exists():
        raise FleetError(f"{path} is there already", "a fleet is made once; name an empty folder")
    with _connected(path, "rwc") as db:
        db.executescript(f"BEGIN; {_TABLES}")
        db.execute("INSERT INTO schema VALUES (?)", (SCHEMA_VERSION,))
        db.execute("COMMIT")
    path.chmod(0o640)


@contextmanager
def writing(folder: Path) -> Iterator[sqlite3.Connection]:
    """One transaction: durable when the block is left, nothing of it where it raises. Raises FleetError."""
    with _connected(folder / FILE, "rw") as db:
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")


@contextmanager
def reading(folder: Path) -> Iterator[sqlite3.Connection]:
    """One state of the store, that nobody changes meanwhile. Raises FleetError."""
    with _connected(folder / FILE, "ro") as db:
        db.execute("BEGIN")
        yield db


@contextmanager
def _connected(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    try:
        db = connect(path, mode)
        try:
            yield db
        finally:
            db.close()
    except sqlite3.Error as error:
        hint = "is it the folder that `wardlink fleet init` made, may you write it, is its disk full?"
        raise FleetError(f"{path}: {error}", hint) from error


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """`mode`: `ro`, `rw` or `rwc`. Raises FleetError for another version of the tables, sqlite3.Error."""
    address = f"{path.absolute().as_uri()}?mode={mode}"
    db = sqlite3.connect(address, uri=True, timeout=BUSY_LIMIT_S, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA synchronous=FULL")
    db.execute("PRAGMA foreign_keys=ON")
    if mode != "rwc":
        (version,) = db.execute("SELECT version FROM schema").fetchone()
        if version != SCHEMA_VERSION:
            db.close()
            raise FleetError(f"{path}: tables of version {version}", f"this wardlink works with {SCHEMA_VERSION}")
    return db
