"""The readers' side of the store: rows as they stand, from any thread. Raises StoreError where the database fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from centre import rows
from centre.pace import Row
from centre.store import dates, orders, read, waves
from centre.store.engine import said


class Readable:
    """What needs no ledger."""

    _engine: Engine
    _numbers: dict[str, int]

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

    def associations(self, gateway: str) -> list[rows.Association]:
        """What was said of patients, in the order it was said."""
        with self._reading() as connection:
            return read.associations(connection, self._of(gateway))

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
        return self._numbers.get(gateway, 0)  # no rows have 0

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise said(error) from error
