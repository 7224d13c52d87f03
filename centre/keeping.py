"""Retention while the centre runs: once an hour, in a thread of its own, one process at a time, with pauses."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from centre import clock, deeds
from centre.config import Keep
from centre.counts import Counts
from centre.retention import Removed, Retention
from centre.store.engine import alone, said

EVERY_S = 3600.0
PAUSE_S = 0.02  # between pieces: whoever stores what comes goes first
REMOVE_LOCK = 0x776C04
_LOG = logging.getLogger("wardlink.centre")


class Keeping:
    """A store that fails is tried again an hour later; what was removed until then is said."""

    def __init__(self, keep: Keep, engine: Engine, signer: Ed25519PrivateKey, counts: Counts) -> None:
        self._keep, self._engine, self._signer, self._counts = keep, engine, signer, counts
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeping")

    def start(self) -> None:
        if not self._keep.is_all:
            self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                for one in removed(self._keep, self._engine, self._signer, lambda: not self._ending.wait(PAUSE_S)):
                    self._counts.add(f"removed_{one.kind}", one.rows)
                    self._counts.add("removed_bytes", one.size)
            except SQLAlchemyError as error:
                _LOG.warning("retention waits: %s hint=%s", said(error), said(error).hint)
            self._ending.wait(EVERY_S)


def removed(
    keep: Keep, engine: Engine, signer: Ed25519PrivateKey, pause: Callable[[], bool], *, dry: bool = False
) -> Iterator[Removed]:
    """Do what is due, unless another process does. Raises SQLAlchemyError."""
    utc = clock.utc_us()
    signs = partial(_signed, signer, utc)
    opens: Callable[[], AbstractContextManager[Connection]] = engine.connect if dry else engine.begin
    with engine.connect() as connection, alone(connection, REMOVE_LOCK) as is_alone:
        if is_alone:
            yield from Retention(keep, opens, signs, utc, dry=dry, pause=pause).run()


def _signed(signer: Ed25519PrivateKey, utc: int, connection: Connection, what: str, detail: dict[str, str]) -> None:
    deeds.sign(connection, signer, utc, what, detail)
