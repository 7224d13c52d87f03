"""What signs at this centre now, and the chain that proves it."""

from __future__ import annotations

import sqlite3

from cryptography import x509

from centre.fleet.certify import Authority
from centre.fleet.fleet import Act
from wire.chain import CHAIN_LIMIT_COUNT


def rows(db: sqlite3.Connection) -> list[sqlite3.Row]:
    """All roots there ever were, the newest last."""
    return db.execute("SELECT * FROM root ORDER BY rowid").fetchall()


def roots(db: sqlite3.Connection) -> list[bytes]:
    """What is believed, the newest first. DER."""
    return [row["der"] for row in reversed(rows(db)) if row["dropped"] is None]


def chain(db: sqlite3.Connection) -> list[bytes]:
    """The issuing certificate, and how its root follows from older ones: for whoever holds only such a one. DER."""
    (issuing,) = db.execute("SELECT der FROM issuing ORDER BY number DESC LIMIT 1").fetchone()
    crossed = [row["crossed"] for row in reversed(rows(db)) if row["crossed"] is not None]
    return [issuing, *crossed[: CHAIN_LIMIT_COUNT - 2]]


def key_name(db: sqlite3.Connection) -> str:
    """The name of the issuing key that signs."""
    return str(db.execute("SELECT key FROM issuing ORDER BY number DESC LIMIT 1").fetchone()["key"])


def authority(act: Act) -> Authority:
    """The one that signs. Raises FleetError."""
    return Authority(x509.load_der_x509_certificate(chain(act.db)[0]), act.fleet.issuing_key(key_name(act.db)))
