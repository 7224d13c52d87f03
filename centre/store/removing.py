"""Taking rows away, a piece at a time, and leaving in their place what says so. Each call is one small transaction's.

A reading or block goes by its own `t`; `horizon` is where what is still to be kept begins. What goes leaves a gap with
its cause, so that history never shows it as missing. With `dry` nothing is changed, and the answer is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, tuple_, update

from centre.store import outlines, schema, trend_outlines
from centre.store.keeping_schema import LET_GO
from centre.store.spread import STRETCH_US
from wire.topics import Class

CHUNK_LIMIT_ROWS = 1000
DIGEST_BYTES = 32
OF_THE_CENTRE = -1  # the envelope number of gaps that no gateway declared
CAUSE = "removed by retention on"
Place = tuple[int, int]  # gateway's number, epoch


@dataclass(slots=True)
class Took:
    """What a piece held. `end` is where to go on; None where nothing is left."""

    rows: int = 0
    size: int = 0
    first: int = 0
    last: int = 0
    end: int | None = None


class Day(NamedTuple):
    """When it is removed: days since 1970, and as people write it."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one epoch: what has a `t` below `horizon` goes, but for what lies in `held`, (first, last) each."""

    horizon: int
    held: tuple[tuple[int, int], ...] = field(default=())

    def after(self, t: int) -> int | None:
        """The least t from `t` on that goes; None where none does."""
        for first, last in sorted(self.held):
            if first <= t <= last:
                t = last + 1
        return t if t < self.horizon else None

    def until(self, t: int) -> int:
        """One past the last t that goes together with `t`."""
        return min([self.horizon, *(first for first, _ in self.held if first > t)])


def epochs(connection: Connection) -> list[Place]:
    """Those of which anything came."""
    a = schema.ARRIVED.c
    return [(gw, epoch) for gw, epoch in connection.execute(select(a.gw, a.epoch).distinct().order_by(a.gw, a.epoch))]


def stretches(connection: Connection, place: Place) -> list[tuple[int, int, int]]:
    """(least t, greatest t, when the soonest came) of each quarter of an hour."""
    a = schema.ARRIVED.c
    wanted = select(a.first, a.last, a.received).where(a.gw == place[0], a.epoch == place[1]).order_by(a.stretch)
    return [(first, last, received) for first, last, received in connection.execute(wanted)]


def readings(connection: Connection, place: Place, bounds: Bounds, at: int, day: Day, *, dry: bool) -> Took:
    """The readings of the next quarter of an hour from t `at` on."""
    n = schema.NUMERIC.c
    here = (n.gw == place[0], n.epoch == place[1])
    due = bounds.after(at)
    first = None if due is None else connection.execute(select(func.min(n.t)).where(*here, n.t >= due)).scalar()
    begin = None if first is None else bounds.after(first)
    if first is None or begin is None:
        return Took()
    if begin > first:  # it is held
        return Took(end=begin)
    end = min(bounds.until(begin), begin + STRETCH_US)
    within = (*here, n.t >= begin, n.t < end)
    size = func.coalesce(func.sum(func.length(n.value)), 0)
    found = connection.execute(
        select(n.stream, func.count(), size, func.min(n.t), func.max(n.t)).where(*within).group_by(n.stream)
    ).all()
    if not dry:
        connection.execute(delete(schema.NUMERIC).where(*within))
        k = schema.TAKEN.c
        connection.execute(delete(schema.TAKEN).where(k.gw == place[0], k.epoch == place[1], k.t >= begin, k.t < end))
        trend_outlines.forget(connection, *place, min(row[3] for row in found), max(row[4] for row in found))
        for stream, count, _, since, _ in found:
            _say(connection, place, (stream, 0, count, since), day, is_wave=False)
    rows, sizes = sum(row[1] for row in found), sum(int(row[2]) for row in found)
    return Took(rows, sizes, min(row[3] for row in found), max(row[4] for row in found), end)


def blocks(
    connection: Connection, place: Place, band: tuple[int, int], bounds: Bounds, at: int, day: Day, *, dry: bool
) -> Took:
    """Blocks of a band (first stream, how many) from index `at` on, a chunk of them."""
    b = schema.BLOCK.c
    here = (b.gw == place[0], b.epoch == place[1], b.stream == band[0], b.rows == band[1])
    size = func.length(b.coded).label("size")
    names = (b.first, b.count.label("samples"), b.t.label("came"), b.seq, b.item, size)
    wanted = select(*names).where(*here, b.first >= at)
    found = connection.execute(wanted.order_by(b.first, b.seq).limit(CHUNK_LIMIT_ROWS)).all()
    past = [row for row in found if row.came < bounds.horizon]
    gone = [row for row in past if bounds.after(row.came) == row.came]
    end = found[-1].first + 1 if len(past) == CHUNK_LIMIT_ROWS else None
    if not gone:
        return Took(end=end)
    if not dry:
        _delete_blocks(connection, here, gone)
        for stream in range(band[0], band[0] + band[1]):
            for run in _runs(gone):
                _say(connection, place, (stream, *run), day, is_wave=True)
        place_of = {"gw": place[0], "epoch": place[1], "stream": band[0], "rows": band[1]}
        outlines.mark(connection, [{**place_of, "first": row.first, "count": row.samples} for row in gone], 0)
    times = [row.came for row in gone]
    return Took(len(gone), sum(row.size for row in gone), min(times), max(times), end)


