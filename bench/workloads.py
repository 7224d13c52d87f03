"""wardlink and some peers on the workloads of the side-by-side harness: `workloads.py HARNESS`.

Prints `name value unit` lines; progress goes to stderr. Exit 1 when a bar is missed (bench/results.py), 2 when a run
could not be made. bench/README.md explains the figures.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import real_feed, resident, results
from bench.results import REAL, Figure
from bench.scratch import OURS, HarnessError, Scratch

RSS8 = "rss8"
COMMAND = "python bench/workloads.py HARNESS"
KINDS = (*results.WORKLOADS, REAL, RSS8)
PEERS = "outbox-enc,naive-tick"
LENGTHS_S = {"A": 60.0, "B": 60.0, "C": 60.0, "D": 60.0, REAL: 60.0, RSS8: 30.0}  # of feed; of C and D, of the outage


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be measured; `seconds` replaces the length of the feed (A, B, rss8) and of the outage (C, D)."""

    only: tuple[str, ...] = KINDS
    peers: tuple[str, ...] = tuple(PEERS.split(","))
    seconds: float | None = None
    runs: int = 1

    def length_s(self, kind: str) -> float:
        return self.seconds or LENGTHS_S[kind]


def measure(harness: Path, wish: Wish) -> Iterator[Figure]:
    """Figure after figure, as they are known. Raises HarnessError, OSError."""
    with Scratch(harness) as scratch:
        for kind in wish.only:
            if kind == REAL:
                yield from real(harness, wish)
            else:
                yield from memory(scratch, wish) if kind == RSS8 else one_workload(scratch, kind, wish)


def real(harness: Path, wish: Wish) -> Iterator[Figure]:
    """Workload A on a record of WARDLINK_RECORDS; nothing where that names no folder."""
    records = os.environ.get("WARDLINK_RECORDS", "")
    if not Path(records).is_dir() or not records:
        print(f"{REAL} left out: WARDLINK_RECORDS names no folder", file=sys.stderr)
        return
    with Scratch(harness) as scratch:
        real_feed.play(scratch, Path(records))
        answers = []
        for turn in range(wish.runs):
            say(f"{REAL} run {turn + 1} of {wish.runs}", wish.length_s(REAL))
            answers.append(scratch.run(OURS, "A", wish.length_s(REAL)))
    command = f"WARDLINK_RECORDS=FOLDER {COMMAND} --only {REAL} --seconds {wish.length_s(REAL):g}"
    yield from results.of_workload(REAL, answers, command)


def memory(scratch: Scratch, wish: Wish) -> Iterator[Figure]:
    runs = []
    for turn in range(wish.runs):
        say(f"{RSS8} run {turn + 1} of {wish.runs}", wish.length_s(RSS8))
        runs.append(resident.rss8(scratch, wish.length_s(RSS8)))
    for same in zip(*runs, strict=True):
        name = same[0].name.rpartition(".")[2]
        yield replace(same[0], value=results.of_runs(name, [figure.value for figure in same]))


def one_workload(scratch: Scratch, workload: str, wish: Wish) -> Iterator[Figure]:
    """Ours and the peers take turns, so that what else the machine does falls on all of them."""
    peers = wish.peers if workload in results.STEADY else ()
    command = f"{COMMAND} --only {workload} --seconds {wish.length_s(workload):g}"
    command += f" --peers {','.join(peers)}" if peers else ""
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in (OURS, *peers)}
    for turn in range(wish.runs):
        for name, given in answers.items():
            say(f"{workload} {name} run {turn + 1} of {wish.runs}", wish.length_s(workload))
            given.append(scratch.run(name, workload, wish.length_s(workload)))
    figures = results.of_workload(workload, answers[OURS], command)
    for peer in peers:
        figures += results.of_peer(peer, workload, answers[peer], command)
        figures += results.ratio(peer, workload, figures, command)
    yield from figures


def say(what: str, seconds: float) -> None:
    print(f"{what}: {seconds:g} s and more, load {os.getloadavg()[0]:.2f}", file=sys.stderr, flush=True)


def names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def kinds(text: str) -> tuple[str, ...]:
    wanted = names(text)
    unknown = set(wanted) - set(KINDS)
    if unknown:
        raise argparse.ArgumentTypeError(f"not {', '.join(sorted(unknown))}; choose from {', '.join(KINDS)}")
    return wanted


def read(words: Sequence[str] | None = None) -> tuple[Path, Wish]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("harness", type=Path, metavar="HARNESS", help="the folder of the side-by-side harness")
    parser.add_argument("--only", type=kinds, default=KINDS, metavar="LIST", help=f"of {','.join(KINDS)}")
    parser.add_argument("--peers", type=names, default=names(PEERS), metavar="LIST", help=f"on A and B; {PEERS}")
    parser.add_argument("--seconds", type=float, help="of feed (A, B, rss8) and of outage (C, D)")
    parser.add_argument("--runs", type=int, default=1, help="of each workload; medians are printed, losses at worst")
    args = parser.parse_args(words)
    return args.harness.resolve(), Wish(args.only, args.peers, args.seconds, max(1, args.runs))


def main() -> int:
    harness, wish = read()
    figures = []
    try:
        for figure in measure(harness, wish):
            figures.append(figure)
            print(figure.line(), flush=True)
    except (HarnessError, OSError, subprocess.SubprocessError) as problem:
        print(f"error: {problem}\nhint: see bench/README.md for what the harness needs", file=sys.stderr)
        return 2
    return results.verdict(figures)


if __name__ == "__main__":
    sys.exit(main())
