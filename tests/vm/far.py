"""The device at the far end of an adapter's cable: it replays a capture at its own line settings, whether or not
anybody listens."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from drivers import capture
from tests.vm.ftdi import Line
from tests.vm.usbip import Plugged

CAPTURES = Path(__file__).parents[1] / "captures"


@dataclass(frozen=True, slots=True)
class Tale:
    """What a device says: (seconds, bytes), again from the start every `period_s`."""

    chunks: tuple[tuple[float, bytes], ...]
    period_s: float


def tale(story: str) -> Tale:
    """Of a capture, `driver/story`."""
    text = (CAPTURES / f"{story}.cap").read_text(encoding="utf-8")
    chunks = [(at / 1e9, data) for at, data in capture.parse(text).chunks()]
    steps = [later[0] - one[0] for one, later in zip(chunks, chunks[1:], strict=False)] or [1.0]
    return Tale(tuple(chunks), chunks[-1][0] + sorted(steps)[len(steps) // 2])


class Far:
    """Speaks from `from_s` of its tale on, for as long as it is not hushed."""

    def __init__(self, plugged: Plugged, line: Line, story: Tale, from_s: float = 0.0) -> None:
        self._plugged = plugged
        self._line = line
        self._tale = story
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time() - from_s
        self._at = next((at for at, (time, _) in enumerate(story.chunks) if time >= from_s), 0)
        self._round = 0 if any(time >= from_s for time, _ in story.chunks) else 1
        self._timer: asyncio.TimerHandle | None = None
        self.said_bytes = 0
        self._plan()

    def hush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _plan(self) -> None:
        due = self._began + self._round * self._tale.period_s + self._tale.chunks[self._at][0]
        self._timer = self._loop.call_at(due, self._speak)

    def _speak(self) -> None:
        data = self._tale.chunks[self._at][1]
        self._plugged.chip.say(data, self._line, self._plugged.is_read)
        self._plugged.feed()
        self.said_bytes += len(data)
        self._at = (self._at + 1) % len(self._tale.chunks)
        self._round += self._at == 0
        self._plan()
