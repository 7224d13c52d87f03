"""Half an hour with eight devices: does the gateway grow? `soak.py HARNESS [--minutes 30]`.

Prints `name value unit` lines; a line of progress each minute goes to stderr. The first sixth is not judged: that long
it takes until every buffer has been as large as it gets. Exit 1 when a bar is missed, 2 when there was no run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.resident import bedside, resident_mib
from bench.results import Figure, verdict
from bench.scratch import HarnessError, Scratch

EVERY_S = 2.0
TOLD_EVERY = 30  # looks
MINUTES = 30.0
SETTLING = 1 / 6  # of the run
COMMAND = "python bench/soak.py HARNESS"
BARS = {"soak.rss_slope": 1.0, "soak.fds_grown": 0.0, "soak.threads_grown": 0.0, "soak.overrun": 0.0}


class Look(NamedTuple):
    """One process at one moment."""

    at_s: float
    rss_mib: float
    fds: int
    threads: int


def look(pid: int, began: float) -> Look:
    here = Path(f"/proc/{pid}")
    fds = sum(1 for _ in (here / "fd").iterdir())
    threads = sum(1 for _ in (here / "task").iterdir())
    return Look(time.monotonic() - began, resident_mib(pid), fds, threads)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Least squares: y for each x. 0 where there are not two different x."""
    if not points:
        return 0.0
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


def grown(counts: Sequence[int]) -> float:
    """How many more there usually are in the last third than in the first: a file that is open for a moment is none."""
    third = max(1, len(counts) // 3)
    return median(counts[-third:]) - median(counts[:third])


def judged(looks: Sequence[Look], command: str) -> Iterator[Figure]:
    """The figures of a run, its beginning left out."""
    steady = [one for one in looks if one.at_s >= looks[-1].at_s * SETTLING]
    yield Figure("soak.minutes", round(looks[-1].at_s / 60, 1), "min", command)
    yield Figure(
        "soak.rss_slope", round(slope([(one.at_s / 3600, one.rss_mib) for one in steady]), 3), "MiB/h", command
    )
    yield Figure("soak.rss_end", round(looks[-1].rss_mib, 1), "MiB", command)
    yield Figure("soak.fds", median(one.fds for one in steady), "files", command)
    yield Figure("soak.fds_grown", grown([one.fds for one in steady]), "files", command)
    yield Figure("soak.threads", median(one.threads for one in steady), "threads", command)
    yield Figure("soak.threads_grown", grown([one.threads for one in steady]), "threads", command)


def soak(harness: Path, minutes: float = MINUTES) -> Iterator[Figure]:
    """Raises HarnessError, OSError."""
    command = f"{COMMAND} --minutes {minutes:g}"
    looks: list[Look] = []
    with Scratch(harness) as scratch, bedside(scratch) as bed:
        bed.feed()
        began = time.monotonic()
        for pid in bed.looks(minutes * 60, EVERY_S):
            looks.append(look(pid, began))
            if len(looks) % TOLD_EVERY == 0:
                tell(looks[-1])
        overruns = bed.overruns()
    yield from judged(looks, command)
    yield Figure("soak.overrun", overruns, "frames", command)


def tell(one: Look) -> None:
    said = f"{one.at_s / 60:5.1f} min  {one.rss_mib:6.2f} MiB  {one.fds} files  {one.threads} threads"
    print(said, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("harness", type=Path, metavar="HARNESS", help="the folder of the side-by-side harness")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    args = parser.parse_args()
    try:
        figures = list(soak(args.harness.resolve(), args.minutes))
    except (HarnessError, OSError) as problem:
        print(f"error: {problem}\nhint: see bench/README.md for what the harness needs", file=sys.stderr)
        return 2
    for figure in figures:
        print(figure.line(), flush=True)
    return verdict(figures, BARS)


if __name__ == "__main__":
    sys.exit(main())
