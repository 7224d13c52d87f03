"""Whom the running gateway believes and how it is known itself. Renewal is loaded only where there was an enrolment."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agent import identity
from agent.config import Config
from agent.enrol import protection
from agent.enrol.places import ENROLLED_FILE
from agent.health.status import TrustStatus
from agent.obeying import RefusedError
from agent.uplink import tcp
from agent.uplink.account import LinkState
from agent.uplink.dates import Known
from agent.uplink.link import Broker
from agent.uplink.meter import Meter
from agent.uplink.tls import LinkError, context

if TYPE_CHECKING:
    from agent.gateway import Gateway
    from agent.renewing import Renewing


class DirectoryRefusedError(Exception):
    """The directory is not taken, and nothing has changed; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Trust:
    """Of one gateway, which is put together already."""

    def __init__(self, gateway: Gateway) -> None:
        keys = Path(gateway.config.keys)
        self.kept = str(protection.of(keys))  # where the gateway's key is: tpm, board, file
        self._renewing: Renewing | None = None
        if gateway.world.config_file and (keys / ENROLLED_FILE).exists():
            from agent.renewing import renewing  # noqa: PLC0415  keys made by hand are not renewed

            self._renewing = renewing(gateway)
            gateway.obeying.take_directory = self._rotate

    def works(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What the supervisor keeps running."""
        return {"renewal": self._renewing.run} if self._renewing else {}

    async def take_directory(self, data: bytes) -> int:
        """Verify and believe a directory (wire/directory.py), by whatever road it came; its version, also where it is
        the one that is held. Refused: an older one, another site's, one whose root is not held.

        Raises DirectoryRefusedError.
        """
        if self._renewing is None:
            raise DirectoryRefusedError("this gateway was not enrolled", "its keys were made by hand: change them so")
        return await self._renewing.take_directory(data)

    async def _rotate(self, data: bytes) -> str:
        """The command. Raises RefusedError."""
        try:
            return f"directory {await self.take_directory(data)}"
        except DirectoryRefusedError as error:
            raise RefusedError(str(error)) from error

    def link(self, state: LinkState) -> None:
        """The link has changed."""
        if self._renewing is not None:
            self._renewing.link(state)

    def status(self) -> TrustStatus | None:
        return self._renewing.status() if self._renewing else None


def broker(config: Config, known: Callable[[], Known], meter: Meter | None = None) -> Broker:
    """Where the broker is, with the TLS that the keys folder gives now. `known`: what certificates are held against.
    `meter` goes on counting.

    Raises LinkError, ConfigError.
    """
    keys = Path(config.keys)
    tls = None
    if config.broker_tls:
        tls = context(keys / "ca.crt", keys / "gateway.crt", identity.key_file(keys), known)
    return Broker(config.broker_host, config.broker_port, tls, _opens(config), meter or Meter())


def _opens(config: Config) -> tcp.Open:
    """What makes the uplink's connections."""
    if not config.proxy:
        return tcp.direct
    from agent.tunnel import TunnelError, through  # noqa: PLC0415  most hospitals have none
    from config.proxy import proxy_of  # noqa: PLC0415

    tunnel = through(proxy_of(config.proxy))

    def open_(host: str, port: int, limit_s: float) -> socket.socket:
        try:
            return tunnel(host, port, limit_s)
        except TunnelError as error:
            raise LinkError(str(error), error.hint) from error

    return open_
