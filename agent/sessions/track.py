"""One wave stream being heard: samples gathered between bundles, and the count that time follows from.

`index` counts every sample of the stream, those of declared gaps of known size included (REQUIREMENTS TIM-10).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from drivers.contract import Mark, Wave
from wire.records import MarkAt, StreamGap

SILENCE_LIMIT_US = 2_000_000  # a pause longer than this between two waves is a gap, not a slow chunk
RUN_LIMIT_SAMPLES = 32_768  # well below what a block may have


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
        self._open_gap: int | None = None

    def take(self, wave: Wave, t: int) -> None:
        """Append a wave that arrived at `t` microseconds."""
        if self._heard is not None and t - self._heard > SILENCE_LIMIT_US and wave.first is None:
            self.gap(None, "device-silent", t)
        if wave.first is not None:
            self._follow_counter(wave, wave.first, t)
            self._device_next = wave.first + len(wave.samples)
        self._heard = t
        for start in range(0, len(wave.samples), RUN_LIMIT_SAMPLES):
            self._append(wave, start, t)

    def _append(self, wave: Wave, start: int, t: int) -> None:
        """Append the part of a wave that begins at `start`."""
        samples = wave.samples[start : start + RUN_LIMIT_SAMPLES]
        if len(self._run.samples) + len(samples) > RUN_LIMIT_SAMPLES:
            self._close()
        run = self._run
        if wave.marks:
            run.marks += _marks(wave.marks, start, len(samples), len(run.samples))
        run.samples += samples
        run.t = t
        self.index += len(samples)

    def _follow_counter(self, wave: Wave, first: int, t: int) -> None:
        """Turn a jump of the device's own counter into a gap; more than the time allows was never sampled."""
        if self._device_next is None or self._heard is None:
            return
        jump = (first - self._device_next) % wave.wraps if wave.wraps else first - self._device_next
        pause = t - self._heard
        sampled = wave.scale.rate * (pause + SILENCE_LIMIT_US)  # at most, in millionths
        if jump < 0 or jump * 1_000_000 > sampled:
            self.gap(None, "device-restarted", t)
        elif wave.wraps and pause > SILENCE_LIMIT_US and sampled >= wave.wraps * 1_000_000:
            self.gap(None, "device-silent", t)  # the counter may have gone round, and come in step again
        elif jump:
            self.gap(jump, "device-lost", t)

    def gap(self, count: int | None, cause: str, t: int) -> None:
        """Declare that samples are missing here; `count` None where nobody can say how many (said once a place)."""
        if count is None and self._open_gap == self.index:
            return
        self._close()
        self._open_gap = self.index if count is None else None
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


def _marks(marks: Iterable[Mark], start: int, length: int, at: int) -> Iterator[MarkAt]:
    """The parts of marks within `length` samples from `start` of their wave, which stand at `at` in the run."""
    for mark in marks:
        first, end = max(mark.at, start), min(mark.at + mark.count, start + length)
        if first < end:
            yield MarkAt(0, at + first - start, mark.kind, end - first)
