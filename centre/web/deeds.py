"""The JSON interface of what people commanded, and of gateways' audit logs: to read; a command is given at the desk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from fastapi import APIRouter
from pydantic import Field

from centre import rows
from centre.web.api import PROBLEMS, GatewayPath
from centre.web.models import Answer, Gateway, Now
from centre.web.plain import plain
from wire.audit import Head

ORDERS_LIMIT_ROWS = 100


@runtime_checkable
class Desk(Protocol):
    """A store that keeps commands and heads of audit logs. Raises StoreError where the database fails."""

    def orders(self, gateway: str, limit_rows: int) -> list[rows.Order]: ...

    def audit(self, gateway: str) -> rows.AuditLog | None: ...


class CommandNow(Answer):
    """A command that a person gave, and what came of it."""

    nonce: str = Field(description="Its name, which the gateway's reply repeats")
    verb: str = Field(description="resend, set-policy, rotate, collect-bundle or update")
    asked: int = Field(description="When it was given, microseconds since 1970 by the centre")
    sent: int | None = Field(description="When it was sent last; null: the gateway was not there yet")
    tries: int = Field(description="How often it was sent")
    outcome: str = Field(description="done, refused, failed or begun, as the gateway signed it; empty: no answer yet")
    text: str = Field(description="What the gateway says of it")
    answered: int | None = Field(description="When the answer came")
    here: int = Field(description="Pieces of its diagnostic bundle that have come")
    pieces: int = Field(description="Of so many; 0: none has come")


class Commands(Answer):
    """The newest first."""

    now: Now
    gateway: Gateway
    commands: list[CommandNow] = Field(description="At most a hundred")


class AuditNow(Answer):
    """How far a gateway's audit log had come: what `wardlink audit verify --against` takes."""

    now: Now
    gateway: Gateway
    head: str = Field(description="COUNT:HASH; empty where the gateway has not said")
    utc: int | None = Field(description="When it said so, microseconds since 1970 by the centre")
    problem: str = Field(description="What speaks against the log: it was cut off, or there are two; empty: nothing")


class Deeds:
    """One method per path. `now` is the centre's clock in microseconds since 1970."""

    def __init__(self, store: Desk, now: Callable[[], int]) -> None:
        self._store = store
        self._now = now

    def router(self) -> APIRouter:
        router = APIRouter(responses=PROBLEMS)
        bed = "/api/beds/{gateway}"
        router.add_api_route(f"{bed}/commands", self.commands, summary="What people commanded")
        router.add_api_route(f"{bed}/audit", self.audit, summary="How far the audit log had come")
        return router

    def commands(self, gateway: GatewayPath) -> Commands:
        """The last hundred."""
        found = self._store.orders(gateway, ORDERS_LIMIT_ROWS)
        return Commands(now=self._now(), gateway=gateway, commands=[_told(row) for row in found])

    def audit(self, gateway: GatewayPath) -> AuditNow:
        """As the gateway said, sealed."""
        found = self._store.audit(gateway)
        head = "" if found is None else Head(found.count, found.hash).text()
        return AuditNow(
            now=self._now(),
            gateway=gateway,
            head=head,
            utc=found.utc if found else None,
            problem=found.problem if found else "",
        )


def _told(row: rows.Order) -> CommandNow:
    return CommandNow(
        nonce=row.nonce,
        verb=row.verb,
        asked=row.asked,
        sent=row.sent,
        tries=row.tries,
        outcome=row.outcome,
        text=plain(row.text),
        answered=row.answered,
        here=row.here,
        pieces=row.pieces,
    )
