"""The number of this start was used before: an old image of the card was put back, and the centre's receipts say so.

What is sealed under such a number the centre keeps apart and shows to nobody, so the gateway ends, to be started again
above every number that was used. It costs a second; a centre that lies can have it once a minute, and not leap far.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from agent.keeping import Keeping

LEAP_LIMIT_EPOCHS = 1 << 16  # as many starts nobody forgets by putting an image back
RETRY_S = 30.0
ALIVE_LEAST_S = 60.0
log = logging.getLogger("wardlink.gateway")


class Numbering:
    """`audit` is told once."""

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping
        self._epoch = keeping.spool.epoch
        self._used = 0
        self._due = asyncio.Event()
        self.audit: Callable[..., None] = lambda who, what, **detail: None

    def used(self, epoch: int) -> None:
        """A receipt names this epoch of ours, and a start that was not ours."""
        if max(self._epoch, self._used + 1) <= epoch <= self._epoch + LEAP_LIMIT_EPOCHS:
            self._used = epoch
            self._due.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until cancelled; sets `stop` once the next start surely has a number of its own."""
        began_s = asyncio.get_running_loop().time()
        await self._due.wait()
        log.warning("the number of this start was used before epoch=%d greatest=%d", self._epoch, self._used)
        self.audit("gateway", "number used before", epoch=str(self._epoch), greatest=str(self._used))
        while True:
            if await self._is_written():
                break
            await asyncio.sleep(RETRY_S)
        await asyncio.sleep(max(0.0, began_s + ALIVE_LEAST_S - asyncio.get_running_loop().time()))
        log.warning("gateway ends, to be started again under a number that nobody used")
        stop.set()
        await asyncio.Event().wait()

    async def _is_written(self) -> bool:
        try:
            await self._keeping.on_thread(partial(self._keeping.spool.numbers.begin_above, self._used))
        except OSError as error:
            log.error("the next number cannot be written why=%r", str(error))
            return False
        return True
