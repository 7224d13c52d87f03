"""Tables of what is kept for how long: holds, what was let go, and the signed lines that say so."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from centre.store.columns import METADATA, key, number, table, word

# What nobody may remove: of a gateway, a bed or a patient (the others are empty), `since` to `until` (null: no end).
# Changes: `lifted` is when somebody ended it.
HOLD = Table(
    "hold",
    METADATA,
    Column("hold", Integer, primary_key=True),
    word("gateway"),
    word("bed"),
    word("pseudonym"),
    Column("since", BigInteger),
    Column("until", BigInteger),
    word("reason"),
    number("said"),
    Column("lifted", BigInteger),
)

# Envelopes that came, were proven, and of which only this is kept: the ledger holds them, nobody asks for them again.
LET_GO = table("let_go", key("epoch"), key("cls"), key("first"), number("last"))

# What was removed, held and lifted: lines of wire/audit.py, signed by the centre, each with the hash of all before it.
DEED = Table("deed", METADATA, Column("n", Integer, primary_key=True, autoincrement=False), Column("line", Text))
