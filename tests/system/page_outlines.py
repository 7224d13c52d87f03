"""Outlines over plain lists of runs: what `centre.store.drawn` answers, for the store in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from centre import outline, rows
from centre.outline import Ends
from centre.placing import Ends as Times
from centre.trend import Column, Trend

Runs = Callable[[str, int, int], Sequence[rows.Samples]]
Readings = Callable[[str, int], Sequence[rows.Reading]]


class Plain:
    """`runs` of a gateway's stream of an epoch, `readings` of its epoch."""

    def __init__(self, runs: Runs, readings: Readings) -> None:
        self._runs = runs
        self._readings = readings

    def columns(self, gateway: str, epoch: int, stream: int, first: int, last: int, count: int) -> Ends:
        runs = self._runs(gateway, epoch, stream)
        return outline.joined(((r.first, 1, outline.ends_of(r.values)) for r in runs), first, last, count)

    def index_at(self, gateway: str, epoch: int, stream: int, t: int, first: int, last: int) -> int:
        later = [run.first for run in self._runs(gateway, epoch, stream) if run.t >= t]
        return min(max(min(later, default=last), first), last)

    def ends(self, gateway: str, epoch: int, stream: int, rate: Fraction, first: int, last: int) -> Times | None:
        told = [
            (at, run.t - int((run.first + len(run.values) - 1 - at) * 1_000_000 / rate))
            for run in self._runs(gateway, epoch, stream)
            for at in (max(first, run.first), min(last, run.first + len(run.values)) - 1)
            if run.first < last and run.first + len(run.values) > first
        ]
        return Times(min(told), max(told)) if told else None

    def kin(self, gateway: str, epoch: int) -> dict[int, tuple[tuple[int, int], ...]]:
        return {stream: ((stream, 1),) for stream in range(100)}

    def trends(self, gateway: str, epoch: int, first: int, last: int, count: int) -> list[Trend]:
        width = -(-(last - first + 1) // count)
        found: dict[int, list[Column]] = {}
        for reading in self._readings(gateway, epoch):
            if first <= reading.t <= last and reading.value is not None:
                value = float(reading.value)
                found.setdefault(reading.stream, []).append(Column((reading.t - first) // width, value, value))
        return [Trend(stream, columns, []) for stream, columns in sorted(found.items())]

    def bound(self, gateway: str, epoch: int, first: int, last: int) -> list[tuple[str, str, str, str]]:
        return [("scan", "validated", "7f3ac09be1", "Bed 4, window")]
