"""After the calm: is what the devices said in the centre's store, once and bit for bit, or a declared hole?

A block says when its last sample was read (boot and microseconds), and the lines know which unit was whole at that
moment; so every stored sample is matched with the one that was said, and its integers are compared.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from agent.clock import FLOOR_UTC_US
from centre.ledger import Place
from tests.sim.device import Truth
from tests.sim.excuses import Excuses
from tests.sim.stored import Row, Store, read
from wire import codec
from wire.topics import Class

NEAR_UNITS = 8
NAMELESS = (-1, "", "")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a run of units stands: samples from `index` of (epoch, stream), in the envelope `seq`."""

    epoch: int
    stream: int
    index: int
    seq: int
    first: int  # unit
    units: tuple[int, ...]


def judge(stage) -> None:
    """Report every problem to the stage."""
    store = read(stage.folder / "centre.db")
    _ledger(stage, store)
    _clock(stage, store)
    for path, line in stage.lines.items():
        _Hearing(stage, store, path, line.truth).judge()


def _ledger(stage, store: Store) -> None:
    """Every number is held, declared lost, or waits for a grant that is."""
    if any(life.could_not_note for life in stage.machine.lives.values()):
        return
    unreadable = store.unreadable()
    centre, gateway = stage.centre.store, stage.address.gateway
    for epoch in stage.machine.lives:
        for cls in Class:
            missing = centre.missing(Place(gateway, epoch, cls))
            if any((epoch, int(cls), seq) not in unreadable for a, b in missing for seq in range(a, b + 1)):
                stage.problem(f"the ledger misses {cls.word} {epoch}:{missing}")
    for epoch in store.nameless:
        if not store.is_lost(epoch, Class.VITAL):
            stage.problem(f"epoch {epoch} has a stream that no catalogue names")


def _clock(stage, store: Store) -> None:
    """No anchor before the first release; one that claims an error is within it."""
    for anchor in store.anchors:
        if anchor["utc"] < FLOOR_UTC_US:
            stage.problem(f"an anchor of 1970 or so: {anchor['utc']}")
        booted = stage.machine.boots.get(stage.machine.lives[anchor["epoch"]].boot)
        true = booted + anchor["t"]
        if anchor["error"] is not None and abs(anchor["utc"] - true) > anchor["error"]:
            stage.problem(
                f"an anchor of epoch {anchor['epoch']} is {anchor['utc'] - true} us wrong, says {anchor['error']}"
            )


