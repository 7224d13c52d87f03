"""What a centre's store has to prove itself with: signed statements as they came, and what each envelope hashed to.

Reads only. It proves what came; that the rows made from it are still what they were, only the envelopes could prove.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, create_engine, make_url, select
from sqlalchemy.exc import SQLAlchemyError

from centre.store import books, schema
from centre.store.keeping_schema import LET_GO
from wire.envelope import EnvelopeError
from wire.proof import Evidence
from wire.topics import Class
from wire.verdict import Kind, Place


class EvidenceError(Exception):
    """There is no such store, or no such gateway in it; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def evidence(url: str, gateway: str) -> tuple[str, Callable[[Evidence], None]]:
    """The gateway ("": the only one there is), and what fills its evidence. Raises EvidenceError."""
    try:
        found = make_url(url)
        if found.drivername.startswith("sqlite") and not Path(found.database or "").is_file():
            raise EvidenceError(f"there is no store at {url}", "the address is `store` in centre.toml")
        engine = create_engine(found)
        with engine.connect() as connection:
            numbers = books.numbers(connection)
    except (SQLAlchemyError, ImportError) as error:
        raise EvidenceError(
            f"no store can be read there: {error}", "sqlite:///file or postgresql+psycopg://..."
        ) from error
    name = gateway or (next(iter(numbers)) if len(numbers) == 1 else "")
    if name not in numbers:
        raise EvidenceError(f"the store has {len(numbers)} gateways", f"name one: {', '.join(sorted(numbers)[:20])}")

    def fill(into: Evidence) -> None:
        with engine.connect() as connection:
            _fill(connection, numbers[name], into)
        engine.dispose()

    return name, fill


def _fill(connection: Connection, gw: int, into: Evidence) -> None:
    s, e, gone = schema.STATEMENT.c, schema.ENVELOPE.c, schema.LOST.c
    for said_so in connection.execute(select(s.epoch, s.seq, s.data).where(s.gw == gw)):
        _statement(into, Place(said_so.epoch, Class.KEY), said_so.seq, bytes(said_so.data))
    hashed = select(e.epoch, e.cls, e.seq, e.digest).where(e.gw == gw, e.cls != int(Class.KEY))
    for row in connection.execute(hashed.order_by(e.epoch, e.cls, e.seq)):
        into.leaf(Place(row.epoch, Class(row.cls)), row.seq, bytes(row.digest))
    for lost in connection.execute(select(schema.LOST).where(gone.gw == gw, gone.cause != "ended")):
        into.lose(Place(lost.epoch, Class(lost.cls)), lost.first, lost.last, lost.cause)
    kept = LET_GO.c
    for row in connection.execute(select(LET_GO).where(kept.gw == gw)):
        into.lose(Place(row.epoch, Class(row.cls)), row.first, row.last, "removed by retention")
    c = schema.CONFLICT.c
    for apart in connection.execute(select(c.epoch, c.cls, c.seq).where(c.gw == gw)):
        into.find(Kind.TWICE, Place(apart.epoch, Class(apart.cls)), apart.seq, "another genuine one is kept apart")


def _statement(into: Evidence, place: Place, seq: int, data: bytes) -> None:
    try:
        header = into.envelope(data)
    except EnvelopeError as error:
        into.find(Kind.DAMAGED, place, seq, str(error))
        return
    if (Place(header.epoch, header.cls), header.seq) != (place, seq):
        into.find(Kind.ALTERED, place, seq, f"in its place lies epoch {header.epoch} {header.cls.word} {header.seq}")
