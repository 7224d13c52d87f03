"""Waiting for a condition, not for a time."""

import asyncio
import threading
from collections.abc import Callable

LIMIT_S = 15.0


class Bell:
    """Rung whenever anything happened on this loop."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self, *_: object) -> None:
        self._event.set()

    async def until(self, condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
        """Looked at when rung, and now and then: some conditions are other people's."""
        async with asyncio.timeout(limit_s):
            while not condition():
                self._event.clear()
                try:
                    async with asyncio.timeout(0.02):
                        await self._event.wait()
                except TimeoutError:
                    continue


def until(condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    """Wait until another process or thread has made it true."""
    pace = threading.Event()
    for _ in range(int(limit_s / 0.02)):
        if condition():
            return
        pace.wait(0.02)
    raise AssertionError("it did not come about")
