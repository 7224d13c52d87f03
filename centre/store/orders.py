"""Commands that a person gave: asked in one process, sent and answered in another, read by pages. Rows, no memory.

A command and its answer meet by the nonce; only the gateway it is for can answer it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import cbor2
import msgspec
from sqlalchemy import Connection, func, insert, select, update

from centre import rows
from centre.store import orders_schema, schema
from centre.store.entry import Replied
from wire import cbor
from wire.command import VERBS, Said, SetPolicy
from wire.reply import Answer, Piece

TRIES_LIMIT_COUNT = 10
AGAIN_US = 60_000_000
SILENT, WITHDRAWN = "the gateway did not answer", "withdrawn: the rollout was stopped"
AGE_LIMIT_US = 7 * 86_400_000_000
_POLICY, _COLLECT = "set-policy", "collect-bundle"


class Order(NamedTuple):
    """A command that is to be sent now."""

    nonce: bytes
    gateway: str
    said: Said


def add(connection: Connection, gateway: str, nonce: bytes, said: Said, utc: int) -> None:
    body = cbor2.dumps(msgspec.to_builtins(said, builtin_types=(bytes,)))
    row = {"nonce": nonce, "gateway": gateway, "verb": VERBS[type(said)], "said": body, "asked": utc}
    connection.execute(insert(orders_schema.ORDER).values(**row, tries=0, outcome="", text=""))


def due(connection: Connection, utc: int) -> list[Order]:
    """The oldest unanswered one of each gateway, unless it was sent a moment ago."""
    o = orders_schema.ORDER.c
    found = connection.execute(select(o.nonce, o.gateway, o.said, o.sent).where(o.outcome == "").order_by(o.asked))
    firsts: dict[str, Order] = {}
    waits: set[str] = set()
    for row in found:
        if row.gateway in firsts or row.gateway in waits:
            continue
        if row.sent is not None and utc - row.sent < AGAIN_US:
            waits.add(row.gateway)
        else:
            said = msgspec.convert(cbor.loads(bytes(row.said)), type=Said, builtin_types=(bytes,))
            firsts[row.gateway] = Order(bytes(row.nonce), row.gateway, said)
    return list(firsts.values())


def sent(connection: Connection, nonce: bytes, utc: int) -> None:
    o = orders_schema.ORDER.c
    connection.execute(update(orders_schema.ORDER).where(o.nonce == nonce).values(sent=utc, tries=o.tries + 1))


def give_up(connection: Connection, utc: int) -> int:
    """What nobody will answer any more; how many."""
    o = orders_schema.ORDER.c
    silent = (o.tries >= TRIES_LIMIT_COUNT) & (o.sent < utc - AGAIN_US)
    over = silent | (o.asked < utc - AGE_LIMIT_US)
    ended = update(orders_schema.ORDER).where((o.outcome == "") & over)
    return connection.execute(ended.values(outcome="failed", text=SILENT)).rowcount


def answer(connection: Connection, replies: Iterable[Replied]) -> None:
    """Replies to commands that nobody here gave, or that another gateway was given, say nothing."""
    o = orders_schema.ORDER.c
    for one in replies:
        gateway, reply, received = one.gateway, one.reply, one.received
        asked = connection.execute(select(o.verb).where(o.nonce == reply.nonce, o.gateway == gateway)).scalar()
        if asked is None:
            continue
        if isinstance(reply.said, Answer):
            news = {"outcome": reply.said.outcome, "text": reply.said.text.replace("\0", " "), "answered": received}
            connection.execute(update(orders_schema.ORDER).where(o.nonce == reply.nonce).values(**news))
        elif asked == _COLLECT:
            _keep(connection, reply.nonce, reply.said)


def _keep(connection: Connection, nonce: bytes, piece: Piece) -> None:
    """A piece may come twice; one of another file than the first does not count."""
    p = orders_schema.PIECE.c
    here = connection.execute(select(p.number, p.pieces).where(p.nonce == nonce)).all()
    if all(row.pieces == piece.pieces and row.number != piece.number for row in here):
        row = {"nonce": nonce, "number": piece.number, "pieces": piece.pieces, "data": piece.data}
        connection.execute(insert(orders_schema.PIECE).values(**row))


def policy(connection: Connection, gateway: str) -> SetPolicy:
    """What the gateway said last that it has taken."""
    o = orders_schema.ORDER.c
    wanted = select(o.said).where(o.gateway == gateway, o.verb == _POLICY, o.outcome == "done")
    row = connection.execute(wanted.order_by(o.answered.desc()).limit(1)).scalar()
    return SetPolicy() if row is None else msgspec.convert(cbor.loads(bytes(row)), type=SetPolicy)


def listed(connection: Connection, gateway: str, limit_rows: int) -> list[rows.Order]:
    """The newest first."""
    o, p = orders_schema.ORDER.c, orders_schema.PIECE.c
    found = connection.execute(
        select(orders_schema.ORDER).where(o.gateway == gateway).order_by(o.asked.desc()).limit(limit_rows)
    ).mappings()
    out: list[rows.Order] = []
    for row in found:
        count = select(func.count(), func.max(p.pieces)).where(p.nonce == row["nonce"])
        here, pieces = connection.execute(count).one()
        said = (row["verb"], row["asked"], row["sent"], row["tries"], row["outcome"], row["text"], row["answered"])
        out.append(rows.Order(bytes(row["nonce"]).hex(), *said, here, pieces or 0))
    return out


def bundle(connection: Connection, gateway: str, nonce: bytes) -> bytes | None:
    """The diagnostic bundle, once all of its pieces are here."""
    o, p = orders_schema.ORDER.c, orders_schema.PIECE.c
    joined = select(p.pieces, p.data).join_from(orders_schema.PIECE, orders_schema.ORDER).where(p.nonce == nonce)
    found = connection.execute(joined.where(o.gateway == gateway).order_by(p.number)).all()
    whole = found and len(found) == found[0].pieces
    return b"".join(bytes(row.data) for row in found) if whole else None


def audit(connection: Connection, gw: int) -> rows.AuditLog | None:
    """What a gateway's log had come to, and what speaks against it."""
    wanted = select(schema.AUDIT).where(schema.AUDIT.c.gw == gw)
    heads = sorted(connection.execute(wanted).mappings(), key=lambda row: (row["count"], row["received"]))
    if not heads:
        return None
    furthest, latest = heads[-1], max(heads, key=lambda row: (row["epoch"], row["t"]))
    problem = ""
    if latest["count"] < furthest["count"]:
        problem = f"it had {furthest['count']} entries, and has {latest['count']} since"
    elif len({row["count"] for row in heads}) < len(heads):
        problem = "two logs say different things of the same entry"
    return rows.AuditLog(furthest["count"], bytes(furthest["hash"]), furthest["received"], problem)


def known(connection: Connection, gateway: str) -> bool:
    g = schema.GATEWAY.c
    return connection.execute(select(g.gw).where(g.gateway == gateway)).scalar() is not None
