"""Every figure that the documents name: `figures.py [--harness FOLDER] [--no-workloads] [--only LIST]`.

Prints `name value unit` lines and writes them, with command and date, to bench/figures.json. What is missing
here (records, captures, the harness, root) is said on stderr, and its figures are left out. Exit 1 when a bar is missed
(bench/results.py and the modules of the long ones) or a measurement failed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agent.spool.terms import SpoolError
from bench import (
    backlog,
    backlog_figures,
    codec_figures,
    decode_speed,
    growth,
    program_figures,
    results,
    sealing,
    soak,
    spool_figures,
    workloads,
)
from bench.links import campaign, clocks
from bench.links.world import LinkMissingError
from bench.program_figures import FigureError
from bench.results import Figure
from bench.scratch import ROOT, HarnessError

FILE = ROOT / "bench" / "figures.json"
HELD = (results, spool_figures, backlog_figures, growth, soak, decode_speed, sealing, clocks)
BARS = {name: bar for part in HELD for name, bar in part.BARS.items()}
LONG = "--no-workloads"
MISSING = (LinkMissingError, backlog.BacklogError, SpoolError)  # no link, no room, no disk to measure on
TROUBLE = (FigureError, HarnessError, *MISSING, OSError, subprocess.SubprocessError)
Part = tuple[str, Callable[[], Iterable[Figure]] | str]


@dataclass(slots=True)
class Gaps:
    """What has no figures: it was not there, or it did not work."""

    left_out: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def folder(variable: str) -> Path | None:
    named = os.environ.get(variable)
    return Path(named) if named and Path(named).is_dir() else None


def parts(harness: Path | None, *, long: bool) -> Iterator[Part]:
    """(its figures, how to get them, or why that cannot be done here) of all that the documents name."""
    records, corpus = folder("WARDLINK_RECORDS"), folder("WARDLINK_CORPUS")
    yield "lines.*", program_figures.lines
    yield "tests", program_figures.tests
    yield "start_to_first_envelope", program_figures.start
    yield "decode.*", (lambda: program_figures.decoding(corpus)) if corpus else "WARDLINK_CORPUS names no folder"
    yield "decode_speed.*", lambda: decode_speed.figures().values()
    yield "sealing.*", sealing.hour
    yield "clock.*", lambda: (figure for profile in clocks.TOLD for figure in clocks.figures(profile))
    yield "codec.*", (lambda: codec_figures.of_records(records)) if records else "WARDLINK_RECORDS names no folder"
    no_harness = "--harness names no folder"
    yield "codec.bench-feed.*", (lambda: codec_figures.of_feed(harness)) if harness else no_harness
    for kind in workloads.KINDS if long else ():
        yield f"{kind.lower()}.*", partial(workload, harness, kind) if harness else no_harness
    if not long:
        yield "a.* to d.*, real.*, rss8, spool.*, backlog.*, day.*, links.*, soak.*", LONG
        return
    yield "spool.*", spool_figures.of_disk
    yield (
        "backlog.*",
        lambda: (figure for hours in backlog_figures.HOURS for figure in backlog_figures.of_backlog(hours)),
    )
    yield "day.*", lambda: growth.of_days(growth.DAYS)
    yield "links.*", campaign.figures
    yield "soak.*", (lambda: soak.soak(harness)) if harness else no_harness


def chosen(found: Iterable[Part], only: tuple[str, ...]) -> Iterator[Part]:
    """The parts whose names begin with one of these words; all where there is none."""
    return (part for part in found if not only or part[0].partition(".")[0] in only)


def workload(harness: Path, kind: str) -> Iterable[Figure]:
    return workloads.measure(harness, workloads.Wish(only=(kind,)))


def measured(wanted: Iterable[Part], gaps: Gaps) -> Iterator[Figure]:
    """Each figure once it is known; what could not be had goes into `gaps` and to stderr."""
    for what, part in wanted:
        if isinstance(part, str):
            gaps.left_out.append(what)
            print(f"left out: {what}: {part}", file=sys.stderr, flush=True)
            continue
        try:
            yield from part()
        except TROUBLE as problem:
            gaps.failed.append(what)
            print(f"failed: {what}: {problem}", file=sys.stderr, flush=True)


def before() -> dict[str, Any]:
    """What the file holds, with the date of each."""
    if not FILE.exists():
        return {}
    held: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return {name: {"date": held["date"], **figure} for name, figure in held["figures"].items()}


def about() -> dict[str, str]:
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(os.cpu_count() or 1, platform.machine()),
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.2f}",
    }


def machine(cores: int, architecture: str) -> str:
    return f"{cores}-core {architecture.replace('_', '-')} machine"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--harness", type=Path, help="the folder of the side-by-side harness")
    parser.add_argument("--no-workloads", action="store_true", help="leave out what takes minutes")
    parser.add_argument("--only", default="", metavar="LIST", help="of these alone: codec,a,b,links,soak,spool ...")
    args = parser.parse_args()
    where = about()
    print(f"measured {where['date']}, {where['machine']}, Python {where['python']}, load {where['load']}", flush=True)
    figures: list[Figure] = []
    gaps = Gaps()
    harness = args.harness.resolve() if args.harness and args.harness.is_dir() else None
    only = tuple(word for word in args.only.split(",") if word)
    for figure in measured(chosen(parts(harness, long=not args.no_workloads), only), gaps):
        figures.append(figure)
        print(figure.line(), flush=True)
    held = results.as_json(figures, gaps.left_out + gaps.failed, before() if only else {}, **where)
    FILE.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
    return max(results.verdict(figures, BARS), int(bool(gaps.failed)))


if __name__ == "__main__":
    sys.exit(main())
