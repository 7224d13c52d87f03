"""The store's outlines for whoever draws, and for whoever drafts them: `Store.outlines`."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from contextlib import AbstractContextManager
from fractions import Fraction

from sqlalchemy import Connection, bindparam, select

from centre.outline import Ends
from centre.placing import Ends as Times
from centre.store import outlines, read, schema, trend_outlines, trends, waves
from centre.store.engine import alone
from centre.trend import Trend
from centre.whose import Chart

DRAFT_LOCK = 0x776C03  # one drafts at a time: two could put an older outline in the place of a newer one
DRAFT_LIMIT_ROWS = 96  # of one transaction
DRAFT_LIMIT_TRENDS = 16  # each has some thousand readings
_k = schema.BLOCK.c
_ARRIVED = (  # asked some forty times of a window
    select(_k.t)
    .where(*waves.OF_BAND, _k.first > bindparam("above"), _k.first + _k.count > bindparam("reach"))
    .order_by(_k.first, _k.seq)
    .limit(1)
)
_Opens = Callable[[], AbstractContextManager[Connection]]


class Outlines:
    """`number` of a gateway in this store. Any thread. Raises StoreError where the database fails."""

    def __init__(self, reading: _Opens, writing: _Opens, number: Callable[[str], int]) -> None:
        self._reading = reading
        self._writing = writing
        self._number = number

    def columns(self, gateway: str, epoch: int, stream: int, first: int, last: int, count: int) -> Ends:
        """Least and greatest of `count` columns of the samples `first` up to, not with, `last`."""
        with self._reading() as connection:
            return outlines.columns(connection, self._number(gateway), epoch, stream, (first, last), count)

    def draft(self, now_us: int) -> int:
        """Make anew what came to rest; how many stretches."""
        with self._reading() as connection, alone(connection, DRAFT_LOCK) as is_alone:
            found = outlines.changed(connection, now_us, DRAFT_LIMIT_ROWS) if is_alone else []
            made = [(one, outlines.fine(connection, one)) for one in found]
            if made:
                with self._writing() as writing:  # short: whoever stores what comes waits for it
                    for one, fine in made:
                        outlines.keep(writing, one, fine)
        return len(found)

    def draft_trends(self, now_us: int) -> int:
        """The same of readings."""
        with self._reading() as connection, alone(connection, DRAFT_LOCK) as is_alone:
            found = trend_outlines.changed(connection, now_us, DRAFT_LIMIT_TRENDS) if is_alone else []
            made = [(one, trends.drafts(connection, one)) for one in found]
            if made:
                with self._writing() as writing:
                    for one, drafts in made:
                        trend_outlines.keep(writing, one, drafts)
        return len(found)

    def index_at(self, gateway: str, epoch: int, stream: int, t: int, first: int, last: int) -> int:
        """The first index of `first` to `last` that arrived at `t` or later; `last` where none did. Some 20 reads."""
        with self._reading() as connection:
            line = _Line(connection, (self._number(gateway), epoch, stream), t)
            return first + bisect_left(range(first, last), 1, key=line.is_later)

    def ends(self, gateway: str, epoch: int, stream: int, rate: Fraction, first: int, last: int) -> Times | None:
        """When the first and last stored sample of `first` up to, not with, `last` arrived."""
        with self._reading() as connection:
            found = waves.bands(connection, self._number(gateway), epoch, stream)
            told = [one for band in found if (one := _ends(connection, band, rate, first, last)) is not None]
        if not told:
            return None
        return Times(min(one.begin for one in told), max(one.end for one in told))

    def kin(self, gateway: str, epoch: int) -> dict[int, tuple[tuple[int, int], ...]]:
        """By stream what it was coded with; streams of which this is the same have their samples at the same times."""
        with self._reading() as connection:
            return outlines.kin(connection, self._number(gateway), epoch)

    def trends(self, gateway: str, epoch: int, first: int, last: int, count: int) -> list[Trend]:
        """Least and greatest reading of `count` columns from `first` to `last`, microseconds of t."""
        with self._reading() as connection:
            return trends.trends(connection, self._number(gateway), epoch, (first, last), count)

    def bound(self, gateway: str, epoch: int, first: int, last: int) -> list[tuple[str, str, str, str]]:
        """(method, status, pseudonym, bed) from `first` to `last` (t), all corrections made, in order.

        Where the patient was said to be a wrong one there is no pseudonym. What an earlier epoch said without an end
        does not go on into one that has said nothing.
        """
        with self._reading() as connection:
            chart = Chart(read.associations(connection, self._number(gateway)))
        begin, end = (epoch, first), (epoch, last)
        spans = [one for one in chart.spans if one.since <= end and (one.until is None or one.until > begin)]
        spans = [one for one in spans if one.until is not None or one.since[0] == epoch]
        return [(one.method, one.status, "" if one.status == "wrong" else one.pseudonym, one.bed) for one in spans]


def _ends(connection: Connection, band: waves.Band, rate: Fraction, first: int, last: int) -> Times | None:
    b = schema.BLOCK.c
    here = (b.gw == band["gw"], b.epoch == band["epoch"], b.stream == band["stream"], b.rows == band["rows"])
    near = (b.first > first - band["longest"], b.first < last, b.first + b.count > first)
    wanted = select(b.first, b.count, b.t).where(*here, *near)
    begin = connection.execute(wanted.order_by(b.first, b.seq).limit(1)).first()
    end = connection.execute(wanted.order_by(b.first.desc(), b.seq).limit(1)).first()
    if begin is None or end is None:
        return None
    (left, there, told), (right, also, later) = begin, end
    at, to = max(first, left), min(last, right + also) - 1
    return Times(
        (at, told - int((left + there - 1 - at) * 1_000_000 / rate)),
        (to, later - int((right + also - 1 - to) * 1_000_000 / rate)),
    )


class _Line:
    """When samples arrived: `is_later` never falls with the index, for a stream's own clock only goes on."""

    def __init__(self, connection: Connection, wave: tuple[int, int, int], t: int) -> None:
        self._connection = connection
        self._t = t
        self._bands = waves.bands(connection, *wave)

    def is_later(self, index: int) -> int:
        """1 where the first block that reaches `index` arrived at `t` or later."""
        times = [found for band in self._bands if (found := self._arrived(band, index)) is not None]
        return int(not times or min(times) >= self._t)

    def _arrived(self, band: waves.Band, index: int) -> int | None:
        near = {"above": index - band["longest"], "reach": index}
        found: int | None = self._connection.execute(_ARRIVED, {**waves.named(band), **near}).scalar()
        return found
