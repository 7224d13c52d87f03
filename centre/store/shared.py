"""The store of one of several consumers on one PostgreSQL: each writes for its own gateways, and hands over the rest.

A gateway is in one of 256 slots; whoever has a slot has its advisory lock, on the one connection by which it also
writes. Where that connection ends, for whatever reason, the locks are gone, and with them the transaction: nobody can
write for a gateway that another has. No clock decides anything. ADR 31.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from sqlalchemy import Connection, RowMapping, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from centre.counts import Counts
from centre.ledger import Place, Standing, Summary
from centre.store import Store, StoreError, books, handing, schema, write
from centre.store.drawn import Outlines
from centre.store.engine import said
from centre.store.entry import Batch, Entry
from centre.store.handing import SLOTS_COUNT, STANDING, Handed, slot_of
from wire.topics import Address

SLOT_LOCK, MEMBER_LOCK = 0x776C01, 0x776C02  # 03 and 04: centre/store/drawn.py, centre/keeping.py
FROZEN_LIMIT_S = 30  # a consumer that says nothing so long loses its slots (PostgreSQL 14 and later)
_DEAD_LIMIT = ("tcp_keepalives_idle = 5", "tcp_keepalives_interval = 2", "tcp_keepalives_count = 3")
_MEMBERS = """SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = :lock AND objsubid = 2 AND granted
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
_TAKEN = _MEMBERS.replace("count(*)", "objid")


class Moved(NamedTuple):
    """Gateways that are this consumer's from now on, and that are no more."""

    gained: frozenset[Address]
    lost: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.gained or self.lost)


