"""What a gateway took in, what it promised and what can be read of it: the three must agree.

written (feeder)  ==  samples in the spool, once, in order       nothing read is lost or doubled, but for what a
                                                                 kill found in its hand (tests/crash/holes.py)
kept (witness)    in  spool, or told to be gone, or at the centre    accepted = durable
archive           in  spool, or told to be gone, or at the centre    what was there once does not vanish
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from agent.spool import Stored
from tests.crash.feeder import FRAME_BYTES, WRAP, number_index
from tests.crash.holes import Death, in_hand, read_frames
from tests.crash.life import digest
from wire import bundle, codec
from wire.envelope import header_of
from wire.keys import RecipientSecret
from wire.records import Block, Catalogue, EnvelopeGap, NumericAt
from wire.seal import Opener
from wire.topics import Class

Name = tuple[int, int, int]  # (epoch, class, seq)
ROWS = ("spo2.signal", "pleth", "spo2.bar")  # low bits first
SHIFTS = (0, 4, 11)


@dataclass(slots=True)
class Said:
    """What the envelopes of one epoch say."""

    channels: dict[int, str] = field(default_factory=dict)
    runs: dict[str, list[tuple[int, int, np.ndarray]]] = field(default_factory=dict)  # channel -> (stream, first, ..)
    numerics: list[NumericAt] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    def numbers(self) -> np.ndarray:
        """The low bits of the running numbers, in order."""
        for block in self.blocks:
            for row, run in enumerate(codec.decode(block.coded, block.rows, block.count)):
                channel = self.channels[block.stream + row]
                self.runs.setdefault(channel, []).append((block.stream + row, block.first, run))
        self.blocks.clear()
        if not self.runs:
            return np.zeros(0, np.int64)
        rows = [np.concatenate([run for *_, run in sorted(self.runs[name], key=lambda r: r[:2])]) for name in ROWS]
        return np.sum([row.astype(np.int64) << shift for row, shift in zip(rows, SHIFTS, strict=True)], axis=0)


@dataclass(slots=True)
class Tally:
    """How many of what; all but the first line of fields must stay 0."""

    accepted: int = 0
    samples: int = 0
    numerics: int = 0
    evicted: int = 0  # told, as they must be
    in_hand: int = 0  # samples read when a kill came, not yet on the tape (tests/crash/holes.py)
    early: int = 0  # at the centre before the disk had them, and never on the disk (ADR 3: a disk slower than 250 ms)
    accepted_lost: int = 0
    samples_lost: int = 0
    samples_doubled: int = 0
    disordered: int = 0
    numerics_lost: int = 0
    numerics_doubled: int = 0
    vanished: int = 0
    numbered_twice: int = 0
    invariants_broken: int = 0

    def faults(self) -> dict[str, int]:
        named = ("accepted", "samples", "numerics", "evicted", "in_hand", "early")
        return {name: n for name in self.__slots__ if name not in named and (n := getattr(self, name))}


class Reader:
    """Opens the envelopes of one gateway as they come, each once. `digests` is by name, `said` by epoch."""

    def __init__(self, gateway: str, secret: RecipientSecret) -> None:
        self._opener = Opener(gateway, [secret])
        self._sealed: dict[Name, bytes] = {}
        self.digests: dict[Name, str] = {}
        self.said: dict[int, Said] = {}
        self.told: set[Name] = set()
        self.numbered_twice = 0

    def take(self, data: bytes) -> Name:
        header = header_of(data)
        name = (header.epoch, int(header.cls), header.seq)
        known, this = self.digests.get(name), digest(data)
        if known is not None:
            self.numbered_twice += known != this
            return name
        self.digests[name] = this
        if header.cls is Class.KEY:
            self._opener.statement(data)
        else:
            self._sealed[name] = data
        return name

    def open(self, skip: Set[Name] = frozenset()) -> None:
        """All that came and can be opened, in order."""
        for name in sorted(self._sealed.keys() - skip):
            if not self._opener.knows(header_of(self._sealed[name])):
                continue
            header, plain = self._opener.open(self._sealed.pop(name))
            said = self.said.setdefault(header.epoch, Said())
            if header.cls is Class.WAVE:
                said.blocks += bundle.read_wave(plain)
            else:
                self._vital(said, plain)

    def _vital(self, said: Said, plain: bytes) -> None:
        for record in bundle.read_vital(plain):
            if isinstance(record, Catalogue):
                said.channels |= {info.stream: info.channel for info in record.streams}
            elif isinstance(record, NumericAt):
                said.numerics.append(record)
            elif isinstance(record, EnvelopeGap):
                self.told |= {(record.epoch, record.cls, seq) for seq in range(record.first, record.last + 1)}


class Account:
    """One gateway's books over all its lives."""

    def __init__(self, gateway: str, secret: RecipientSecret) -> None:
        self.spool = Reader(gateway, secret)
        self.centre = Reader(gateway, secret)
        self.accepted: dict[Name, str] = {}
        self.tally = Tally()
        self._unexplained: set[Name] = set()
        self._too_new: set[Name] = set()
        self._gone: set[Name] = set()
        self._unexplained_before: set[Name] = set()
        self._seen: dict[Name, bytes] = {}  # all that was ever in the spool when it was looked into

    def kept(self, words: Sequence[str]) -> None:
        """A line of the witness: EPOCH CLASS SEQ DIGEST ..."""
        for epoch, cls, seq, this in zip(*[iter(words)] * 4, strict=True):
            self.accepted[int(epoch), int(cls), int(seq)] = this
            self.tally.accepted += 1

    def harvest(self, stored: Iterable[Stored]) -> None:
        """What the spool holds now, nobody having it open."""
        found = {self.spool.take(one.data): one.data for one in stored}
        present = found.keys()
        self._seen |= found
        self.spool.open()
        for name, this in self.accepted.items():
            if self.spool.digests.get(name, this) != this:
                self.tally.numbered_twice += 1
        known = self.accepted.keys() | self.spool.digests.keys()
        gone = known - present - self._gone
        explained = {name for name in gone if name in self.spool.told or name in self.centre.digests}
        self._gone |= explained
        self.tally.evicted += len(explained)
        self._unexplained = gone - explained
        oldest = {cls: min((name for name in present if name[1] == cls), default=None) for cls in Class}
        self._too_new = {name for name in self._unexplained if (first := oldest[Class(name[1])]) and name > first}

    def settle(self, written: Sequence[int], deaths: Sequence[Death]) -> list[int]:
        """The gateway ended cleanly and had read all: the books of this period must close. Returns what it had to keep.

        An envelope may be evicted by the very last commit; its loss is told by the next one, so by the next period.
        But only the oldest are evicted: a hole among the others is a loss now.
        """
        self._count_vanished()
        self.tally.numbered_twice += self.spool.numbered_twice + self.centre.numbered_twice
        self.spool.numbered_twice = self.centre.numbered_twice = 0
        said, self.spool.said = self.spool.said, {}
        due = check_numbers(said, written, self.tally, deaths)
        check_numerics(said, due, self.tally)
        self.tally.samples += len(written)
        return due

    def _count_vanished(self) -> None:
        late = self._unexplained & self._unexplained_before | self._too_new
        self.tally.accepted_lost += len(late & self.accepted.keys())
        self.tally.vanished += len(late - self.accepted.keys())
        self._gone |= late
        self._unexplained_before = self._unexplained - late

    def close(self, written: Sequence[int]) -> None:
        """At the end, for a gateway with a broker: the centre has all, once, but for what was told to be gone.

        That is taken as it was in the spool: what it says is missing at the centre, and the centre knows.
        """
        for name in sorted((self.spool.told & self._seen.keys()) - self.centre.digests.keys()):
            self.centre.take(self._seen[name])
        early = self.centre.digests.keys() - self.spool.digests.keys()
        self.tally.early += len(early)
        self.centre.open(early)
        self.tally.accepted_lost += len(self.accepted.keys() - self.centre.digests.keys() - self.spool.told)
        wrong = [name for name, this in self.centre.digests.items() if self.accepted.get(name, this) != this]
        self.tally.numbered_twice += len(wrong)
        check_numbers(self.centre.said, written, self.tally)
        check_numerics(self.centre.said, written, self.tally)


