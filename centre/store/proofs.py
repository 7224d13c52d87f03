"""What signed manifests prove of the envelopes that are here: compared once all that one lists has come.

A stretch is what a manifest lists of one class: from a number so many, with a digest over theirs. It waits until the
last of them is here, and then is proven or refuted for ever: rows of this table are only ever those that wait and those
that were refuted. What is proven is kept as ranges.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from centre.ledger import Ledger, Place
from centre.store import schema
from centre.store.entry import Entry
from wire.ranges import Ranges
from wire.statement import Ended, Manifest, Sealed
from wire.topics import Class


class Stretch(NamedTuple):
    """What a manifest lists."""

    first: int
    size: int  # envelopes
    digest: bytes

    @property
    def last(self) -> int:
        return self.first + self.size - 1


@dataclass(slots=True)
class Verdicts:
    """Of one batch: what was found, to be remembered once the batch is committed."""

    wait: list[tuple[Place, Stretch]] = field(default_factory=list)
    proven: list[tuple[Place, Stretch]] = field(default_factory=list)
    refuted: list[tuple[Place, Stretch]] = field(default_factory=list)


@dataclass(slots=True)
class _Sequence:
    waiting: list[Stretch] = field(default_factory=list)  # by first
    longest: int = 0
    proven: Ranges = field(default_factory=Ranges)
    refuted: set[Stretch] = field(default_factory=set)


class Proofs:
    """All stretches of a centre. One thread changes it; the store's lock is held for what readers ask."""

    def __init__(self) -> None:
        self._sequences: dict[Place, _Sequence] = {}

    def judge(
        self, connection: Connection, numbers: Mapping[str, int], ledger: Ledger, fresh: Sequence[Entry]
    ) -> Verdicts:
        """Compare what can be compared now that `fresh` are in the transaction; `ledger` does not know them yet."""
        came: dict[Place, Ranges] = {}
        for entry in fresh:
            came.setdefault(entry.place, Ranges()).add(entry.header.seq)
        out = Verdicts()
        known = [(place, one) for entry in fresh for place, one in stretches(entry)]
        ripe = {(place, one) for place, seqs in came.items() for one in self._touched(place, seqs)}
        for place, one in {*known, *ripe}:
            gw = numbers[place.gateway]
            seqs = came.get(place, Ranges())
            if any(seqs.missing(*hole) for hole in ledger.lacks(place, one.first, one.last)):
                if (place, one) not in ripe:
                    out.wait.append((place, one))
                    _remember(connection, gw, place, one, refuted=False)
            elif _digest(connection, gw, place, one) == one.digest:
                out.proven.append((place, one))
                _forget(connection, gw, place, one)
            else:
                out.refuted.append((place, one))
                _remember(connection, gw, place, one, refuted=True)
        self._widen(connection, numbers, out.proven)
        return out

    def enter(self, found: Verdicts) -> None:
        """The batch is committed."""
        for place, one in found.wait:
            if one not in self._sequence(place).waiting:
                self._wait(place, one)
        for place, one in (*found.proven, *found.refuted):
            sequence = self._sequence(place)
            if one in sequence.waiting:
                sequence.waiting.remove(one)
        for place, one in found.proven:
            self._sequence(place).proven.add(one.first, one.last)
        for place, one in found.refuted:
            self._sequence(place).refuted.add(one)

    def refuted(self, gateway: str) -> int:
        """Envelopes in stretches of which at least one is not what was listed."""
        mine = [sequence.refuted for place, sequence in self._sequences.items() if place.gateway == gateway]
        return sum(len(Ranges((one.first, one.last) for one in refuted)) for refuted in mine)

    def proven(self, gateway: str) -> int:
        """Envelopes that a manifest proves."""
        return sum(len(one.proven) for place, one in self._sequences.items() if place.gateway == gateway)

    def forget(self, gateways: Collection[str]) -> None:
        """Another judges these from now on."""
        self._sequences = {place: one for place, one in self._sequences.items() if place.gateway not in gateways}

    def load(self, connection: Connection, names: Mapping[int, str]) -> None:
        """As it was left, of the gateways in `names`."""
        for run in connection.execute(select(schema.PROVEN)):
            if run.gw in names:
                self._sequence(Place(names[run.gw], run.epoch, Class(run.cls))).proven.add(run.first, run.last)
        for row in connection.execute(select(schema.PROOF)).mappings():
            if row["gw"] not in names:
                continue
            place = Place(names[row["gw"]], row["epoch"], Class(row["cls"]))
            one = Stretch(row["first"], row["count"], bytes(row["digest"]))
            if row["refuted"]:
                self._sequence(place).refuted.add(one)
            else:
                self._wait(place, one)

    def _touched(self, place: Place, seqs: Ranges) -> Iterator[Stretch]:
        """Waiting stretches in which one of these lies."""
        sequence = self._sequences.get(place)
        if sequence is None:
            return
        (low, _), high = seqs.pairs()[0], seqs.last
        for at in range(bisect_left(sequence.waiting, (low - sequence.longest,)), len(sequence.waiting)):
            one = sequence.waiting[at]
            if one.first > high:
                return
            if seqs.missing(one.first, one.last) != [(one.first, one.last)]:
                yield one

    def _wait(self, place: Place, one: Stretch) -> None:
        sequence = self._sequence(place)
        insort(sequence.waiting, one)
        sequence.longest = max(sequence.longest, one.size)

    def _sequence(self, place: Place) -> _Sequence:
        return self._sequences.setdefault(place, _Sequence())

    def _widen(
        self, connection: Connection, numbers: Mapping[str, int], proven: Iterable[tuple[Place, Stretch]]
    ) -> None:
        """Keep what is proven as few ranges."""
        news: dict[Place, Ranges] = {}
        for place, one in proven:
            before = self._sequences.get(place)
            ranges = news.setdefault(place, Ranges(before.proven if before else ()))
            ranges.add(one.first, one.last)
        for place, one in proven:
            (run,) = [(a, b) for a, b in news[place] if a <= one.first <= b]
            table, key = schema.PROVEN, _key(numbers[place.gateway], place)
            inside = table.c.first.between(*run)
            connection.execute(delete(table).filter_by(**key).where(inside))
            connection.execute(insert(table).values(**key, first=run[0], last=run[1]))


