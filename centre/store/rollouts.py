"""Rollouts: which version goes to which gateways, how far it has come, and who was told. Rows, no memory.

A gateway is told by a command like any other, so what came of it is the command's outcome.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import get_args

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from centre import rolling
from centre.rolling import Came, Member
from centre.store import orders, schema
from centre.store.columns import METADATA, number, word
from centre.store.orders_schema import ORDER
from wire.command import NONCE_BYTES, Update

ROLLOUT = Table(
    "rollout",
    METADATA,
    Column("version", Text, primary_key=True),
    word("url"),
    Column("sha256", LargeBinary, nullable=False),
    word("floor"),
    word("sites"),  # JSON; none: all
    number("soak_us"),
    Column("stage", Integer, nullable=False),
    number("began"),  # this stage
    word("state"),
    word("why"),
)
MEMBER = Table(
    "rollout_member",
    METADATA,
    Column("version", Text, ForeignKey("rollout.version"), primary_key=True),
    Column("gateway", Text, primary_key=True),
    Column("nonce", LargeBinary, ForeignKey("command.nonce"), nullable=False),
    Column("told", BigInteger, nullable=False),
)


class RolloutError(Exception):
    """There is no such rollout, or one already."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """As it stands. `counts`: of each outcome, how many gateways; `of`: how many it may go to in all."""

    version: str
    state: str
    stage: int
    began: int
    why: str
    of: int
    counts: dict[Came, int]


def start(connection: Connection, said: Update, sites: list[str], soak_us: int, utc: int) -> None:
    """Raises RolloutError."""
    if _row(connection, said.version) is not None:
        raise RolloutError(f"{said.version} is being rolled out already, or was")
    row = {"url": said.url, "sha256": said.sha256, "floor": said.floor, "sites": msgspec.json.encode(sites).decode()}
    began = {"stage": 0, "began": utc, "state": "runs", "why": "", "soak_us": soak_us}
    connection.execute(insert(ROLLOUT).values(version=said.version, **row, **began))


def stop(connection: Connection, version: str, why: str) -> None:
    """Whoever has not been reached yet is not told any more. Raises RolloutError."""
    _known(connection, version)
    connection.execute(update(ROLLOUT).where(ROLLOUT.c.version == version).values(state="stopped", why=why))
    told = select(MEMBER.c.nonce).where(MEMBER.c.version == version)
    waits = update(ORDER).where(ORDER.c.nonce.in_(told), ORDER.c.outcome == "")
    connection.execute(waits.values(outcome="failed", text=orders.WITHDRAWN))


def go_on(connection: Connection, version: str, utc: int) -> None:
    """Tell those again that were not reached or failed, and try the stage anew. Raises RolloutError."""
    _known(connection, version)
    again = select(ORDER.c.nonce).where(ORDER.c.outcome.in_(("failed", "refused")))
    connection.execute(delete(MEMBER).where(MEMBER.c.version == version, MEMBER.c.nonce.in_(again)))
    news = {"state": "runs", "why": "", "began": utc}
    connection.execute(update(ROLLOUT).where(ROLLOUT.c.version == version).values(**news))


def running(connection: Connection) -> bool:
    return connection.execute(select(ROLLOUT.c.version).where(ROLLOUT.c.state == "runs").limit(1)).first() is not None


def step(connection: Connection, utc: int) -> list[tuple[str, str]]:
    """One step of each that runs; (version, words) of those that moved."""
    moved: list[tuple[str, str]] = []
    for row in connection.execute(select(ROLLOUT).where(ROLLOUT.c.state == "runs").with_for_update()).all():
        gateways, members = _gateways(connection, row.sites), _members(connection, row.version)
        then = rolling.step(row.version, row.stage, row.began, row.soak_us, gateways, members, utc)
        said = Update(row.version, row.url, bytes(row.sha256), row.floor)
        for gateway in then.tell:
            _tell(connection, said, gateway, utc)
        if then.state == "stopped":
            stop(connection, row.version, then.why)
        elif (then.stage, then.state) != (row.stage, "runs"):
            news = {"stage": then.stage, "state": then.state, "began": utc}
            connection.execute(update(ROLLOUT).where(ROLLOUT.c.version == row.version).values(**news))
        if then.tell or (then.stage, then.state) != (row.stage, "runs"):
            moved.append((row.version, f"stage={then.stage + 1} told={len(then.tell)} {then.state} {then.why}".strip()))
    return moved


def listed(connection: Connection, utc: int) -> list[Rollout]:
    """By their beginning."""
    out: list[Rollout] = []
    for row in connection.execute(select(ROLLOUT).order_by(ROLLOUT.c.began)).all():
        came = [one.counted(utc) for one in _members(connection, row.version)]
        counts = {one: came.count(one) for one in get_args(Came)}
        of = len(_gateways(connection, row.sites))
        out.append(Rollout(row.version, row.state, row.stage, row.began, row.why, of, counts))
    return out


def _tell(connection: Connection, said: Update, gateway: str, utc: int) -> None:
    nonce = hashlib.sha256(f"wardlink rollout {said.version} {gateway} {utc}".encode()).digest()[:NONCE_BYTES]
    orders.add(connection, gateway, nonce, said, utc)
    connection.execute(insert(MEMBER).values(version=said.version, gateway=gateway, nonce=nonce, told=utc))


def _gateways(connection: Connection, sites: str) -> list[str]:
    g, wanted = schema.GATEWAY.c, msgspec.json.decode(sites, type=list[str])
    found = select(g.gateway)
    return list(connection.execute(found.where(g.site.in_(wanted)) if wanted else found).scalars())


def _members(connection: Connection, version: str) -> list[Member]:
    o, m = ORDER.c, MEMBER.c
    joined = select(m.gateway, m.told, o.outcome, o.text, o.answered).join_from(MEMBER, ORDER, m.nonce == o.nonce)
    found = connection.execute(joined.where(m.version == version)).all()
    return [Member(row.gateway, _came(row.outcome, row.text), row.answered or row.told) for row in found]


def _came(outcome: str, text: str) -> Came:
    if outcome == "failed" and text in (orders.SILENT, orders.WITHDRAWN):
        return "silent"
    words: dict[str, Came] = {"": "waits", "begun": "begun", "done": "well", "refused": "refused"}
    return words.get(outcome, "failed")


def _row(connection: Connection, version: str) -> object:
    return connection.execute(select(ROLLOUT.c.version).where(ROLLOUT.c.version == version)).first()


def _known(connection: Connection, version: str) -> None:
    if _row(connection, version) is None:
        raise RolloutError(f"nothing called {version} is being rolled out")
