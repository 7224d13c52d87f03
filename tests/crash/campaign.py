"""One entry for everything that breaks the spool on purpose.

python -m tests.crash.campaign power --points 10000 --seed 1 --jobs 2
python -m tests.crash.campaign power --seed 1 --point 4711
python -m tests.crash.campaign kills --kills 10000 --seed 1 --jobs 2

Exit code 0: nothing accepted was lost. 1: something was, and the line says how to see it again. 3: not on this machine.
A run that was interrupted (Ctrl-C) writes down what it did; started again with the same seed it goes on from there.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path

from tests.crash import evidence
from tests.crash.outcome import Campaign, Outcome

CAMPAIGNS = {  # each module has a `CAMPAIGN`
    "power": "tests.crash.power",
    "faults": "tests.crash.faults",
    "flips": "tests.crash.flips",
    "cuts": "tests.crash.cuts",
}
KILLS = "kills"  # has no points that can be tried alone, so a program of its own: tests/crash/kills.py
PROGRESS_S = 10.0
SHOWN_FAILURES = 10


class Run:
    """Hands out parts in order, so that what is done is always the first so many points."""

    def __init__(self, name: str, seed: int, jobs: int) -> None:
        self.outcome = Outcome()
        self._name, self._seed, self._jobs = name, seed, jobs
        self._stopping = False
        self._started = self._said = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def stop(self, *_: object) -> None:
        self._stopping = True

    def over(self, first: int, end: int, part_points: int) -> None:
        parts = parts_of(first, end, part_points)
        with ProcessPoolExecutor(self._jobs, get_context("fork"), initializer=_leave_signals) as pool:
            running: set[Future[Outcome]] = set()
            while True:
                while not self._stopping and len(running) < self._jobs and (part := next(parts, None)):
                    running.add(pool.submit(attempt, self._name, self._seed, part))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    self.outcome.add(future.result())
                self._progress(end - first)

    def _progress(self, wanted: int) -> None:
        now = time.monotonic()
        if now - self._said >= PROGRESS_S:
            self._said = now
            print(f"{self._name}: {self.outcome.points} of {wanted} points, {self._tail()}", flush=True)

    def _tail(self) -> str:
        out = self.outcome
        rate = out.points / self.seconds
        return f"accepted and lost {out.lost}, failed points {len(out.failures)}, {rate:.1f} points/s"

    def summary(self) -> str:
        found = " ".join(f"{name}={count}" for name, count in sorted(self.outcome.counts.items()))
        slow = self.outcome.slowest_open_s
        return f"{self._name}: {self.outcome.points} points, {self._tail()}, slowest open {slow:.3f} s; {found}"


def parts_of(first: int, end: int, part_points: int) -> Iterator[range]:
    """`first..end`, cut where the parts begin."""
    while first < end:
        stop = min(end, (first // part_points + 1) * part_points)
        yield range(first, stop)
        first = stop


def load(name: str) -> Campaign:
    campaign = importlib.import_module(CAMPAIGNS[name]).CAMPAIGN
    assert isinstance(campaign, Campaign)
    return campaign


def attempt(name: str, seed: int, part: range) -> Outcome:
    return load(name).attempt(seed, part)


def main(argv: list[str]) -> int:
    if argv[:1] == [KILLS]:
        return int(importlib.import_module("tests.crash.kills").main(argv[1:]))
    asked = _arguments(argv)
    campaign = load(asked.name)
    if reason := campaign.why_not():
        print(f"{asked.name}: cannot run here: {reason}")
        return 3
    total = asked.points or campaign.points
    if campaign.exhaustive:
        total = min(total, campaign.points)
    first = asked.first if asked.first is not None else evidence.done(asked.out, asked.name, asked.seed)
    if asked.point is not None:
        first, total = asked.point, asked.point + 1
    run = Run(asked.name, asked.seed, asked.jobs)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, run.stop)
    if asked.point is None and first:
        print(f"{asked.name}: going on from point {first} of {total}", flush=True)
    run.over(first, total, campaign.part_points)
    for point, text in sorted(run.outcome.failures)[:SHOWN_FAILURES]:
        print(f"{asked.name} --seed {asked.seed} --point {point}: {text}")
    if asked.point is None and run.outcome.points:
        evidence.write(asked.out, asked.name, asked.seed, first, asked.jobs, run.seconds, run.outcome)
    print(run.summary())
    return 1 if run.outcome.failures else 0


def _leave_signals() -> None:
    """The first process decides when to stop."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.crash.campaign", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", choices=sorted([*CAMPAIGNS, KILLS]))
    parser.add_argument("--points", "--count", type=int, help="how many in all, with those of earlier runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--first", type=int, help="the first point; else where an earlier run with this seed stopped")
    parser.add_argument("--point", type=int, help="only this one; nothing is written down")
    parser.add_argument("--out", type=Path, default=evidence.FILE)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