def check_numbers(
    said: dict[int, Said], written: Sequence[int], tally: Tally, deaths: Sequence[Death] = ()
) -> list[int]:
    """Every number once and in order, but for what was in hand at a death. What is not so is called lost or doubled.

    Returns the numbers that had to be there.
    """
    low = np.concatenate([np.zeros(0, np.int64), *(said[epoch].numbers() for epoch in sorted(said))])
    expected = np.array(written, np.int64)
    if np.array_equal(low, expected % WRAP):
        return list(written)
    whole = unwrapped(low, int(expected[0]) if len(expected) else 0)
    missing = ~np.isin(expected, whole)
    excused = in_hand(missing, deaths, read_frames(FRAME_BYTES))
    lost = int(np.sum(missing & ~excused))
    doubled = len(whole) - len(np.unique(whole))
    tally.in_hand += int(np.sum(excused))
    tally.samples_lost += lost
    tally.samples_doubled += doubled
    tally.disordered += not (lost or doubled or np.array_equal(whole, expected[~missing]))
    due: list[int] = expected[~excused].tolist()
    return due


def unwrapped(low: np.ndarray, start: int) -> np.ndarray:
    """Whole numbers, each the nearest to the one before."""
    before = start
    out = np.empty(len(low), np.int64)
    for at, value in enumerate(low.tolist()):
        before += (value - before + WRAP // 2) % WRAP - WRAP // 2
        out[at] = before
    return out


def check_numerics(said: dict[int, Said], written: Sequence[int], tally: Tally) -> None:
    """Every perfusion index that was said is there; none is told by two epochs with one stamp."""
    seen: set[int] = set()
    stamped: dict[tuple[int, int], int] = {}
    for epoch, one in said.items():
        for numeric in one.numerics:
            if one.channels.get(numeric.stream) != "spo2.perf_index" or numeric.value is None:
                continue
            index = int(Decimal(numeric.value) * 100)
            seen.add(index)
            tally.numerics_doubled += stamped.setdefault((numeric.t, index), epoch) != epoch
            tally.numerics += 1
    tally.numerics_lost += len({number_index(number) for number in written} - seen)
