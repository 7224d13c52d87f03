"""Nothing waits for the radio without a limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agent.ports.radio.air import AirError


@asynccontextmanager
async def bounded(limit_s: float, words: str) -> AsyncIterator[None]:
    """Passing the limit is an AirError with these words."""
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError as error:
        raise AirError(f"{words} within {limit_s:.0f} s") from error
