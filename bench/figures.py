"""Every figure that the documents name: `figures.py [--harness FOLDER] [--no-workloads]`.

Prints `name value unit` lines and writes them, with the command for each, to bench/figures.json. What is missing here
(records, captures, the harness) is said on stderr, and its figures are left out. Exit 1 when a bar is missed
(bench/results.py) or a measurement failed.
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

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import codec_figures, program_figures, results, workloads
from bench.program_figures import FigureError
from bench.results import Figure
from bench.scratch import ROOT, HarnessError

FILE = ROOT / "bench" / "figures.json"
Part = tuple[str, Callable[[], Iterable[Figure]] | str]


@dataclass(slots=True)
class Gaps:
    """What has no figures: it was not there, or it did not work."""

    left_out: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def folder(variable: str) -> Path | None:
    named = os.environ.get(variable)
    return Path(named) if named and Path(named).is_dir() else None


def parts(harness: Path | None, *, with_workloads: bool) -> Iterator[Part]:
    """(its figures, how to get them, or why that cannot be done here) of all that the documents name."""
    records, corpus = folder("WARDLINK_RECORDS"), folder("WARDLINK_CORPUS")
    yield "lines.*", program_figures.lines
    yield "tests", program_figures.tests
    yield "start_to_first_envelope", program_figures.start
    yield "decode.*", (lambda: program_figures.decoding(corpus)) if corpus else "WARDLINK_CORPUS names no folder"
    yield "codec.*", (lambda: codec_figures.of_records(records)) if records else "WARDLINK_RECORDS names no folder"
    no_harness = "--harness names no folder"
    yield "codec.bench-feed.*", (lambda: codec_figures.of_feed(harness)) if harness else no_harness
    for kind in workloads.KINDS if with_workloads else ():
        yield f"{kind.lower()}.*", partial(workload, harness, kind) if harness else no_harness
    if not with_workloads:
        yield "a.* to d.*, rss8", "--no-workloads"


def workload(harness: Path, kind: str) -> Iterable[Figure]:
    return workloads.measure(harness, workloads.Wish(only=(kind,)))


def measured(chosen: Iterable[Part], gaps: Gaps) -> Iterator[Figure]:
    """Each figure once it is known; what could not be had goes into `gaps` and to stderr."""
    for what, part in chosen:
        if isinstance(part, str):
            gaps.left_out.append(what)
            print(f"left out: {what}: {part}", file=sys.stderr, flush=True)
            continue
        try:
            yield from part()
        except (FigureError, HarnessError, OSError, subprocess.SubprocessError) as problem:
            gaps.failed.append(what)
            print(f"failed: {what}: {problem}", file=sys.stderr, flush=True)


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
    args = parser.parse_args()
    where = about()
    print(f"measured {where['date']}, {where['machine']}, Python {where['python']}, load {where['load']}", flush=True)
    figures: list[Figure] = []
    gaps = Gaps()
    harness = args.harness.resolve() if args.harness and args.harness.is_dir() else None
    for figure in measured(parts(harness, with_workloads=not args.no_workloads), gaps):
        figures.append(figure)
        print(figure.line(), flush=True)
    FILE.write_text(
        json.dumps(results.as_json(figures, gaps.left_out + gaps.failed, **where), indent=1) + "\n", encoding="utf-8"
    )
    lines = results.missed(figures)
    for line in lines:
        print(line, file=sys.stderr)
    return 1 if lines or gaps.failed else 0


if __name__ == "__main__":
    sys.exit(main())
