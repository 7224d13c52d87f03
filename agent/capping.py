"""Whether a month's volume is counted here: what counts it is loaded only where a cap is set."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from agent.health.status import VolumeStatus
from agent.uplink.shut import OPEN, Shut

if TYPE_CHECKING:
    from agent.gateway import Gateway
    from agent.volume import Volume


class Uncapped:
    """Nothing is ever held back."""

    def shut(self) -> Shut:
        return OPEN

    def works(self) -> dict[str, Callable[[], Awaitable[None]]]:
        return {}

    def status(self) -> VolumeStatus | None:
        return None


def capped(gateway: Gateway) -> Volume | Uncapped:
    """For this gateway, whose time and disk are there already."""
    if not gateway.config.data_cap_mib:
        return Uncapped()
    from agent.volume import Volume  # noqa: PLC0415  most links are not paid by the byte

    return Volume(gateway)
