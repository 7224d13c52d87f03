"""Who is enrolled, as the process that receives data sees it: the fleet's store, read whenever it has changed.

So a gateway that has just enrolled is heard at once, one that was revoked is not, and nobody edits a file for it.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from centre.fleet import members, store
from centre.fleet.members import Member
from centre.fleet.store import FleetError
from centre.gate import Gate
from wire.topics import Address

_LOG = logging.getLogger("wardlink.centre")
Enrol = Callable[[Iterable[tuple[Address, str]]], None]


class Roll:
    """`listed`: gateways of the configuration, None: any genuine one is let in. `enrol` tells the store of beds."""

    def __init__(self, folder: Path, listed: Mapping[str, str] | None, gate: Gate, enrol: Enrol) -> None:
        """Reads it once. Raises FleetError."""
        self._path = folder / store.FILE
        self._listed = listed
        self._gate = gate
        self._enrol = enrol
        self._seen: int | None = None
        self._failing = False
        try:
            self._db = store.connect(self._path, "ro")
            self._look()
        except sqlite3.Error as error:
            raise FleetError(f"{self._path}: {error}", "`fleet` names the folder of `wardlink fleet init`") from error

    def close(self) -> None:
        self._db.close()

    def look(self) -> None:
        """Cheap where nothing has changed. Where it cannot be read, what was known goes on. Raises StoreError."""
        try:
            self._look()
        except sqlite3.Error as error:
            if not self._failing:
                _LOG.error("the fleet cannot be read: %s: %s; what was known goes on", self._path, error)
            self._failing = True
            return
        if self._failing:
            _LOG.info("the fleet can be read again")
        self._failing = False

    def _look(self) -> None:
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        if version == self._seen:
            return
        found = members.members(self._db)
        active = [one for one in found if one.state == "active"]
        sites = None if self._listed is None else {**self._listed, **_by_site(active)}
        retired = _by_site(one for one in found if one.state == "retired")
        self._gate.change(sites, retired, (one.gateway for one in found if one.state == "revoked"))
        self._enrol((Address(one.site, one.gateway), one.bed) for one in active)
        self._seen = version


def _by_site(found: Iterable[Member]) -> dict[str, str]:
    return {one.gateway: one.site for one in found}
