"""Every file of a spool, ended at every byte."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

from tests.crash.outcome import Campaign, Outcome
from tests.crash.twin import full_folder, judge_damage, reopened
from tests.crash.witness import Judgement, Witness

OPEN_LIMIT_S = 5.0


@cache
def folder() -> tuple[dict[Path, bytes], Witness]:
    return full_folder()


@cache
def ends() -> list[tuple[Path, int]]:
    """(file, size): one case for each byte there is."""
    contents, _ = folder()
    return [(path, size) for path in sorted(contents) for size in range(len(contents[path]))]


def attempt(seed: int, points: range) -> Outcome:
    del seed  # there is nothing to choose
    contents, witness = folder()
    out = Outcome(points=len(points))
    for point in points:
        path, size = ends()[point]
        with out.trying(point):
            found = try_one(out, path, contents[path][:size], witness)
            out.fail(point, [f"{path.name} cut at {size}: {problem}" for problem in found.problems])
    return out


def try_one(out: Outcome, path: Path, data: bytes, witness: Witness) -> Judgement:
    """Open the folder with one file damaged: in time, and each frame lost told."""
    began = time.perf_counter()
    spool = reopened(folder()[0], path, data)
    took = time.perf_counter() - began
    out.slowest_open_s = max(out.slowest_open_s, took)
    found = judge_damage(spool, witness)
    found.problems += [f"{took:.1f} s to open"] if took > OPEN_LIMIT_S else []
    out.lost += len(found.silent)
    out.counts["damaged_and_told"] += len(found.damaged)
    out.counts["of_it_named"] += len(found.named)
    return found


CAMPAIGN = Campaign(points=len(ends()), part_points=1000, attempt=attempt, exhaustive=True)
