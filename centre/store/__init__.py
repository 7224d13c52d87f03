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
from centre.ledger import Place, Summary
from centre.pace import Row
from centre.store import books, dates, orders, read, waves, write
from centre.store.engine import StoreError, open_engine, said
from centre.store.entry import Batch, Entry, Parked
from centre.store.orders import Order
from centre.store.proofs import Proofs
from wire.command import Wanted
from wire.ranges import Ranges
from wire.receipt import Held
from wire.topics import Address, Class

__all__ = ["Batch", "Entry", "Parked", "Store", "StoreError"]


class Store:
    """An open database with the ledger in memory. `counts` are the counters that pages show."""

    def __init__(self, url: str, counts: Counts | None = None) -> None:
        self._counts = counts or Counts()
        self._engine = open_engine(url)
        self._lock = threading.Lock()  # of the ledger: the writer changes it while pages read it
        with self._reading() as connection:
            self._numbers = books.numbers(connection)
            self._ledger = books.ledger(connection)
            self._proofs = Proofs()
            self._proofs.load(connection, {number: gateway for gateway, number in self._numbers.items()})

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

    def first_grant(self, gateway: str, epoch: int) -> bytes | None:
        """What tells this start of a gateway from another one that wrongly has its number."""
        with self._reading() as connection:
            return books.first_grant(connection, self._of(gateway), epoch)

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
        number = self._numbers[gateway]
        with self._reading() as connection:
            latest = books.newest_t(connection, number, held[0])
            return held[0], latest, waves.ends(connection, number, held[0])

    def receipt(self, gateway: str) -> list[Held]:
        with self._lock:
            return self._ledger.receipt(gateway)

    def holes(self, gateway: str) -> Holes:
        """What to ask the gateway for: all that is missing, but for what waits here for its grant."""
        with self._lock:
            epoch = next(iter(self._ledger.epochs(gateway)), -1)
            late, missing = self._ledger.late(gateway), self._ledger.holes(gateway)
        if not missing:
            return Holes(epoch, late, [])
        with self._reading() as connection:
            waiting = books.waiting(connection, self._of(gateway))
            waits = orders.policy(connection, gateway).waves == "ask"  # only a person asks for those
        apart = ((one, waiting.get((one.epoch, one.cls), Ranges())) for one in missing)
        if waits:
            apart = ((one, here) for one, here in apart if one.cls != Class.WAVE)
        left = [Wanted(o.epoch, o.cls, [hole for run in o.ranges for hole in here.missing(*run)]) for o, here in apart]
        return Holes(epoch, late, [one for one in left if one.ranges])

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

    def _enter(self, batch: Batch, fresh: list[Entry]) -> None:
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
        with self._lock:
            summaries = {gateway: self._ledger.summary(gateway) for gateway in self._ledger.gateways()}
            newest = {gateway: next(iter(self._ledger.epochs(gateway)), 0) for gateway in summaries}
            proofs = {gateway: self._proof(gateway) for gateway in summaries}
        with self._reading() as connection:
            return read.beds(connection, summaries, newest, proofs)

    def _proof(self, gateway: str) -> tuple[int, int]:
        """(held and proven by no manifest, refuted by one)."""
        unproven = self._ledger.listable(gateway) - self._proofs.proven(gateway)
        return unproven, self._proofs.refuted(gateway)

    def epochs(self, gateway: str) -> list[int]:
        """Epochs of which anything is held, the newest first."""
        with self._lock:
            return self._ledger.epochs(gateway)

    def summary(self, gateway: str) -> Summary:
        """The ledger of a gateway in four numbers."""
        with self._lock:
            return self._ledger.summary(gateway)

    def missing(self, place: Place) -> list[tuple[int, int]]:
        """Ranges of seq that nobody has, nor has declared lost."""
        with self._lock:
            return self._ledger.missing(place)

    def counters(self) -> Mapping[str, int]:
        """What happened since the centre started, refusals by reason among it."""
        return self._counts.snapshot()

    def streams(self, gateway: str, epoch: int | None = None) -> list[rows.Stream]:
        """Streams of an epoch by number; None: the newest epoch with a catalogue."""
        number = self._numbers.get(gateway)
        if number is None:
            return []
        with self._reading() as connection:
            asked = read.newest_catalogue(connection, number) if epoch is None else epoch
            return [] if asked is None else read.streams(connection, gateway, number, asked)

    def samples(
        self, gateway: str, epoch: int, stream: int, first: int, last: int, limit_samples: int
    ) -> list[rows.Samples]:
        """Whole blocks with samples of `first` up to, not with, `last`, by index; at most `limit_samples` of them."""
        with self._reading() as connection:
            return waves.samples(connection, self._of(gateway), epoch, stream, (first, last), limit_samples)

    def arrivals(self, gateway: str, epoch: int, stream: int, span_us: int) -> list[Row]:
        """When blocks of the newest `span_us` of a wave came, thinned; a new row behind each gap of unknown size."""
        with self._reading() as connection:
            return waves.arrivals(connection, self._of(gateway), epoch, stream, span_us)

    def last_index(self, gateway: str, epoch: int, stream: int) -> int | None:
        """One past the newest sample of a wave."""
        with self._reading() as connection:
            return waves.last_index(connection, self._of(gateway), epoch, stream)

    def readings(self, gateway: str, epoch: int, since_t: int | None, limit_rows: int) -> list[rows.Reading]:
        """By time, from `since_t` on, the first `limit_rows`; None: the newest of each stream."""
        with self._reading() as connection:
            return read.readings(connection, self._of(gateway), epoch, since_t, limit_rows)

    def pairs(self, gateway: str, epoch: int, session: int) -> list[rows.Paired]:
        """What the clock of a session's device said, in all sessions that are surely of the same device."""
        with self._reading() as connection:
            number = self._of(gateway)
            return read.pairs(connection, number, read.sessions_of(connection, number, epoch, session))

    def notices(self, gateway: str, epoch: int, since_t: int | None, limit_rows: int) -> list[rows.Notice]:
        """By time, from `since_t` on, the first `limit_rows`; None: the newest `limit_rows`."""
        with self._reading() as connection:
            return read.notices(connection, self._of(gateway), epoch, since_t, limit_rows)

    def gaps(self, gateway: str, epoch: int, stream: int | None = None) -> list[rows.Gap]:
        """Declared gaps by time, of one stream or of all."""
        with self._reading() as connection:
            return read.gaps(connection, self._of(gateway), epoch, stream)

    def anchors(self, gateway: str, epoch: int) -> list[rows.Anchored]:
        """Anchors of an epoch by time."""
        with self._reading() as connection:
            return read.anchors(connection, self._of(gateway), epoch)

    def orders(self, gateway: str, limit_rows: int) -> list[rows.Order]:
        """Commands that people gave this gateway, the newest first."""
        with self._reading() as connection:
            return orders.listed(connection, gateway, limit_rows)

    def bundle(self, gateway: str, nonce: bytes) -> bytes | None:
        """The diagnostic bundle that a command brought, once it is whole."""
        with self._reading() as connection:
            return orders.bundle(connection, gateway, nonce)

    def audit(self, gateway: str) -> rows.AuditLog | None:
        """How far the gateway's audit log had come; None where it has not said."""
        with self._reading() as connection:
            return orders.audit(connection, self._of(gateway))

    def datings(self, gateway: str, epoch: int) -> list[rows.Dating]:
        """What dates an epoch: what is known about it, the others of its boot, and their neighbours; by epoch."""
        with self._reading() as connection:
            return dates.datings(connection, self._of(gateway), epoch)

    def _of(self, gateway: str) -> int:
        """Its number; 0, which has no rows, where the gateway is not known."""
        return self._numbers.get(gateway, 0)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise said(error) from error

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise said(error) from error
