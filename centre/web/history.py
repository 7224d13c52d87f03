"""`/api/beds/{gateway}/history`: a window of two seconds to three days, from outlines (docs/adr/0030-history.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Protocol, cast, runtime_checkable

from fastapi import APIRouter, Query

from centre import placing, rows
from centre.store.drawn import Outlines
from centre.trend import Trend
from centre.web import past, telling
from centre.web.api import PROBLEMS, GatewayPath, bed_of
from centre.web.drawing import Window, dated, waves_of
from centre.web.epochs import Dated, within
from centre.web.plain import plain
from centre.web.sources import Store
from wire.grades import grade

WINDOW_LEAST_US = 2_000_000
WINDOW_LIMIT_US = 72 * 3_600_000_000
COLUMNS_LIMIT = 4000
_UTC_LIMIT = 2**53 - 1

From = Annotated[int, Query(alias="from", ge=0, le=_UTC_LIMIT, description="UTC, microseconds since 1970")]
To = Annotated[int, Query(alias="to", ge=0, le=_UTC_LIMIT, description="UTC; 2 s to 72 h after `from`")]
Columns = Annotated[int, Query(ge=1, le=COLUMNS_LIMIT, description="Of how many columns it is to be drawn")]
Numerics = Annotated[bool, Query(description="Whether readings are wanted, too")]


@runtime_checkable
class Drawn(Protocol):
    """A store with outlines of its waves."""

    @property
    def outlines(self) -> Outlines: ...


class History:
    """One path. `now` is the centre's clock in microseconds since 1970."""

    def __init__(self, store: Store, now: Callable[[], int]) -> None:
        self._store = store
        self._now = now

    def router(self) -> APIRouter:
        router = APIRouter(responses=PROBLEMS)
        router.add_api_route("/api/beds/{gateway}/history", self.history, summary="A window of hours, to be drawn")
        return router

    def history(
        self, gateway: GatewayPath, first: From, last: To, columns: Columns = 1500, numerics: Numerics = True
    ) -> past.Past:
        """Least and greatest of each column, with what is missing. Who wants samples asks /samples by the indices."""
        bed_of(self._store, gateway)
        stop = min(max(last, first + WINDOW_LEAST_US), first + WINDOW_LIMIT_US)
        window = Window(first, stop, columns)
        known, left_out = within(self._store, gateway, window)
        return past.Past(
            now=self._now(),
            gateway=gateway,
            first=first,
            last=stop,
            columns=columns,
            width=window.width,
            epochs=[self._epoch(gateway, one, window, numerics) for one in known if one.is_dated],
            undated=[self._undated(gateway, one) for one in known if not one.is_dated],
            left_out=left_out,
        )

    def _epoch(self, gateway: str, one: Dated, window: Window, numerics: bool) -> past.PastEpoch:
        outlines = cast(Drawn, self._store).outlines
        begin = placing.t_of(one.mapping, window.first, one.first, one.last)
        end = placing.t_of(one.mapping, window.last, one.first, one.last)
        begun, ended, error = dated(one.mapping, begin, end)
        left, right = window.column(begun), window.column(ended) + 1
        streams = sorted(self._store.streams(gateway, one.epoch), key=lambda row: row.stream)
        told = outlines.trends(gateway, one.epoch, begin, end, right - left) if numerics else []
        named = {row.stream: row for row in streams}
        return past.PastEpoch(
            epoch=one.epoch,
            mapping=one.mapping.version,
            left=left,
            right=right,
            begun=begun,
            ended=ended,
            error=error,
            grade=grade(error),
            waves=waves_of(self._store, outlines, (gateway, one.epoch), streams, one.mapping, window, (begin, end)),
            numerics=[_numeric(named[trend.stream], trend, left) for trend in told if trend.stream in named],
        )

    def _undated(self, gateway: str, one: Dated) -> past.PastUndated:
        begin, end = one.mapping.at(one.first), one.mapping.at(one.last)
        return past.PastUndated(
            epoch=one.epoch,
            mapping=one.mapping.version,
            earliest=begin.earliest,
            latest=end.latest,
            grade=max(begin.grade, end.grade),  # A to X
            streams=sorted(row.stream for row in self._store.streams(gateway, one.epoch)),
        )


def _numeric(row: rows.Stream, trend: Trend, left: int) -> past.PastNumeric:
    """A trend whose first column is the window's column `left`."""
    return past.PastNumeric(
        numeric=telling.stream(row),
        columns=[left + one.at for one in trend.columns],
        least=[one.least for one in trend.columns],
        greatest=[one.greatest for one in trend.columns],
        absent=[past.PastAbsence(column=left + one.at, why=plain(one.why)) for one in trend.absent],
    )