class _Hearing:
    """One device: what was said against what is stored."""

    def __init__(self, stage, store: Store, path: str, truth: Truth) -> None:
        self.stage, self.store, self.path, self.truth = stage, store, path, truth
        self.lives = stage.machine.lives
        self.excuses = Excuses(stage, store, truth)

    def judge(self) -> None:
        spots: dict[str, list[Spot]] = defaultdict(list)
        for block in self.store.blocks:
            if self.store.streams.get((block["epoch"], block["stream"]), NAMELESS)[2] == self.path:
                spot = self._place(block)
                if spot is not None:
                    spots[self.store.streams[block["epoch"], block["stream"]][1]].append(spot)
        for channel in self.truth.per_unit:
            if channel in spots or channel == next(iter(self.truth.per_unit)):
                self._once(channel, spots[channel])
                self._indexes(channel, spots[channel])
                self._silent(channel, spots[channel])
                self._complete(channel, spots[channel])
        self._numerics()

    def _bad(self, text: str) -> None:
        self.stage.problem(f"{self.path}: {text}")

    def _place(self, block: Row) -> Spot | None:
        """Match a block with the units that it carries, and compare all its rows."""
        truth, boot = self.truth, self.lives[block["epoch"]].boot
        where = f"block {block['epoch']}:{block['stream']}+{block['first']} of wave {block['seq']}"
        last = truth.reads.get((boot, block["t"]))
        if last is None:
            self._bad(f"{where} is stamped {block['t']}, when nothing was read")
            return None
        values = codec.decode(bytes(block["coded"]), block["rows"], block["count"])
        channels = [self.store.streams[block["epoch"], block["stream"] + row][1] for row in range(block["rows"])]
        known = [(row, c) for row, c in enumerate(channels) if c in truth.per_unit]
        row, channel = known[0]
        size = truth.per_unit[channel]
        if block["count"] % size:
            self._bad(f"{where} has a part of a unit")
            return None
        units = self._walk(values[row], channel, last)
        if units is None:
            self._bad(f"{where} is not what was said before {block['t']}")
            return None
        for row, channel in known[1:]:
            if not np.array_equal(values[row], self._said(channel, units)):
                self._bad(f"{where}: {channel} differs")
        return Spot(block["epoch"], block["stream"], block["first"], block["seq"], units[0], units)

    def _said(self, channel: str, units: tuple[int, ...]) -> np.ndarray:
        size, said = self.truth.per_unit[channel], self.truth.samples[channel]
        return np.array([said[n * size + at] for n in units for at in range(size)], np.int32)

    def _walk(self, values: np.ndarray, channel: str, last: int) -> tuple[int, ...] | None:
        """The units whose samples these are, the last of them read last; units that may be refused are passed."""
        size, said, units = self.truth.per_unit[channel], self.truth.samples[channel], self.truth.units
        count = len(values) // size
        first = last - count + 1
        if first >= 0 and values.tolist() == said[first * size : (last + 1) * size]:
            return tuple(range(first, last + 1))
        wanted = values.reshape(count, size).tolist()
        found: list[int] = []
        n = last
        while wanted and n >= 0:
            if said[n * size : (n + 1) * size] == wanted[-1]:
                found.append(n)
                wanted.pop()
            elif units[n].read is not None and not units[n].hurt and found:
                return None
            n -= 1
        return None if wanted else tuple(reversed(found))

    def _once(self, channel: str, spots: list[Spot]) -> None:
        seen: dict[int, Spot] = {}
        for spot in spots:
            for n in spot.units:
                unit = self.truth.units[n]
                if n in seen and not self.excuses.may_double(seen[n].epoch):
                    self._bad(
                        f"{channel}: unit {n} is there twice: {seen[n].epoch}:{seen[n].seq}, {spot.epoch}:{spot.seq}"
                    )
                    return
                if unit.read is None and not unit.partial:
                    self._bad(f"{channel}: unit {n} is stored and was not read")
                    return
                seen[n] = spot

    def _indexes(self, channel: str, spots: list[Spot]) -> None:
        """Within a stream the index goes on with the samples, over holes of known size too."""
        size = self.truth.per_unit[channel]
        for left, right in pairwise(spots):
            if (left.epoch, left.stream) != (right.epoch, right.stream):
                continue
            end = left.index + len(left.units) * size
            if right.index < end:
                self._bad(f"{channel}: {left} and {right} overlap")
            hole = self._hole(left.units[-1], right.units[0])
            is_told = self._gap_near(left, right, size) or self.store.is_lost(left.epoch, Class.VITAL)
            if (right.index - end) // size not in hole and not is_told:
                self._bad(f"{channel}: {right.index - end} in the index, {hole} units between, {left}, {right}")

    def _silent(self, channel: str, spots: list[Spot]) -> None:
        """Where a unit is missing and the index goes on, a gap of unknown size stands near (at the chunk's start)."""
        size = self.truth.per_unit[channel]
        placed = sorted((s.epoch, s.stream, s.index // size + at, n) for s in spots for at, n in enumerate(s.units))
        first_read = {(epoch, stream): self.truth.units[n].read for epoch, stream, _, n in reversed(placed)}
        for (epoch, stream, left, a), (*there, right, b) in pairwise(placed):
            if [epoch, stream, left + 1] != [*there, right] or b == a + 1:
                continue
            gaps = [first // size for first, count, _ in self.store.gaps[epoch, stream] if count is None]
            holed = any(unit.read is not None for unit in self.truth.units[a + 1 : b])
            if holed and not any(left - NEAR_UNITS <= gap <= right + NEAR_UNITS for gap in gaps):
                if self.store.is_lost(epoch, Class.VITAL):
                    continue  # it was said in one of those
                told = epoch in self.excuses.skipped or self.excuses.was_about_to_tell(self.truth.units[a])
                if self.truth.units[a].read == first_read[epoch, stream] and told:
                    continue  # in the first chunk of a session: its line says how many bytes were in no frame
                self._bad(f"{channel}: a unit between {a} and {b} is missing in epoch {epoch}, and no gap says so")

    def _hole(self, left: int, right: int) -> range:
        """How many units there may be between two: by the device's counter, else those read, hurt ones or not."""
        units = self.truth.units
        first, last = units[left].counter, units[right].counter
        if first is not None and last is not None:
            count = (last - first - 1) % (1 << 32)
            return range(count, count + 1)
        between = [unit for unit in units[left + 1 : right] if unit.read is not None]
        return range(sum(not unit.hurt for unit in between), len(between) + 1)

    def _gap_near(self, left: Spot, right: Spot, size: int) -> bool:
        """A hole of unknown size is declared before the chunk that brought the noise."""
        units = self.truth.units
        chunk = [at for at, n in enumerate(left.units) if units[n].read == units[left.units[-1]].read]
        low = left.index + (chunk[0] if chunk else 0) * size
        return any(
            low <= first <= right.index and count is None
            for first, count, _ in self.store.gaps[left.epoch, left.stream]
        )

    def _complete(self, channel: str, spots: list[Spot]) -> None:
        places = sorted((n, spot.epoch, spot.seq) for spot in spots for n in spot.units)
        stored = {n for n, *_ in places}
        numbers = [n for n, *_ in places]
        for n, unit in enumerate(self.truth.units):
            if unit.read is None or n in stored:
                continue
            at = bisect_left(numbers, n)
            before = places[at - 1][1:] if at else (0, -1)
            after = self._after(place[1:] for place in places[at:])
            if not self.excuses.explained(n, Class.WAVE, before, after):
                self._bad(
                    f"{channel}: unit {n}, read at {unit.read}, is neither stored nor declared lost; {before} {after}"
                )
                return

    def _after(self, places: Iterable[tuple[int, int]]) -> tuple[int, int]:
        """Up to where a missing unit may stand. What went live ahead of a bad card says nothing of what comes again."""
        return next((place for place in places if not self.excuses.may_double(place[0])), (1 << 30, 1 << 40))

    def _numerics(self) -> None:
        """Every reading of a unit that was read, once, stamped with the moment of reading."""
        truth = self.truth
        channels = {channel for said in truth.numerics.values() for channel, _ in said}
        stored: dict[tuple[int, int, str], list[tuple[int, int, int]]] = defaultdict(list)
        for row in self.store.numerics:
            _, channel, port = self.store.streams.get((row["epoch"], row["stream"]), NAMELESS)
            if port == self.path and channel in channels:
                boot = self.lives[row["epoch"]].boot
                stored[boot, row["t"], channel].append((row["epoch"], row["seq"], int(row["value"])))
        places, matched = {}, 0
        for n, said in truth.numerics.items():
            unit = truth.units[n]
            if unit.read is None:
                continue
            for channel, value in said:
                found = [place for place in stored[(*unit.read, channel)] if place[2] == value]
                if len(found) > 1 and not self.excuses.may_double(found[0][0]):
                    self._bad(f"{channel} of unit {n} is there {len(found)} times: {found}")
                if found:
                    places[n] = found[0][:2]
                matched += len(found)
        if matched != sum(map(len, stored.values())) and not any(unit.partial for unit in truth.units):
            self._bad("there are readings that nobody said")
        self._complete_numerics(places)

    def _complete_numerics(self, places: dict[int, tuple[int, int]]) -> None:
        numbers = sorted(places)
        for n in self.truth.numerics:
            if self.truth.units[n].read is None or n in places:
                continue
            at = bisect_left(numbers, n)
            before = places[numbers[at - 1]] if at else (0, -1)
            after = self._after(places[number] for number in numbers[at:])
            if not self.excuses.explained(n, Class.VITAL, before, after):
                self._bad(f"the numerics of unit {n} are neither stored nor declared lost")
                return
