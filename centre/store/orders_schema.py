"""Tables of what people want of gateways, and of what came of it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, Table, Text

from centre.store.columns import METADATA, number, word

# Change: what a person wants of a gateway, and what came of it (`outcome` is empty until then); `said` is CBOR.
ORDER = Table(
    "command",
    METADATA,
    Column("nonce", LargeBinary, primary_key=True),
    Column("gateway", Text, nullable=False, index=True),
    word("verb"),
    Column("said", LargeBinary, nullable=False),
    number("asked"),
    Column("sent", BigInteger),  # last
    Column("tries", Integer, nullable=False),
    word("outcome"),
    word("text"),
    Column("answered", BigInteger),
)

# Pieces of diagnostic bundles, as they come.
PIECE = Table(
    "piece",
    METADATA,
    Column("nonce", LargeBinary, ForeignKey("command.nonce"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("pieces", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
