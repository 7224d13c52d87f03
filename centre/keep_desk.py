"""A person's word on what is kept: what would go, and legal holds (`wardlink centre retention`, `hold`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, insert, update
from sqlalchemy.exc import SQLAlchemyError

from centre import clock, config, deeds, holding, keeping
from centre.desk import within
from centre.holding import Hold
from centre.retention import Removed
from centre.store import engine
from centre.store.keeping_schema import HOLD

REASON_LIMIT_LETTERS = 200


class KeepError(Exception):
    """It cannot be asked so; `hint` says how."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def remove(file: Path, *, dry: bool) -> Iterator[Removed]:
    """What goes by `[keep]`, now. Raises KeepError, ConfigError, StoreError."""
    read = config.read(file)
    if read.keep.is_all:
        raise KeepError("everything is kept for ever", "[keep] in centre.toml says for how many days what is kept")
    opened = engine.open_engine(read.store)
    try:
        yield from keeping.removed(read.keep, opened, config.load_keys(read).signer, lambda: True, dry=dry)
    except SQLAlchemyError as error:
        raise engine.said(error) from error
    finally:
        opened.dispose()


def log(file: Path) -> list[str]:
    """The signed lines. Raises ConfigError, StoreError."""
    return within(file, deeds.lines)


def hold(file: Path, whose: tuple[str, str, str], span: tuple[int | None, int | None], reason: str) -> int:
    """Nobody removes this from now on: of a gateway, bed or patient. Its number. Raises KeepError and others."""
    if sum(map(bool, whose)) != 1 or not 0 < len(reason) <= REASON_LIMIT_LETTERS:
        raise KeepError("a hold has one of gateway, bed, pseudonym, and a reason", "--pseudonym P --reason TEXT")
    gateway, bed, pseudonym = whose
    words = {"gateway": gateway, "bed": bed, "pseudonym": pseudonym, "reason": reason}
    row = {**words, "since": span[0], "until": span[1], "said": clock.utc_us()}

    def work(connection: Connection) -> int:
        number = connection.execute(insert(HOLD).values(row).returning(HOLD.c.hold)).scalar_one()
        _sign(file, connection, "held", {"hold": str(number), **words, "since": str(span[0]), "until": str(span[1])})
        return int(number)

    return within(file, work)


def lift(file: Path, number: int, reason: str) -> None:
    """It may be removed again. Raises KeepError, ConfigError, StoreError."""

    def work(connection: Connection) -> None:
        here = update(HOLD).where(HOLD.c.hold == number, HOLD.c.lifted.is_(None)).values(lifted=clock.utc_us())
        if not connection.execute(here).rowcount:
            raise KeepError(f"no hold {number} stands", "`wardlink centre hold list` says which do")
        _sign(file, connection, "lifted", {"hold": str(number), "reason": reason[:REASON_LIMIT_LETTERS]})

    within(file, work)


def holds(file: Path) -> list[Hold]:
    """All that ever were. Raises ConfigError, StoreError."""
    return within(file, holding.listed)


def _sign(file: Path, connection: Connection, what: str, detail: dict[str, str]) -> None:
    deeds.sign(connection, config.load_keys(config.read(file)).signer, clock.utc_us(), what, detail)
