"""Legal holds: what nobody may remove, as ranges of `t` in an epoch. When in doubt, it is held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection, select

from centre.boots import mapping_of
from centre.mapping import Mapping
from centre.rows import Association
from centre.store import dates, read, schema
from centre.store.keeping_schema import HOLD
from centre.store.removing import Place

EVER = 1 << 62
Came = list[tuple[int, int, int]]


class Hold(NamedTuple):
    """Of a gateway, of those at a bed, or of a patient; all of it where no time is named (UTC, microseconds)."""

    hold: int
    gateway: str
    bed: str
    pseudonym: str
    since: int | None
    until: int | None
    reason: str
    said: int
    lifted: int | None


class Holds:
    """Those that stand."""

    def __init__(self, connection: Connection) -> None:
        self.standing = [one for one in listed(connection) if one.lifted is None]
        g = schema.GATEWAY.c
        self._beds = {row.gateway: row.bed for row in connection.execute(select(g.gateway, g.bed))}

    def of(self, connection: Connection, gateway: str, place: Place, came: Came) -> list[tuple[int, int]]:
        """Ranges of t that are held, by quarters of an hour (`came`: least t, greatest t, ...)."""
        said = read.associations(connection, place[0]) if self.standing else []
        out: list[tuple[int, int]] = []
        mapping: Mapping | None = None
        for hold in self.standing:
            for span in self._spans(hold, gateway, place, said):
                if hold.since is not None or hold.until is not None:
                    mapping = mapping or mapping_of(place[1], dates.datings(connection, *place))
                out += _within(hold, span, came, mapping)
        return out

    def _spans(self, hold: Hold, gateway: str, place: Place, said: list[Association]) -> Iterator[tuple[int, int]]:
        """(first, last) t of the epoch that the hold's words may be about, whatever the time."""
        if hold.gateway == gateway or (hold.bed and self._beds.get(gateway) == hold.bed):
            yield 0, EVER
        for n, one in enumerate(said):
            if (hold.pseudonym and one.pseudonym == hold.pseudonym) or (hold.bed and one.bed == hold.bed):
                open_ended = (other.since for other in said[n + 1 :] if other.until is None)
                following = next((since for since in open_ended if since > one.since), None)
                until = max(filter(None, (one.until, following)), default=None)
                first = _t(one.since, place[1], 0)
                last = EVER if until is None else _t(until, place[1], EVER)
                if one.since[0] <= place[1] and (until is None or until[0] >= place[1]):
                    yield first, last


def listed(connection: Connection) -> list[Hold]:
    """All that ever were, the oldest first."""
    return [Hold(*row) for row in connection.execute(select(HOLD).order_by(HOLD.c.hold))]


def _t(moment: tuple[int, int], epoch: int, other: int) -> int:
    return moment[1] if moment[0] == epoch else other


def _within(hold: Hold, span: tuple[int, int], came: Came, mapping: Mapping | None) -> Iterator[tuple[int, int]]:
    """Quarters of an hour that touch the span, and may touch the hold's time."""
    for first, last, _ in came:
        if last < span[0] or first > span[1]:
            continue
        if mapping is not None and not _may_touch(hold, mapping, first, last):
            continue
        yield first, last


def _may_touch(hold: Hold, mapping: Mapping, first: int, last: int) -> bool:
    """Whether what came from `first` to `last` may be of the hold's time; what nobody can date may be."""
    earliest, latest = mapping.at(first).earliest, mapping.at(last).latest
    if hold.until is not None and earliest is not None and earliest > hold.until:
        return False
    return not (hold.since is not None and latest is not None and latest < hold.since)