class SharedStore(Store):
    """`slots` are this consumer's. The ingest thread alone settles and writes; pages read, as ever."""

    def __init__(self, url: str, counts: Counts | None = None) -> None:
        self.slots: frozenset[int] = frozenset()
        self._line: Connection | None = None
        self._changed: set[str] = set()
        self._gone: set[str] = set()  # lost with the connection, to be told at the next settling
        super().__init__(url, counts)
        self.outlines = Outlines(self._reading, self._apart, self._of)

    def _load(self, connection: Connection) -> None:
        """Nothing is ours yet."""

    def close(self) -> None:
        self.let_go()
        super().close()

    def mine(self, gateway: str) -> bool:
        return slot_of(gateway) in self.slots

    def settle(self, *, wanted: bool = True) -> Moved:
        """Have a fair share of the slots, or none; the books of what is gained are read. Raises StoreError."""
        before = self.slots
        try:
            line = self._line or self._opened()
            with line.begin():
                slots = self._shared_out(line) if wanted else frozenset()
                for slot in before - slots:
                    line.execute(text("SELECT pg_advisory_unlock(:lock, :slot)"), {"lock": SLOT_LOCK, "slot": slot})
                self.slots = slots
                if slots - before:
                    self._numbers = books.numbers(line)
                gained = {gateway for gateway in self._numbers if slot_of(gateway) in slots - before}
                self._open_books(line, {self._numbers[gateway]: gateway for gateway in gained})
                there = self._addresses(line, gained)
        except SQLAlchemyError as error:
            self.let_go()
            raise said(error) from error
        lost = {gateway for gateway in self._numbers if slot_of(gateway) in before - slots}
        self._forget(lost)
        lost |= self._gone
        self._gone = set()
        return Moved(frozenset(there), frozenset(lost))

    def hand(self, arrivals: Iterable[tuple[str, Address, str, bytes, int]]) -> None:
        """(whose it is, address, word, data, received): durable for whoever has that one. Raises StoreError."""
        with self._apart() as connection:
            handing.put(connection, ((slot_of(one[0]), *one[1:]) for one in arrivals))

    def handed(self, besides: Sequence[int], limit_rows: int) -> list[Handed]:
        """What others handed over for us, the oldest first. Raises StoreError."""
        if not self.slots:
            return []
        with self._reading() as connection:
            return handing.waiting(connection, self.slots, besides, limit_rows)

    def handed_count(self) -> int:
        """What was handed over for us and is not stored yet. Raises StoreError."""
        with self._reading() as connection:
            return handing.count(connection, self.slots)

    def reached(self, place: Place) -> int:
        """One past the greatest number that is here."""
        with self._lock:
            return self._ledger.reached(place)

    def write(self, batch: Batch) -> list[Entry]:
        """Only of our own. Raises StoreError; then they may be another's, so whoever calls looks again whose."""
        named = {one.address.gateway for one in batch.entries} | {one.address.gateway for one in batch.parked}
        if not all(self.mine(gateway) for gateway in named):
            raise StoreError("a gateway is another consumer's by now", "it is handed over")
        fresh = super().write(batch)
        self._changed |= named | {place.gateway for place in batch.repeats}
        return fresh

    def all_offline(self) -> None:
        """Of those that are ours, nobody's presence is known any more."""
        self.absent(gateway for gateway in self._numbers if self.mine(gateway))

    def absent(self, gateways: Iterable[str]) -> None:
        """Nobody says that these are there."""
        numbers = [self._of(gateway) for gateway in gateways]
        if numbers:
            with self._writing() as connection:
                write.all_offline(connection, numbers)

    def openable(self) -> list[tuple[str, int, int]]:
        return [hour for hour in super().openable() if self.mine(hour[0])]

    def epochs(self, gateway: str) -> list[int]:
        if self.mine(gateway):
            return super().epochs(gateway)
        s = schema.START.c
        with self._reading() as connection:
            found = select(s.epoch).where(s.gw == self._known(connection, gateway)).order_by(s.epoch.desc())
            return list(connection.execute(found).scalars())

    def summary(self, gateway: str) -> Summary:
        if self.mine(gateway):
            return super().summary(gateway)
        with self._reading() as connection:
            return self._standing_of(connection, gateway).summary

    def address(self, gateway: str) -> Address | None:
        """Where a gateway is; None where it is not known."""
        g = schema.GATEWAY.c
        with self._reading() as connection:
            site = connection.execute(select(g.site).where(g.gateway == gateway)).scalar()
        return None if site is None else Address(site, gateway)

    def start(self, gateway: str, epoch: int) -> bytes | None:
        if self.mine(gateway):
            return super().start(gateway, epoch)
        s = schema.START.c
        with self._reading() as connection:
            here = select(s.start).where(s.gw == self._known(connection, gateway), s.epoch == epoch)
            found = connection.execute(here).scalar()
        return None if found is None else bytes(found)

    def grants(self, gateway: str, epoch: int, hour: int) -> list[bytes]:
        with self._reading() as connection:
            return books.grants(connection, self._known(connection, gateway), epoch, hour)

    def publish_standings(self) -> None:
        """For the pages of the others: how those stand of which something came. Raises StoreError."""
        changed = [gateway for gateway in self._changed if self.mine(gateway)]
        if not changed:
            return
        with self._lock:
            told = [_row(self._of(gateway), self._standing(gateway)) for gateway in changed]
        statement = insert(STANDING)
        news = {name: statement.excluded[name] for name in told[0] if name != "gw"}
        with self._writing() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["gw"], set_=news), told)
        self._changed.clear()

    def _standings(self, connection: Connection) -> dict[str, Standing]:
        """Ours by the books, the others' as they were told last."""
        names = {number: gateway for gateway, number in books.numbers(connection).items()}
        told = {names[row["gw"]]: _told(row) for row in connection.execute(select(STANDING)).mappings()}
        own = super()._standings(connection)
        return told | {gateway: one for gateway, one in own.items() if self.mine(gateway)}

    def _standing_of(self, connection: Connection, gateway: str) -> Standing:
        if self.mine(gateway):
            return super()._standing_of(connection, gateway)
        here = select(STANDING).where(STANDING.c.gw == self._known(connection, gateway))
        row = connection.execute(here).mappings().first()
        return Standing() if row is None else _told(row)

    def _of(self, gateway: str) -> int:
        if gateway not in self._numbers:  # another consumer may have met it
            with self._reading() as connection:
                return self._known(connection, gateway)
        return super()._of(gateway)

    def _known(self, connection: Connection, gateway: str) -> int:
        g = schema.GATEWAY.c
        found = self._numbers.get(gateway) or connection.execute(select(g.gw).where(g.gateway == gateway)).scalar()
        return found or 0

    def _shared_out(self, line: Connection) -> frozenset[int]:
        """Our slots after taking what is free, up to a fair share; more than that is not among them."""
        members = int(line.execute(text(_MEMBERS), {"lock": MEMBER_LOCK}).scalar_one())
        fair = -(-SLOTS_COUNT // max(1, members))
        if len(self.slots) >= fair:
            return frozenset(sorted(self.slots)[:fair])
        taken = set(line.execute(text(_TAKEN), {"lock": SLOT_LOCK}).scalars())
        free = [slot for slot in range(SLOTS_COUNT) if slot not in taken][: fair - len(self.slots)]
        locks = text("SELECT s FROM unnest(CAST(:free AS int[])) AS s WHERE pg_try_advisory_lock(:lock, s)")
        return self.slots | set(line.execute(locks, {"free": free, "lock": SLOT_LOCK}).scalars())

    def _opened(self) -> Connection:
        line = self._line = self._engine.connect()
        line.detach()  # never back to the pool: what is locked by it would stay so
        limits = [*_DEAD_LIMIT, f"idle_in_transaction_session_timeout = '{FROZEN_LIMIT_S}s'"]
        version = line.dialect.server_version_info or (0,)
        if version >= (14,):
            limits.append(f"idle_session_timeout = '{FROZEN_LIMIT_S}s'")
        with line.begin():
            for limit in limits:
                line.execute(text(f"SET {limit}"))
            line.execute(text("SELECT pg_advisory_lock(:lock, pg_backend_pid())"), {"lock": MEMBER_LOCK})
        return line

    def let_go(self) -> None:
        """The connection is not to be trusted any more, so nothing is ours."""
        self._gone |= {gateway for gateway in self._numbers if self.mine(gateway)}
        self.slots = frozenset()
        self._forget(self._gone)
        line, self._line = self._line, None
        if line is not None:
            line.invalidate()
            line.close()

    def _forget(self, gateways: Iterable[str]) -> None:
        named = set(gateways)
        with self._lock:
            for gateway in named:
                self._ledger.forget(gateway)
            self._proofs.forget(named)

    def _addresses(self, line: Connection, gateways: set[str]) -> list[Address]:
        g = schema.GATEWAY.c
        return [
            Address(site, gateway) for gateway, site in line.execute(select(g.gateway, g.site)) if gateway in gateways
        ]

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            line = self._line or self._opened()
            with line.begin():
                yield line
        except SQLAlchemyError as error:
            self.let_go()
            raise said(error) from error

    def _apart(self) -> AbstractContextManager[Connection]:
        """A transaction that is no gateway's."""
        return super()._writing()


def _row(number: int, one: Standing) -> dict[str, int]:
    s = one.summary
    told = {"held": s.held, "missing": s.missing, "lost": s.lost, "duplicates": s.duplicates}
    return {"gw": number, "newest": one.newest, **told, "unproven": one.unproven, "refuted": one.refuted}


def _told(row: RowMapping) -> Standing:
    summary = Summary(row["held"], row["missing"], row["lost"], row["duplicates"])
    return Standing(summary, row["newest"], row["unproven"], row["refuted"])
