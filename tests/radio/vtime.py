"""An event loop on virtual time for everything in one process: when nothing is ready, time jumps to the next timer."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

BORN_S = 1_000.0


class Jumping(selectors.DefaultSelector):
    """Never waits: it moves the clock instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = BORN_S

    def select(self, timeout: float | None = None) -> list:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everybody waits for ever")
        if not ready and timeout:
            self.now_s += timeout
        return ready


class Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


def run(story: Coroutine[Any, Any, Any]) -> Any:
    """Run a story on virtual time."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(story)


def now() -> int:
    """Monotonic nanoseconds of the running loop."""
    return int(asyncio.get_running_loop().time() * 1e9)


async def passing(seconds: float) -> None:
    """Let virtual time pass."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    loop.call_later(seconds, lambda: over.done() or over.set_result(None))
    await over


async def until(condition, limit_s: float = 120.0, step_s: float = 0.05) -> float:
    """Let time pass until it is so; how many seconds that took."""
    begun = now()
    while not condition():
        assert (now() - begun) / 1e9 < limit_s, "it did not come about"
        await passing(step_s)
    return (now() - begun) / 1e9
