"""The month's volume of this gateway: counted as the kernel does, kept over a restart, held against `data_cap_mib`.

A power cut forgets a minute of it at most.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from agent import durable
from agent.health.status import VolumeStatus
from agent.uplink.allowance import Allowance, Used
from agent.uplink.shut import Shut

if TYPE_CHECKING:
    from agent.gateway import Gateway
    from agent.spool.files import Files

VOLUME_FILE = "volume"
MIB = 1 << 20
LOOK_S = 5.0
SAVE_LOOKS = 12  # once a minute
log = logging.getLogger("wardlink.volume")


class Volume:
    """Runs beside the uplink, whose meter it reads."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._files = gateway.world.files()
        self._file = Path(gateway.config.state) / VOLUME_FILE
        self._saved = load(self._files, self._file)
        self._allowance = Allowance(gateway.config.data_cap_mib * MIB, self._saved)
        self._counted_bytes = 0
        self._said = self._allowance.shut

    def shut(self) -> Shut:
        """What is held back now."""
        return self._said

    def works(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What the supervisor keeps running."""
        return {"volume": self.run}

    def status(self) -> VolumeStatus:
        one = self._allowance
        return VolumeStatus(one.month, one.used.bytes, one.cap_bytes, self._said.words)

    async def run(self) -> None:
        """Until cancelled; what was counted by then is durable."""
        try:
            while True:
                for _ in range(SAVE_LOOKS):
                    await asyncio.sleep(LOOK_S)
                    self.look()
                await self._save()
        finally:
            self.look()
            await self._save()

    def look(self) -> None:
        """Count what the links have carried since the last look."""
        total = self._gateway.uplink.broker.meter.total_bytes
        self._allowance.count(total - self._counted_bytes, self._gateway.utc.surely())
        self._counted_bytes = total
        shut = self._allowance.shut
        if shut != self._said:
            self._said = shut
            mib, cap = self._allowance.used.bytes / MIB, self._gateway.config.data_cap_mib
            log.warning("volume month=%s used_mib=%.1f cap_mib=%d held=%r", self._allowance.month, mib, cap, shut.words)

    async def _save(self) -> None:
        used = self._allowance.used
        if used == self._saved:
            return
        try:
            await self._gateway.keeping.on_thread(partial(store, self._files, self._file, used))
            self._saved = used
        except OSError as error:
            log.warning("volume cannot be kept why=%r", str(error))


def load(files: Files, file: Path) -> Used:
    """As it was stored; nothing where it is missing, or cannot be read: that is said."""
    try:
        data = durable.read(files, file)
        return msgspec.json.decode(data, type=Used) if data else Used()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        log.warning("volume cannot be read, the month begins at nothing why=%r", str(error))
        return Used()


def store(files: Files, file: Path, used: Used) -> None:
    """Durable when this returns. Raises OSError."""
    durable.replace(files, file, msgspec.json.encode(used))
