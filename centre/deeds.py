"""What was done to what is kept, in signed lines in the store itself: each goes in the transaction of what it says.

The lines are of wire/audit.py, so `wardlink audit verify` proves them (`wardlink centre retention --log`).
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, insert, select

from centre.store.keeping_schema import DEED
from wire import audit
from wire.audit import Entry

WHO = "centre"


def sign(connection: Connection, signer: Ed25519PrivateKey, utc: int, what: str, detail: dict[str, str]) -> None:
    """Append a line. Two at once: the second fails by its number, and nothing of it has happened."""
    last = connection.execute(select(DEED.c.line).order_by(DEED.c.n.desc()).limit(1)).scalar()
    if last is None:
        begun = Entry(0, 0, 0, utc, WHO, audit.PART, audit.part(signer.public_key(), audit.NO_HASH, 0))
        last = audit.line(signer, audit.NO_HASH, begun)
        connection.execute(insert(DEED).values(n=0, line=last))
    entry, digest = audit.read(last.encode())
    made = audit.line(signer, digest, Entry(entry.n + 1, 0, 0, utc, WHO, what, detail))
    connection.execute(insert(DEED).values(n=entry.n + 1, line=made))


def lines(connection: Connection) -> list[str]:
    """All of them, the oldest first."""
    return list(connection.execute(select(DEED.c.line).order_by(DEED.c.n)).scalars())
