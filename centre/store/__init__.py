"""The durable store of the centre, and its ledger: one thread writes, several read (DESIGN 3, 6).

The same for SQLite and PostgreSQL. Every method raises StoreError where the database fails, and then nothing of the
call has happened.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from centre import rows
from centre.asking import Holes
from centre.counts import Counts
from centre.ledger import Ledger, Place, Standing, Start, Summary
from centre.store import books, orders, read, rollouts, waves, write
from centre.store.drawn import Outlines
from centre.store.engine import StoreError, open_engine, said
from centre.store.entry import Batch, Entry, Parked
from centre.store.orders import Order
from centre.store.proofs import Proofs
from centre.store.readable import Readable
from wire.command import Wanted
from wire.ranges import Ranges
from wire.receipt import Held
from wire.topics import Address, Class

__all__ = ["Batch", "Entry", "Parked", "Store", "StoreError"]


class Store(Readable):
    """An open database with the ledger in memory. `counts` are the counters that pages show."""

    def __init__(self, url: str, counts: Counts | None = None) -> None:
        self._counts = counts or Counts()
        self._engine = open_engine(url)
        self.outlines = Outlines(self._reading, self._writing, self._of)
        self._lock = threading.Lock()  # of the ledger: the writer changes it while pages read it
        self._ledger, self._proofs = Ledger(), Proofs()
        with self._reading() as connection:
            self._numbers = books.numbers(connection)
            self._load(connection)

    def _load(self, connection: Connection) -> None:
        """The books of all gateways."""
        self._open_books(connection, {number: gateway for gateway, number in self._numbers.items()})

    def _open_books(self, connection: Connection, names: Mapping[int, str]) -> None:
        """What must be in memory of these gateways."""
        ledger = books.ledger(connection, names)
        with self._lock:
            self._ledger.adopt(ledger)
            self._proofs.load(connection, names)

    def close(self) -> None:
        self._engine.dispose()

    @property
    def engine(self) -> Engine:
        return self._engine

    # The writer's side: one thread.

    def enrol(self, beds: Iterable[tuple[Address, str]]) -> None:
        """Gateways that are known before they are heard, each with its bed."""
        numbers = dict(self._numbers)
        with self._writing() as connection:
            for address, bed in beds:
                write.enrol(connection, numbers, address, bed)
        self._numbers = numbers

    def write(self, batch: Batch) -> list[Entry]:
        """Commit a batch; return the entries that were not there before, which are held from now on."""
        numbers = dict(self._numbers)
        with self._writing() as connection:
            fresh = write.write(connection, numbers, batch)
            verdicts = self._proofs.judge(connection, numbers, self._ledger, fresh)
        self._numbers = numbers
        with self._lock:
            self._enter(batch, fresh)
            self._proofs.enter(verdicts)
        return fresh

    def all_offline(self) -> None:
        with self._writing() as connection:
            write.all_offline(connection)

    def holds(self, place: Place, seq: int) -> bool:
        with self._lock:
            return self._ledger.holds(place, seq)

    def gateways(self) -> list[str]:
        """Ids of all that are enrolled or were ever heard."""
        return list(self._numbers)

    def grants(self, gateway: str, epoch: int, hour: int) -> list[bytes]:
        """Signed grants of one data key, as they came."""
        number = self._numbers.get(gateway)
        if number is None:
            return []
        with self._reading() as connection:
            return books.grants(connection, number, epoch, hour)

    def start(self, gateway: str, epoch: int) -> bytes | None:
        """What tells this start of a gateway from another one that wrongly has its number."""
        with self._lock:
            return self._ledger.start(gateway, epoch)

    def newest_start(self, gateway: str) -> Start:
        """Of which anything came last, of its newest epoch."""
        with self._lock:
            return self._ledger.newest_start(gateway)

    def digest(self, place: Place, seq: int) -> bytes | None:
        """SHA-256 of an envelope that is held."""
        with self._reading() as connection:
            return books.digest(connection, self._of(place.gateway), place, seq)

    def openable(self) -> list[tuple[str, int, int]]:
        """(gateway, epoch, hour) of parked envelopes whose grant is here."""
        with self._reading() as connection:
            return books.openable(connection)

    def parked(self, key: tuple[str, int, int], limit_rows: int) -> list[Parked]:
        """Envelopes that wait for the grant of (gateway, epoch, hour)."""
        with self._reading() as connection:
            return books.parked(connection, key, limit_rows)

    def newest(self, gateway: str) -> tuple[int, int, dict[int, int]]:
        """(epoch, latest t of vital, one past the newest sample by stream) of the newest epoch; -1 where none."""
        held = self.epochs(gateway)
        if not held:
            return -1, -1, {}
        number = self._of(gateway)
        with self._reading() as connection:
            latest = books.newest_t(connection, number, held[0])
            return held[0], latest, waves.ends(connection, number, held[0])

    def receipt(self, gateway: str) -> list[Held]:
        with self._lock:
            return self._ledger.receipt(gateway)

    def holes(self, gateway: str) -> Holes:
        """What to ask the gateway for: all that is missing, but for what waits here for its grant."""
        with self._lock:
            newest = self._ledger.newest_start(gateway)
            late, missing = self._ledger.late(gateway), self._ledger.holes(gateway)
        if not missing:
            return Holes(newest, late, [])
        with self._reading() as connection:
            waiting = books.waiting(connection, self._of(gateway))
            waits = orders.policy(connection, gateway).waves == "ask"  # only a person asks for those
        apart = ((one, waiting.get((one.epoch, one.cls), Ranges())) for one in missing)
        if waits:
            apart = ((one, here) for one, here in apart if one.cls != Class.WAVE)
        left = [Wanted(o.epoch, o.cls, [hole for run in o.ranges for hole in here.missing(*run)]) for o, here in apart]
        return Holes(newest, late, [one for one in left if one.ranges])

    def due_orders(self, utc: int) -> list[Order]:
        """Commands of people that are to be sent; what nobody will answer any more is ended."""
        with self._reading() as connection:
            found = orders.due(connection, utc)
        if not found:  # mostly
            return []
        with self._writing() as connection:
            orders.give_up(connection, utc)
            return orders.due(connection, utc)

    def order_sent(self, nonce: bytes, utc: int) -> None:
        with self._writing() as connection:
            orders.sent(connection, nonce, utc)

    def roll(self, utc: int) -> list[tuple[str, str]]:
        """One step of each rollout that runs; (version, what it came to) of those that moved."""
        with self._reading() as connection:
            if not rollouts.running(connection):  # mostly
                return []
        with self._writing() as connection:
            return rollouts.step(connection, utc)

    def _enter(self, batch: Batch, fresh: list[Entry]) -> None:
        for (gateway, epoch), start in batch.starts.items():
            self._ledger.begin(gateway, epoch, start)
        for one in batch.conflicts:
            self._ledger.set_apart(one.place, one.start, one.envelope.header.seq)
        new = {id(entry) for entry in fresh}
        for entry in batch.entries:
            if id(entry) in new:
                self._ledger.hold(entry.place, entry.header.seq)
                for place, following in write.tails(entry):
                    self._ledger.follow(place, following)
                for place, first, last in write.losses(entry):
                    self._ledger.declare(place, first, last)
            else:
                self._ledger.hold(entry.place, entry.header.seq)
                self._ledger.repeat(entry.place)
        for place, times in batch.repeats.items():
            self._ledger.repeat(place, times)

    # The readers' side: any thread.
    def beds(self) -> list[rows.Bed]:
        """All gateways enrolled or heard, by site and bed."""
        with self._reading() as connection:
            return read.beds(connection, self._standings(connection))

    def bed(self, gateway: str) -> rows.Bed | None:
        """One of them; None where it is not known."""
        with self._reading() as connection:
            return read.bed(connection, gateway, self._standing_of(connection, gateway))

    def _standings(self, _connection: Connection) -> dict[str, Standing]:
        """Of every gateway of which something is held, or known to be missing."""
        with self._lock:
            return {gateway: self._standing(gateway) for gateway in self._ledger.gateways()}

    def _standing_of(self, _connection: Connection, gateway: str) -> Standing:
        with self._lock:
            return self._standing(gateway)

    def _standing(self, gateway: str) -> Standing:
        unproven = self._ledger.listable(gateway) - self._proofs.proven(gateway)
        newest = next(iter(self._ledger.epochs(gateway)), 0)
        return Standing(self._ledger.summary(gateway), newest, unproven, self._proofs.refuted(gateway))

    def epochs(self, gateway: str) -> list[int]:
        """Epochs of which anything is held, the newest first."""
        with self._lock:
            return self._ledger.epochs(gateway)

    def summary(self, gateway: str) -> Summary:
        with self._lock:
            return self._ledger.summary(gateway)  # in four numbers

    def missing(self, place: Place) -> list[tuple[int, int]]:
        """Ranges of seq that nobody has, nor has declared lost."""
        with self._lock:
            return self._ledger.missing(place)

    def counters(self) -> Mapping[str, int]:
        """What happened since the centre started, refusals by reason among it."""
        return self._counts.snapshot()

    def standing(self) -> Mapping[str, float]:
        """How the consumer stands now: lag and what waits, by name and labels."""
        return self._counts.standing()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise said(error) from error
