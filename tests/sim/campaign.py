"""Many seeds: played in a few processes, failures printed at once, and the sum at the end."""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.sim.story import Outcome, play

PROGRESS_S = 15.0
CHUNK_SEEDS = 20
WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def one(seed: int, verbose: bool) -> int:
    """Play one seed and say how it went."""
    _quiet()
    began = time.process_time()
    outcome = play(seed, print if verbose else None)
    for problem in outcome.problems:
        print(f"PROBLEM {problem}")
    print(json.dumps(_row(outcome) | {"cpu_s": round(time.process_time() - began, 3)}, sort_keys=True))
    return 1 if outcome.problems else 0


def _quiet() -> None:
    """What the product logs is in the story as far as it matters."""
    logging.disable(logging.CRITICAL)


def _row(outcome: Outcome) -> dict:
    return {
        "seed": outcome.seed,
        "trace": outcome.trace,
        "problems": list(outcome.problems),
        "virtual_s": round(outcome.virtual_s, 1),
        "units": outcome.units,
        "packets": outcome.envelopes,
        "steps": outcome.steps,
        "faults": dict(sorted(outcome.counts.items())),
    }


def _play(seed: int) -> Outcome:
    try:
        return play(seed)
    except Exception as error:  # noqa: BLE001  a seed that breaks the simulation itself is a failing seed
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else ""
        said = f"{type(error).__name__}: {error} at {place}"
        return Outcome(seed, "", (said,), Counter(), 0.0, 0, 0, 0)


def _outcomes(seeds: range, jobs: int) -> Iterator[Outcome]:
    if jobs <= 1:
        yield from map(_play, seeds)
        return
    with ProcessPoolExecutor(jobs, initializer=_quiet) as pool:
        yield from pool.map(_play, seeds, chunksize=CHUNK_SEEDS)


def campaign(seeds: range, jobs: int, out: str | None) -> int:
    """Play them all; 1 if any failed."""
    _quiet()
    began = told = time.monotonic()
    total: Counter[str] = Counter()
    sums = {"seeds": 0, "virtual_s": 0.0, "units": 0, "packets": 0, "steps": 0}
    failed: list[int] = []
    for outcome in _outcomes(seeds, jobs):
        total.update(outcome.counts)
        for name, by in (("seeds", 1), ("virtual_s", outcome.virtual_s), ("units", outcome.units),
                         ("packets", outcome.envelopes), ("steps", outcome.steps)):  # fmt: skip
            sums[name] += by
        if outcome.problems:
            failed.append(outcome.seed)
            _failed(outcome, out)
        if time.monotonic() - told > PROGRESS_S:
            told = time.monotonic()
            print(f"{sums['seeds']} of {len(seeds)} seeds, {len(failed)} failed, {told - began:.0f} s", flush=True)
    row = {
        "first": seeds.start,
        **sums,
        "virtual_h": round(sums.pop("virtual_s") / 3600, 1),
        "faults": dict(sorted(total.items())),
        "failed": failed,
        "wall_s": round(time.monotonic() - began, 1),
        "cpu_s": round(sum(resource.getrusage(who).ru_utime + resource.getrusage(who).ru_stime for who in WHO), 1),
        "jobs": jobs,
    }
    row.pop("virtual_s", None)
    print(json.dumps(row, sort_keys=True), flush=True)
    if out:
        _write(out, row)
    return 1 if failed else 0


def _failed(outcome: Outcome, out: str | None) -> None:
    print(f"seed {outcome.seed} fails: {outcome.problems[0]}", file=sys.stderr)
    print(f"    replay: {Path(sys.executable).name} -m tests.sim --seed {outcome.seed} -v", file=sys.stderr, flush=True)
    if out:
        _write(out, _row(outcome))


def _write(out: str, row: dict) -> None:
    file = Path(out)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(row, sort_keys=True) + os.linesep)
