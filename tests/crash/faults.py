"""Every call of the workload fails: once or from there on, short, or with the power.

Then the process is killed, or the power fails and none, all, or some of what was not synced is on the disk.
"""

from __future__ import annotations

import errno
from functools import cache
from random import Random
from typing import NamedTuple

from tests.crash.faulty import Fault, FaultyFiles, PowerCutError
from tests.crash.outcome import Campaign, Outcome
from tests.crash.twin import body, calls_of_workload, open_spool, workload
from tests.crash.witness import Witness, goes_on, judge

KEPT = {"kill": None, "none": 0.0, "all": 1.0, "half": 0.5, "few": 0.15, "most": 0.85}  # of what was not synced


class Case(NamedTuple):
    fault: Fault
    kept: str


@cache
def cases() -> list[Case]:
    calls, _ = calls_of_workload()
    faults: list[Fault] = []
    for at in range(1, calls + 1):
        for code in (errno.EIO, errno.ENOSPC, errno.EROFS):
            faults += [Fault(at, "error", code), Fault(at, "error", code, forever=True)]
        faults += [Fault(at, "short"), Fault(at, "cut")]
    return [Case(fault, kept) for fault in faults for kept in KEPT]


def attempt(seed: int, points: range) -> Outcome:
    out = Outcome(points=len(points))
    for point in points:
        case = cases()[point]
        out.counts[case.fault.kind] += 1
        with out.trying(point):
            _try(case, point, seed, out)
    return out


def _try(case: Case, point: int, seed: int, out: Outcome) -> None:
    files, witness = FaultyFiles(case.fault), Witness()
    try:
        workload(files, witness)
    except PowerCutError:
        out.counts["power_cuts"] += 1
    chance = KEPT[case.kept]
    after = files.after_kill() if chance is None else files.after_cut(chance, Random(f"{seed}/{point}").getrandbits(32))
    spool = open_spool(after, witness)
    found = judge(spool, witness, body)
    problems = found.problems + goes_on(spool, body)
    if found.damaged and case.fault.kind in ("cut", "short"):
        problems.append(f"lost without a disk error: {sorted(found.damaged)}")
    out.lost += len(found.silent)
    out.counts["damaged_and_told"] += len(found.damaged)
    out.fail(point, [f"{case}: {problem}" for problem in problems])


CAMPAIGN = Campaign(points=len(cases()), part_points=200, attempt=attempt, exhaustive=True)
