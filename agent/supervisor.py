"""Runs the tasks of the gateway and restarts one that fails: a driver's bug must not silence the other devices.

The only place that catches whatever comes. A task that ends or fails is started again after a growing pause; what
failed, how often and why is kept for status and metrics. The watchdog is not fed here: only by the data path.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

PAUSE_FIRST_S = 0.5
PAUSE_LIMIT_S = 30.0
HEALTHY_S = 60.0
ERROR_LIMIT_LETTERS = 500  # a driver's error may name what it was told
log = logging.getLogger("wardlink.supervisor")


@dataclass(slots=True)
class Watched:
    """One task's record."""

    name: str
    failures: int = 0
    last_error: str = ""


class Supervisor:
    def __init__(self) -> None:
        self.watched: list[Watched] = []

    def once(self, name: str, work: Callable[[], object]) -> None:
        """Do this now. Should it fail, it is kept as a failure of the task `name`, and everything else goes on."""
        try:
            work()
        except Exception as error:  # noqa: BLE001  whatever a part's bug raises
            watched = self._record(name)
            watched.failures += 1
            watched.last_error = _said(error)
            log.error("task failed name=%s error=%s", name, places(error))

    async def run(self, works: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
        """Run all until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, work in works.items():
                group.create_task(self._keep(self._record(name), work), name=name)

    def _record(self, name: str) -> Watched:
        for watched in self.watched:
            if watched.name == name:
                return watched
        self.watched.append(Watched(name))
        return self.watched[-1]

    async def _keep(self, watched: Watched, work: Callable[[], Awaitable[None]]) -> None:
        pause = PAUSE_FIRST_S
        clock = asyncio.get_running_loop().time
        while True:
            started = clock()
            try:
                await work()
                watched.last_error = "ended by itself"
            except Exception as error:  # noqa: BLE001  whatever a part's bug raises
                watched.last_error = _said(error)
                log.error("task failed name=%s error=%s", watched.name, places(error))
            watched.failures += 1
            pause = PAUSE_FIRST_S if clock() - started > HEALTHY_S else pause
            await asyncio.sleep(pause)
            pause = min(pause * 2, PAUSE_LIMIT_S)


def _said(error: Exception) -> str:
    """Errors of the world in its words, typed errors in ours; of a bug only the place."""
    is_meant = isinstance(error, OSError) or hasattr(error, "hint")
    return f"{type(error).__name__}: {error}"[:ERROR_LIMIT_LETTERS] if is_meant else places(error)


def places(error: BaseException) -> str:
    """The type of an exception, and the lines it came through; not its text, which may hold what a device said."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return f"{type(error).__name__} at " + " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames))
