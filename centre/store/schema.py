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
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from centre.store.columns import METADATA, key, number, table, word

SCHEMA_VERSION = 1
SCHEMA = Table("schema", METADATA, Column("version", Integer, primary_key=True))

# Changes: what a gateway is called, and what was heard of it last.
GATEWAY = Table(
    "gateway",
    METADATA,
    Column("gw", Integer, primary_key=True),
    Column("gateway", Text, nullable=False, unique=True),
    word("site"),
    word("bed"),
    Column("online", Boolean, nullable=False),
    Column("heard_utc", BigInteger),
)

ENVELOPE = table(
    "envelope",
    key("epoch"),
    key("cls"),
    key("seq"),
    number("received"),
    number("size"),
    Column("digest", LargeBinary, nullable=False),  # SHA-256, to compare with manifests
)

# Changes: what the ledger knows of a sequence besides the envelopes themselves.
SEQUENCE = table("sequence", key("epoch"), key("cls"), number("following"), number("duplicates"))

# Envelopes that a gateway declared lost; up to SEQ_LAST where it says where an epoch ended.
LOST = table("lost", key("epoch"), key("cls"), key("first"), key("last"), word("cause"))

# Signed statements as they came: grants open envelopes again after a restart, manifests prove the sequence.
STATEMENT = table(
    "statement",
    key("epoch"),
    key("seq"),
    Column("hour", BigInteger, nullable=False),
    Column("grants", Boolean, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("statement_hour", "gw", "epoch", "hour"),
)

# What manifests prove of envelopes, in ranges that grow together; and what waits to be compared, or was refuted.
PROVEN = table("proven", key("epoch"), key("cls"), key("first"), number("last"))
PROOF = table(
    "proof",
    key("epoch"),
    key("cls"),
    key("first"),
    Column("digest", LargeBinary, primary_key=True),
    number("count"),
    Column("refuted", Boolean, nullable=False),
)

# Genuine envelopes whose name was taken: by another start of the gateway under one epoch, or by other bytes.
CONFLICT = table(
    "conflict",
    key("epoch"),
    key("cls"),
    key("seq"),
    Column("digest", LargeBinary, primary_key=True),
    number("received"),
    Column("data", LargeBinary, nullable=False),
)

# Change: how long a gateway's spool has room for a class, as it said last.
ROOM = table(
    "room",
    key("cls"),
    number("epoch"),
    number("t"),
    number("received"),
    number("waiting"),
    Column("seconds", BigInteger),  # null where the gateway does not know
)

# What gateways' audit logs had come to. Change: `epoch` and `t` are when it was said last.
AUDIT = table(
    "audit",
    key("count"),
    Column("hash", LargeBinary, primary_key=True),
    number("epoch"),
    number("t"),
    number("received"),
)

# Envelopes that wait for their grant. The digest is in the key so that a forged one cannot keep the true one out.
PARKED = table(
    "parked",
    key("epoch"),
    key("hour"),
    key("cls"),
    key("seq"),
    Column("digest", LargeBinary, primary_key=True),
    number("received"),
    Column("data", LargeBinary, nullable=False),
    Index("parked_received", "received"),
)

# Change: said again by each catalogue; the latest `t` stands.
SESSION = table(
    "session",
    key("epoch"),
    key("session"),
    number("t"),
    word("driver"),
    word("integrity"),
    word("port"),
    word("maker"),
    word("model"),
    word("serial"),
    word("firmware"),
)
STREAM = table(
    "stream",
    key("epoch"),
    key("stream"),
    number("t"),
    number("session"),
    word("channel"),
    number("mdc"),
    word("unit"),
    word("rate"),  # ratios as n/d
    word("gain"),
    word("offset"),
    number("bits"),
    word("filter"),
    ForeignKeyConstraint(
        ["gw", "epoch", "session"], ["session.gw", "session.epoch", "session.session"], name="stream_session"
    ),
)

# Streams coded together: `rows` from `stream`. Changes: `next` is one past the newest sample, `longest` in samples.
BAND = table("band", key("epoch"), key("stream"), key("rows"), number("next"), number("longest"))
BLOCK = table(
    "block",
    key("epoch"),
    key("stream"),
    key("rows"),
    key("first"),
    key("seq"),
    key("item"),
    number("count"),
    number("t"),
    Column("coded", LargeBinary, nullable=False),  # as it came: wire.codec reads it
    Column("marks", LargeBinary),  # JSON of MarkAt
)

NUMERIC = table(
    "numeric",
    key("epoch"),
    key("stream"),
    key("t"),
    key("seq"),
    key("item"),
    Column("value", Text),  # the decimal number as said; null where absent
    word("why"),
    Index("numeric_t", "gw", "epoch", "t"),
)
# When a reading was taken by the device's clock, where the device says so; and what that clock said at `t` (pairs).
TAKEN = table(
    "taken",
    key("epoch"),
    key("stream"),
    key("t"),
    key("seq"),
    key("item"),
    word("iso"),
    Column("ticks", BigInteger),
    word("hertz"),
)
PAIR = table(
    "pair",
    key("epoch"),
    key("session"),
    key("t"),
    key("seq"),
    key("item"),
    word("iso"),
    Column("ticks", BigInteger),
    word("hertz"),
)
NOTICE = table(
    "notice",
    key("epoch"),
    key("t"),
    key("seq"),
    key("item"),
    number("session"),
    word("kind"),
    word("code"),
    word("phase"),
    word("text"),
    word("channel"),
    word("priority"),
)
GAP = table(
    "gap",
    key("epoch"),
    key("stream"),
    key("t"),
    key("seq"),
    key("item"),
    number("first"),
    Column("count", BigInteger),  # null where nobody knows how many
    word("cause"),
)
ANCHOR = table(
    "anchor",
    key("epoch"),
    key("t"),
    key("seq"),
    key("item"),
    number("utc"),
    Column("error", BigInteger),
    word("source"),
)
# Said with each catalogue; the first word stands. More than one boot of an epoch: a card that was copied.
BOOT = table(
    "boot",
    key("epoch"),
    Column("boot", LargeBinary, primary_key=True),
    number("t"),
    number("count"),
)
# Changes: when envelopes came, by stretch of t: the least and greatest t they hold, and the one that came soonest.
ARRIVED = table(
    "arrived",
    key("epoch"),
    key("stretch"),
    number("first"),
    number("last"),
    number("t"),
    number("received"),
)
ASSOCIATION = table(
    "association",
    key("epoch"),
    key("t"),
    key("seq"),
    key("item"),
    word("method"),
    word("status"),
    word("performer"),
    word("pseudonym"),
    word("bed"),
)
# Of associations that name the time they are about.
INTERVAL = table(
    "interval",
    key("epoch"),
    key("t"),
    key("seq"),
    key("item"),
    number("since_epoch"),
    number("since_t"),
    Column("until_epoch", BigInteger),
    Column("until_t", BigInteger),
    word("ended"),
)
