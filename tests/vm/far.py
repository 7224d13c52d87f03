"""The device at the far end of an adapter's cable: it replays a capture at its own line settings, whether or not
anybody listens."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drivers import capture
from tests.vm.ftdi import Line
from tests.vm.usbip import Plugged

CAPTURES = Path(__file__).parents[1] / "captures"


@dataclass(frozen=True, slots=True)
class Tale:
    """What a device says: (seconds, bytes). Its first piece, which often begins in mid-frame, is said once; the others
    come again every `period_s`.
    """

    chunks: tuple[tuple[float, bytes], ...]
    period_s: float

    def due_s(self, number: int) -> float:
        """When its piece of this number is said, counted on over all rounds."""
        rounds, at = divmod(number - 1, len(self.chunks) - 1) if number else (0, -1)
        return rounds * self.period_s + self.chunks[at + 1][0]

    def piece(self, number: int) -> bytes:
        return self.chunks[(number - 1) % (len(self.chunks) - 1) + 1 if number else 0][1]


def tale(story: str, told: Sequence[tuple[str, str]] = ()) -> Tale:
    """Of a capture, `driver/story`; `told` are words of it that this device says otherwise: (there, here)."""
    text = (CAPTURES / f"{story}.cap").read_text(encoding="utf-8")
    chunks = [(at / 1e9, data) for at, data in capture.parse(text).chunks()]
    for there, here in told:
        chunks = [(at, data.replace(there.encode(), here.encode())) for at, data in chunks]
    steps = sorted(later - one for (one, _), (later, _) in itertools.pairwise(chunks))
    return Tale(tuple(chunks), chunks[-1][0] - chunks[1][0] + steps[len(steps) // 2])


class Far:
    """Speaks from `from_s` of its tale on, until it is hushed."""

    def __init__(self, plugged: Plugged, line: Line, story: Tale, from_s: float = 0.0) -> None:
        self._plugged = plugged
        self._line = line
        self._tale = story
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time() - from_s
        self._number = next(number for number in itertools.count() if story.due_s(number) >= from_s)
        self.said_bytes = 0
        self._timer = self._plan()

    def hush(self) -> None:
        self._timer.cancel()

    def _plan(self) -> asyncio.TimerHandle:
        return self._loop.call_at(self._began + self._tale.due_s(self._number), self._speak)

    def _speak(self) -> None:
        data = self._tale.piece(self._number)
        self._plugged.chip.say(data, self._line, self._plugged.is_read)
        self._plugged.feed()
        self.said_bytes += len(data)
        self._number += 1
        self._timer = self._plan()