def stretches(entry: Entry) -> Iterator[tuple[Place, Stretch]]:
    """What a statement lists, of its own epoch or of those that it recovers."""
    gateway = entry.address.gateway
    said: list[tuple[int, list[Sealed]]] = []
    if isinstance(entry.said, Manifest):
        said = [(entry.header.epoch, entry.said.sealed)]
    elif isinstance(entry.said, Ended):
        said = [(one.epoch, one.sealed) for one in entry.said.recovered]
    for epoch, sealed in said:
        for one in sealed:
            if one.count > 0:
                yield Place(gateway, epoch, Class(one.cls)), Stretch(one.first, one.count, one.digest)


def _digest(connection: Connection, gw: int, place: Place, one: Stretch) -> bytes:
    e = schema.ENVELOPE.c
    here = select(e.digest).where(e.gw == gw, e.epoch == place.epoch, e.cls == int(place.cls))
    found = connection.execute(here.where(e.seq.between(one.first, one.last)).order_by(e.seq)).scalars()
    return hashlib.sha256(b"".join(bytes(digest) for digest in found)).digest()


def _key(gw: int, place: Place) -> dict[str, Any]:
    return {"gw": gw, "epoch": place.epoch, "cls": int(place.cls)}


def _forget(connection: Connection, gw: int, place: Place, one: Stretch) -> None:
    connection.execute(delete(schema.PROOF).filter_by(**_key(gw, place), first=one.first, digest=one.digest))


def _remember(connection: Connection, gw: int, place: Place, one: Stretch, *, refuted: bool) -> None:
    _forget(connection, gw, place, one)
    row = {**_key(gw, place), "first": one.first, "digest": one.digest, "count": one.size, "refuted": refuted}
    connection.execute(insert(schema.PROOF).values(row))


def conflicts(connection: Connection, gw: int) -> int:
    """Envelopes that are kept apart, as others were here under their names."""
    c = schema.CONFLICT.c
    return int(connection.execute(select(func.count()).select_from(schema.CONFLICT).where(c.gw == gw)).scalar_one())
