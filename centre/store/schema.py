"""Tables of the store, the same for SQLite and PostgreSQL. All rows are appended; what changes says so.

`gw` numbers a gateway within this store (20 letters in each row and index would double them). `seq` and `item` name
the envelope a row came in and its place there, so a row is there once, and only with its envelope. `t` is microseconds
of the gateway's monotonic clock, `utc` and `received` microseconds since 1970 by the centre.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.schema import SchemaItem

SCHEMA_VERSION = 1
METADATA = MetaData()


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _word(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _key(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


def _gw() -> Column[int]:
    return Column("gw", Integer, ForeignKey("gateway.gw"), primary_key=True, autoincrement=False)


def _table(name: str, *parts: SchemaItem) -> Table:
    """A table clustered by its primary key where the database can."""
    return Table(name, METADATA, _gw(), *parts, sqlite_with_rowid=False)


SCHEMA = Table("schema", METADATA, Column("version", Integer, primary_key=True))

# Changes: what a gateway is called, and what was heard of it last.
GATEWAY = Table(
    "gateway",
    METADATA,
    Column("gw", Integer, primary_key=True),
    Column("gateway", Text, nullable=False, unique=True),
    _word("site"),
    _word("bed"),
    Column("online", Boolean, nullable=False),
    Column("heard_utc", BigInteger),
)

ENVELOPE = _table(
    "envelope",
    _key("epoch"),
    _key("cls"),
    _key("seq"),
    _number("received"),
    _number("size"),
    Column("digest", LargeBinary, nullable=False),  # SHA-256, to compare with manifests
)

# Changes: what the ledger knows of a sequence besides the envelopes themselves.
SEQUENCE = _table("sequence", _key("epoch"), _key("cls"), _number("following"), _number("duplicates"))

# Envelopes that a gateway declared lost; up to SEQ_LAST where it says where an epoch ended.
LOST = _table("lost", _key("epoch"), _key("cls"), _key("first"), _key("last"), _word("cause"))

# Signed statements as they came: grants open envelopes again after a restart, manifests prove the sequence.
STATEMENT = _table(
    "statement",
    _key("epoch"),
    _key("seq"),
    Column("hour", BigInteger, nullable=False),
    Column("grants", Boolean, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("statement_hour", "gw", "epoch", "hour"),
)

# What manifests prove of envelopes, in ranges that grow together; and what waits to be compared, or was refuted.
PROVEN = _table("proven", _key("epoch"), _key("cls"), _key("first"), _number("last"))
PROOF = _table(
    "proof",
    _key("epoch"),
    _key("cls"),
    _key("first"),
    Column("digest", LargeBinary, primary_key=True),
    _number("count"),
    Column("refuted", Boolean, nullable=False),
)

# Genuine envelopes whose name was taken: by another start of the gateway under one epoch, or by other bytes.
CONFLICT = _table(
    "conflict",
    _key("epoch"),
    _key("cls"),
    _key("seq"),
    Column("digest", LargeBinary, primary_key=True),
    _number("received"),
    Column("data", LargeBinary, nullable=False),
)

# Change: how long a gateway's spool has room for a class, as it said last.
ROOM = _table(
    "room",
    _key("cls"),
    _number("epoch"),
    _number("t"),
    _number("received"),
    _number("waiting"),
    Column("seconds", BigInteger),  # null where the gateway does not know
)

# What gateways' audit logs had come to. Change: `epoch` and `t` are when it was said last.
AUDIT = _table(
    "audit",
    _key("count"),
    Column("hash", LargeBinary, primary_key=True),
    _number("epoch"),
    _number("t"),
    _number("received"),
)

# Envelopes that wait for their grant. The digest is in the key so that a forged one cannot keep the true one out.
PARKED = _table(
    "parked",
    _key("epoch"),
    _key("hour"),
    _key("cls"),
    _key("seq"),
    Column("digest", LargeBinary, primary_key=True),
    _number("received"),
    Column("data", LargeBinary, nullable=False),
    Index("parked_received", "received"),
)

# Change: said again by each catalogue; the latest `t` stands.
SESSION = _table(
    "session",
    _key("epoch"),
    _key("session"),
    _number("t"),
    _word("driver"),
    _word("integrity"),
    _word("port"),
    _word("maker"),
    _word("model"),
    _word("serial"),
    _word("firmware"),
)
STREAM = _table(
    "stream",
    _key("epoch"),
    _key("stream"),
    _number("t"),
    _number("session"),
    _word("channel"),
    _number("mdc"),
    _word("unit"),
    _word("rate"),  # ratios as n/d
    _word("gain"),
    _word("offset"),
    _number("bits"),
    _word("filter"),
    ForeignKeyConstraint(
        ["gw", "epoch", "session"], ["session.gw", "session.epoch", "session.session"], name="stream_session"
    ),
)

# Streams coded together: `rows` from `stream`. Changes: `next` is one past the newest sample, `longest` in samples.
BAND = _table("band", _key("epoch"), _key("stream"), _key("rows"), _number("next"), _number("longest"))
BLOCK = _table(
    "block",
    _key("epoch"),
    _key("stream"),
    _key("rows"),
    _key("first"),
    _key("seq"),
    _key("item"),
    _number("count"),
    _number("t"),
    Column("coded", LargeBinary, nullable=False),  # as it came: wire.codec reads it
    Column("marks", LargeBinary),  # JSON of MarkAt
)

NUMERIC = _table(
    "numeric",
    _key("epoch"),
    _key("stream"),
    _key("t"),
    _key("seq"),
    _key("item"),
    Column("value", Text),  # the decimal number as said; null where absent
    _word("why"),
    Index("numeric_t", "gw", "epoch", "t"),
)
NOTICE = _table(
    "notice",
    _key("epoch"),
    _key("t"),
    _key("seq"),
    _key("item"),
    _number("session"),
    _word("kind"),
    _word("code"),
    _word("phase"),
    _word("text"),
    _word("channel"),
    _word("priority"),
)
GAP = _table(
    "gap",
    _key("epoch"),
    _key("stream"),
    _key("t"),
    _key("seq"),
    _key("item"),
    _number("first"),
    Column("count", BigInteger),  # null where nobody knows how many
    _word("cause"),
)
ANCHOR = _table(
    "anchor",
    _key("epoch"),
    _key("t"),
    _key("seq"),
    _key("item"),
    _number("utc"),
    Column("error", BigInteger),
    _word("source"),
)
ASSOCIATION = _table(
    "association",
    _key("epoch"),
    _key("t"),
    _key("seq"),
    _key("item"),
    _word("method"),
    _word("status"),
    _word("performer"),
    _word("pseudonym"),
    _word("bed"),
)