def bands(connection: Connection, place: Place) -> list[tuple[int, int]]:
    b = schema.BAND.c
    found = connection.execute(select(b.stream, b.rows).where(b.gw == place[0], b.epoch == place[1]))
    return [(stream, rows) for stream, rows in found]


def envelopes(connection: Connection, place: Place, cls: Class, before: int, at: int, *, dry: bool) -> Took:
    """Rows of envelopes that a manifest has proven and that came before `before`, from number `at` on."""
    e, p = schema.ENVELOPE.c, schema.PROVEN.c
    proven = select(p.first, p.last).where(p.gw == place[0], p.epoch == place[1], p.cls == int(cls), p.last >= at)
    run = connection.execute(proven.order_by(p.first).limit(1)).first()
    if run is None:
        return Took()
    here = (e.gw == place[0], e.epoch == place[1], e.cls == int(cls))
    wanted = select(e.seq, e.received, e.size).where(*here, e.seq >= max(at, run.first), e.seq <= run.last)
    found = connection.execute(wanted.order_by(e.seq).limit(CHUNK_LIMIT_ROWS)).all()
    if not found:
        return Took(end=run.last + 1)
    young = next((n for n, row in enumerate(found) if row.received >= before), len(found))
    gone = found[:young]
    if not gone:
        return Took()
    first, last = gone[0].seq, gone[-1].seq
    if not dry:
        connection.execute(delete(schema.ENVELOPE).where(*here, e.seq >= first, e.seq <= last))
        _let_go(connection, {"gw": place[0], "epoch": place[1], "cls": int(cls)}, first, last)
    return Took(len(gone), len(gone) * DIGEST_BYTES, first, last, last + 1 if young == len(found) else None)


def statements(connection: Connection, place: Place, before: int, at: int, *, dry: bool) -> Took:
    """Signed statements that came before `before`, from number `at` on; not those that open what still waits."""
    s, e, p = schema.STATEMENT.c, schema.ENVELOPE.c, schema.PARKED.c
    came = (e.gw == s.gw) & (e.epoch == s.epoch) & (e.cls == int(Class.KEY)) & (e.seq == s.seq)
    waits = select(p.seq).where(p.gw == s.gw, p.epoch == s.epoch, p.hour == s.hour).exists()
    wanted = select(s.seq, func.length(s.data).label("size")).join_from(schema.STATEMENT, schema.ENVELOPE, came)
    here = (s.gw == place[0], s.epoch == place[1])
    wanted = wanted.where(*here, s.seq >= at, e.received < before, ~waits)
    gone = connection.execute(wanted.order_by(s.seq).limit(CHUNK_LIMIT_ROWS)).all()
    if not gone:
        return Took()
    if not dry:
        connection.execute(delete(schema.STATEMENT).where(*here, s.seq.in_([row.seq for row in gone])))
    return Took(len(gone), sum(row.size for row in gone), gone[0].seq, gone[-1].seq, gone[-1].seq + 1)


def _delete_blocks(connection: Connection, here: Iterable[ColumnElement[bool]], gone: Iterable[Any]) -> None:
    b = schema.BLOCK.c
    named = [(row.first, row.seq, row.item) for row in gone]
    connection.execute(delete(schema.BLOCK).where(*here, tuple_(b.first, b.seq, b.item).in_(named)))


def _runs(gone: Iterable[Any]) -> list[tuple[int, int, int]]:
    """(first, count, t) of samples that go; blocks that follow one another are one."""
    out: list[tuple[int, int, int]] = []
    for row in gone:
        end = row.first + row.samples
        if out and row.first <= out[-1][0] + out[-1][1]:
            first, count, t = out[-1]
            out[-1] = first, max(count, end - first), t
        else:
            out.append((row.first, row.samples, row.came))
    return out


def _say(connection: Connection, place: Place, lost: tuple[int, int, int, int], day: Day, *, is_wave: bool) -> None:
    """A gap (stream, first, count, t) of the centre's, together with the one before it of the same day."""
    g = schema.GAP.c
    stream, first, count, t = lost
    mine = (g.gw == place[0], g.epoch == place[1], g.stream == stream, g.seq == OF_THE_CENTRE, g.item == day.number)
    joins = (g.first + g.count == first,) if is_wave else ()
    known = connection.execute(select(g.t).where(*mine, *joins).limit(1)).scalar()
    if known is not None:
        longer = update(schema.GAP).where(*mine, *joins, g.t == known)
        connection.execute(longer.values(count=g.count + count))
        return
    at: Mapping[str, object] = {"gw": place[0], "epoch": place[1], "stream": stream, "t": t}
    row = {**at, "seq": OF_THE_CENTRE, "item": day.number, "first": first, "count": count}
    connection.execute(insert(schema.GAP).values(**row, cause=f"{CAUSE} {day.text}"))


def _let_go(connection: Connection, key: dict[str, int], first: int, last: int) -> None:
    """As one range with the one before it."""
    grown = update(LET_GO).filter_by(**key).where(LET_GO.c.last == first - 1).values(last=last)
    if not connection.execute(grown).rowcount:
        connection.execute(insert(LET_GO).values(**key, first=first, last=last))
