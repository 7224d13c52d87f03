"""The store as exports read it: nothing is written, no ledger is loaded, and no read lasts longer than one call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError

from centre import rows
from centre.boots import mapping_of
from centre.mapping import Mapping
from centre.pace import Row
from centre.store import dates, engine, extents, read, schema
from centre.store.engine import StoreError
from centre.web.taken import Clocks
from wire.records import MarkAt

_FILE = "sqlite:///"


class UnheardError(StoreError):
    """The store has no such gateway."""


class Archive:
    """One gateway of an open database. Raises StoreError where the database fails."""

    def __init__(self, opened: Engine, gateway: str) -> None:
        self._engine = opened
        self.gateway = gateway
        with self._reading() as connection:
            g = schema.GATEWAY.c
            row = connection.execute(select(g.gw, g.site).where(g.gateway == gateway)).first()
        if row is None:
            raise UnheardError(
                f"nothing was ever heard of a gateway {gateway}", "see /api/beds for those that are known"
            )
        self._gw, self.site = row.gw, row.site

    def epochs(self) -> list[int]:
        """Those that have said what their streams are, by number."""
        with self._reading() as connection:
            return extents.epochs(connection, self._gw)

    def streams(self, epoch: int) -> list[rows.Stream]:
        """By number."""
        with self._reading() as connection:
            return read.streams(connection, self.gateway, self._gw, epoch)

    def clocks(self, epoch: int, mapping: Mapping) -> Clocks:
        """The clocks of the devices of an epoch."""
        return Clocks(_Known(self), self.gateway, epoch, mapping)

    def mapping(self, epoch: int) -> Mapping:
        """`t` of an epoch to UTC, by all that is known now."""
        return mapping_of(epoch, self.datings(epoch))

    def datings(self, epoch: int) -> list[rows.Dating]:
        with self._reading() as connection:
            return dates.datings(connection, self._gw, epoch)

    def bands(self, epoch: int) -> list[rows.Band]:
        with self._reading() as connection:
            return extents.bands(connection, self._gw, epoch)

    def came(self, epoch: int, band: rows.Band) -> Iterator[extents.Came]:
        """All blocks of a band by index: (first, count, t)."""
        with self._reading() as connection:
            yield from extents.came(connection, self._gw, epoch, band)

    def parts(self, epoch: int, stream: int) -> dict[int, Row]:
        """When the blocks of a wave came, thinned, by the number of its part."""
        with self._reading() as connection:
            bands = [b for b in extents.bands(connection, self._gw, epoch) if b.stream <= stream < b.stream + b.rows]
            arrivals = [extents.came(connection, self._gw, epoch, band) for band in bands]
            return extents.parts(arrivals, extents.cuts(connection, self._gw, epoch, stream))

    def cuts(self, epoch: int, stream: int) -> list[int]:
        """Indices before which an unknown number of samples is missing: where its parts begin."""
        with self._reading() as connection:
            return extents.cuts(connection, self._gw, epoch, stream)

    def blocks(self, epoch: int, band: rows.Band, first: int, last: int) -> list[rows.Banded]:
        """Whole blocks of a band with samples of `first` up to, not with, `last`: keep that short."""
        with self._reading() as connection:
            return list(extents.blocks(connection, self._gw, epoch, band, (first, last)))

    def marks(self, epoch: int, band: rows.Band, first: int, last: int) -> Iterator[tuple[int, MarkAt]]:
        """What the device says of samples, with the first index of the block that each stands in; by block."""
        with self._reading() as connection:
            yield from extents.marks(connection, self._gw, epoch, band, (first, last))

    def gaps(self, epoch: int, stream: int) -> list[rows.Gap]:
        with self._reading() as connection:
            return read.gaps(connection, self._gw, epoch, stream)

    def bound(self, epoch: int) -> list[rows.Bound]:
        """Whose bed it was, by t, each change once."""
        with self._reading() as connection:
            return extents.bound(connection, self._gw, epoch)

    def readings(self, epoch: int, since_t: int, limit_rows: int) -> list[rows.Reading]:
        with self._reading() as connection:
            return read.readings(connection, self._gw, epoch, since_t, limit_rows)

    def notices(self, epoch: int, since_t: int, limit_rows: int) -> list[rows.Notice]:
        with self._reading() as connection:
            return read.notices(connection, self._gw, epoch, since_t, limit_rows)

    def pairs(self, epoch: int, session: int) -> list[rows.Paired]:
        with self._reading() as connection:
            return read.pairs(connection, self._gw, read.sessions_of(connection, self._gw, epoch, session))

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise engine.said(error) from error


class _Known:
    """An archive as `Clocks` asks it."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def streams(self, _gateway: str, epoch: int | None = None) -> list[rows.Stream]:
        return self._archive.streams(epoch or 0)

    def pairs(self, _gateway: str, epoch: int, session: int) -> list[rows.Paired]:
        return self._archive.pairs(epoch, session)

    def datings(self, _gateway: str, epoch: int) -> list[rows.Dating]:
        return self._archive.datings(epoch)


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """The database of a centre, which may run meanwhile. Raises StoreError; a file that is not there is not made."""
    if url.startswith(_FILE) and not Path(url.removeprefix(_FILE)).is_file():
        raise StoreError(
            f"there is no {url.removeprefix(_FILE)}", "`store` of centre.toml; does its path begin with /?"
        )
    made = engine.open_engine(url)
    try:
        yield made
    finally:
        made.dispose()
