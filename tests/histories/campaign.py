"""Histories by the number: each is dated by the centre's own mapping at some instants, and held against the truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from statistics import median

from agent.clock import FLOOR_UTC_US  # the date of the build, not what the reader is told
from centre.boots import mapping_of
from tests.histories.life import BROKEN, history

INSTANTS_COUNT = 20  # of each history, in two of its epochs
KEPT_MISSES = 20
GOOD_SHARE = 0.999
P4_LIMIT_US = 50_000
P4_KINDS = ("ntp", "mqtt-P4")


@dataclass(slots=True)
class Tally:
    """Counts of instants by kind of history; errors in microseconds."""

    histories: int = 0
    instants: Counter[str] = field(default_factory=Counter)
    inside: Counter[str] = field(default_factory=Counter)
    periods: Counter[str] = field(default_factory=Counter)
    grades: Counter[str] = field(default_factory=Counter)
    before_floor: int = 0
    off: dict[str, list[int]] = field(default_factory=dict)
    stated: dict[str, list[int]] = field(default_factory=dict)
    misses: list[str] = field(default_factory=list)

    def join(self, other: Tally) -> None:
        self.histories += other.histories
        self.before_floor += other.before_floor
        for name in ("instants", "inside", "periods", "grades"):
            getattr(self, name).update(getattr(other, name))
        for mine, theirs in ((self.off, other.off), (self.stated, other.stated)):
            for kind, found in theirs.items():
                mine.setdefault(kind, []).extend(found)
        self.misses = (self.misses + other.misses)[:KEPT_MISSES]


def run(first: int, count: int) -> Tally:
    """The histories `first` ... `first + count - 1`."""
    tally = Tally()
    for seed in range(first, first + count):
        judge(seed, tally)
    return tally


def judge(seed: int, tally: Tally) -> None:
    dice, made = Random(-seed - 1), history(seed)
    tally.histories += 1
    for epoch in dice.sample(made.epochs, min(2, len(made.epochs))):
        mapping = mapping_of(epoch.number, made.known)
        for _ in range(INSTANTS_COUNT // 2):
            t = dice.randint(epoch.first, epoch.last)
            truth, said = epoch.quartz.utc(t), mapping.at(t)
            assert said.earliest is not None
            assert said.latest is not None
            is_in = said.earliest <= truth <= said.latest
            tally.instants[made.kind] += 1
            tally.inside[made.kind] += is_in
            tally.grades[said.grade] += 1
            tally.before_floor += min(said.earliest, said.latest, said.utc or FLOOR_UTC_US) < FLOOR_UTC_US
            if said.utc is None or said.error is None:
                tally.periods[made.kind] += 1
            else:
                tally.off.setdefault(made.kind, []).append(abs(said.utc - truth))
                tally.stated.setdefault(made.kind, []).append(said.error)
            if not is_in and len(tally.misses) < KEPT_MISSES:
                out = max(said.earliest - truth, truth - said.latest)
                tally.misses.append(f"{seed} {made.kind} epoch {epoch.number} t {t}: outside by {out} us")


def figures(tally: Tally) -> dict[str, object]:
    """What the evidence says; times in milliseconds."""
    all_, held = tally.instants, [kind for kind in tally.instants if kind not in BROKEN]
    share = tally.inside.total() / max(1, all_.total())
    holds = sum(tally.inside[kind] for kind in held) / max(1, sum(all_[kind] for kind in held))
    return {
        "histories": tally.histories,
        "instants": all_.total(),
        "outside": all_.total() - tally.inside.total(),
        "inside_share": round(share, 6),
        "inside_share_where_assumptions_hold": round(holds, 6),
        "outside_by_kind": {kind: all_[kind] - tally.inside[kind] for kind in sorted(all_)},
        "instants_by_kind": {kind: all_[kind] for kind in sorted(all_)},
        "periods_by_kind": dict(sorted(tally.periods.items())),
        "grades": dict(sorted(tally.grades.items())),
        "median_off_ms": {kind: round(median(tally.off[kind]) / 1000, 1) for kind in sorted(tally.off)},
        "median_stated_ms": {kind: round(median(tally.stated[kind]) / 1000, 1) for kind in sorted(tally.stated)},
        "before_floor": tally.before_floor,
        "misses": tally.misses,
    }


def is_good(tally: Tally) -> bool:
    share = tally.inside.total() / max(1, tally.instants.total())
    near = [one for kind in P4_KINDS for one in tally.off.get(kind, ())]
    return share >= GOOD_SHARE and tally.before_floor == 0 and (not near or median(near) <= P4_LIMIT_US)
