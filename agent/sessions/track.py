"""One wave stream being heard: samples gathered between bundles, and the count that time follows from.

`index` counts every sample of the stream, those of declared gaps of known size included (REQUIREMENTS TIM-10).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.contract import Mark, Wave
from wire.records import MarkAt, StreamGap

SILENCE_LIMIT_US = 2_000_000  # a pause longer than this between two waves is a gap, not a slow chunk
RUN_LIMIT_SAMPLES = 60_000


@dataclass(slots=True)
class Run:
    """Samples without a gap between them; `t` is when the last arrived (microseconds)."""

    stream: int
    first: int
    t: int = 0
    samples: list[int] = field(default_factory=list)
    marks: list[MarkAt] = field(default_factory=list)


class Track:
    """Gathers one stream. Gaps and full runs go to the lists it was given, in order."""

    def __init__(self, stream: int, gaps: list[StreamGap]) -> None:
        self.stream = stream
        self.index = 0
        self.runs: list[Run] = []
        self._gaps = gaps
        self._run = Run(stream, 0)
        self._device_next: int | None = None
        self._heard: int | None = None

    def take(self, wave: Wave, t: int) -> None:
        """Append a wave that arrived at `t` microseconds."""
        if self._heard is not None and t - self._heard > SILENCE_LIMIT_US and wave.first is None:
            self.gap(None, "device-silent", t)
        if wave.first is not None:
            self._follow_counter(wave.first, wave.wraps, t)
            self._device_next = wave.first + len(wave.samples)
        run = self._run
        start = len(run.samples)
        run.samples.extend(wave.samples)
        run.t = self._heard = t
        if wave.marks:
            run.marks.extend(_mark(mark, start, len(wave.samples)) for mark in wave.marks)
        self.index += len(wave.samples)
        if len(run.samples) >= RUN_LIMIT_SAMPLES:
            self._close()

    def _follow_counter(self, first: int, wraps: int, t: int) -> None:
        """Turn a jump of the device's own counter into a gap."""
        if self._device_next is None:
            return
        jump = (first - self._device_next) % wraps if wraps else first - self._device_next
        if jump < 0:
            self.gap(None, "device-restarted", t)
        elif jump and self._heard is not None and wraps and t - self._heard > SILENCE_LIMIT_US:
            self.gap(None, "device-silent", t)  # the counter may have gone round any number of times
        elif jump:
            self.gap(jump, "device-lost", t)

    def gap(self, count: int | None, cause: str, t: int) -> None:
        """Declare that samples are missing here; `count` None where nobody can say how many."""
        self._close()
        self._gaps.append(StreamGap(t, self.stream, self.index, count, cause))
        self.index += count or 0
        self._run.first = self.index

    def _close(self) -> None:
        if self._run.samples:
            self.runs.append(self._run)
        self._run = Run(self.stream, self.index)

    def close(self) -> list[Run]:
        """Hand over what was gathered."""
        self._close()
        runs, self.runs = self.runs, []
        return runs


def _mark(mark: Mark, start: int, length: int) -> MarkAt:
    return MarkAt(0, start + mark.at, mark.kind, min(mark.count, length - mark.at))
