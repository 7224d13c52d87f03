"""The spool against a list: any sequence of steps, restarts and power cuts included."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.spool import Limits, Spool, Stored
from tests.crash.faulty import FaultyFiles

FOLDER = Path("/spool")
LIMITS = Limits(segment_bytes=32 * 1024, body_bytes=8 * 1024)
QUOTAS = {0: 64 * 1024, 1: 64 * 1024, 2: 96 * 1024}
Name = tuple[int, int, int]  # (class, epoch, seq)

APPEND = st.tuples(st.just("append"), st.integers(0, 2), st.sampled_from([0, 200, 3000, 6000, 8000]), st.booleans())
HOLD = st.tuples(st.just("hold"), st.integers(0, 2), st.integers(0, 40), st.integers(0, 40))
ASK = st.tuples(st.just("ask"), st.integers(0, 2), st.integers(0, 40), st.integers(0, 40))
PLAIN = st.sampled_from(["commit", "commit", "commit", "save", "spare", "kill", "cut", "drain"])
STEPS = st.lists(st.one_of(APPEND, APPEND, HOLD, ASK, PLAIN.map(lambda word: (word, 0, 0, 0))), max_size=90)


class Model:
    """Lists. `frames` is all that was committed and not reported lost; `held` what the centre has."""

    def __init__(self) -> None:
        self.files = FaultyFiles()
        self.frames: list[Stored] = []
        self.waiting: list[Stored] = []
        self.held: set[Name] = set()
        self.saved: set[Name] = set()
        self.evicted: set[Name] = set()
        self.absent: set[Name] = set()
        self.numbers: dict[tuple[int, int], int] = {}
        self.hour = 0
        self.spool = self._open()

    def append(self, cls: int, size: int, later: bool) -> None:
        self.hour += later
        seq = self.numbers.get((cls, self.spool.epoch), 0)
        self.numbers[cls, self.spool.epoch] = seq + 1
        stored = Stored(cls, self.spool.epoch, self.hour, seq, (f"{cls}/{seq}/".encode() * size)[:size])
        self.waiting.append(stored)
        self.spool.append(stored)

    def commit(self) -> None:
        done = self.spool.commit()
        names = {(a.cls, a.epoch, seq) for a in done.accepted for seq in range(a.first, a.last + 1)}
        assert names == {name(s) for s in self.waiting}
        self.frames += self.waiting
        self.waiting = []
        lost = {(e.cls, e.epoch, seq) for e in done.evicted for seq in range(e.first, e.last + 1)}
        assert not lost & self.held, "what is held is not evicted but used again"
        self.evicted |= lost

    def hold(self, cls: int, first: int, count: int) -> None:
        range_ = (first, first + count)
        there = self.there()
        fresh = {n for n in there if n[:2] == (cls, self.spool.epoch) and first <= n[2] <= range_[1]} - self.held
        assert self.spool.held(cls, self.spool.epoch, [range_]) == len(fresh)
        top = self.numbers.get((cls, self.spool.epoch), 0)
        self.held |= {(cls, self.spool.epoch, seq) for seq in range(first, min(range_[1] + 1, top))}

    def ask(self, cls: int, first: int, count: int) -> None:
        """Of an earlier epoch if there is one: the centre lacks these, whatever it said."""
        for epoch in range(max(1, self.spool.epoch - 1), self.spool.epoch + 1):
            committed = max((s.seq for s in self.frames if (s.cls, s.epoch) == (cls, epoch)), default=-1)
            last = first + count if epoch < self.spool.epoch else min(first + count, committed)
            asked = {(cls, epoch, seq) for seq in range(first, last + 1)}
            there = self.there()
            found = self.spool.lacked(cls, epoch, [(first, first + count)])
            assert found == (len(asked & there), len(asked - there))
            self.held -= asked
            self.absent |= asked - there
            owed = {(o.cls, o.epoch, seq) for o in self.spool.undeclared() for seq in range(o.first, o.last + 1)}
            assert asked - there <= owed, "silence"
            assert not asked & there & owed

    def there(self) -> set[Name]:
        names: set[Name] = set()
        self.spool.export(lambda s: names.add(name(s)))
        return names

    def restart(self, survivor: FaultyFiles) -> None:
        self.files = survivor
        self.waiting = []
        self.held = set(self.saved)
        self.hour = 0
        self.spool = self._open()

    def drain(self) -> None:
        """Small portions, held one by one: the same frames in the same order as all at once."""
        whole = [name(s) for s in self.spool.backlog(1 << 30, lambda *_: False)]
        sent: list[Name] = []
        skip = sent.__contains__
        while frames := self.spool.backlog(1, lambda *n: skip(n)):
            sent += [name(s) for s in frames]
        assert sent == whole

    def verify(self) -> None:
        stored: list[Stored] = []
        self.spool.export(stored.append)
        by_name = {name(s): s for s in self.frames}
        assert all(by_name[name(s)] == s for s in stored)
        there = {name(s) for s in stored}
        assert by_name.keys() - there <= self.held | self.evicted | self.absent
        assert not there & (self.evicted | self.absent)
        backlog = self.spool.backlog(1 << 30, lambda *_: False)
        assert {name(s) for s in backlog} == there - self.held
        assert [name(s) for s in backlog] == sorted((name(s) for s in backlog), key=lambda n: order(by_name[n]))
        stats = self.spool.stat().classes
        assert sum(c.frames for c in stats.values()) == len(there)
        assert sum(c.unheld_frames for c in stats.values()) == len(backlog)
        assert self.spool.check() == []
        assert self.spool.damage == ()

    def _open(self) -> Spool:
        return Spool.open(FOLDER, QUOTAS, self.files, b"12345678", LIMITS)


def name(stored: Stored) -> Name:
    return stored.cls, stored.epoch, stored.seq


def order(stored: Stored) -> tuple[int, int, int, int]:
    return stored.cls, -stored.epoch, -stored.hour, stored.seq


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_the_spool_is_a_list(steps: list[tuple[str, int, int, int]]) -> None:
    model = Model()
    for word, a, b, c in steps:
        if word == "append":
            model.append(a, b, bool(c))
        elif word == "hold":
            model.hold(a, b, c)
        elif word == "ask":
            model.ask(a, b, c)
        elif word == "commit":
            model.commit()
        elif word == "save":
            model.spool.save_acks()
            model.saved = set(model.held)
        elif word == "spare":
            model.spool.make_spare()
        elif word == "drain":
            model.drain()
        else:
            model.commit()
            model.spool.save_acks()
            model.saved = set(model.held)
            model.restart(model.files.after_kill() if word == "kill" else model.files.after_cut(0.0))
    model.commit()
    model.verify()
