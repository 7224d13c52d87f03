"""Everything of the door in one piece, as the centre's configuration says: `make_access(config, ...)`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter

from centre import clock
from centre.access.looks import Looks
from centre.access.people import People
from centre.access.provider import Provider
from centre.access.sessions import Sessions
from centre.config import Config, Oidc
from centre.web.door import Door
from centre.web.entrance import Entrance
from centre.web.sources import Store
from centre.web.visitor import Visitor


class Access:
    """Who comes in, and how. Raises ConfigError where the file of people or the log of looks cannot be used."""

    def __init__(
        self,
        users: Path,
        log: Path,
        signer: Ed25519PrivateKey,
        store: Store,
        oidc: Oidc | None = None,
        now: Callable[[], float] = clock.monotonic_s,
    ) -> None:
        self._people = People(users)
        self._sessions = Sessions(now, clock.secret)
        self._looks = Looks(log, signer, clock.utc_us, now)
        self._store = store
        self._now = now
        self._provider = Provider(oidc, now) if oidc is not None else None
        self.door = Door(self._people, self._sessions, self._looks, self._site_of)

    def router(self) -> APIRouter:
        """How to come in and to leave."""
        router = APIRouter()
        name = self._provider.name if self._provider else ""
        router.include_router(Entrance(self._people, self._sessions, self._looks, self._now, name).router())
        if self._provider is not None:
            router.include_router(Visitor(self._provider, self._sessions, self._looks, self._now).router())
        return router

    def _site_of(self, gateway: str) -> str | None:
        bed = self._store.bed(gateway)
        return None if bed is None else bed.site


def make_access(config: Config, signer: Ed25519PrivateKey, store: Store) -> Access:
    """As configured. Raises ConfigError."""
    return Access(config.users_file, config.access_log_file, signer, store, config.oidc)
