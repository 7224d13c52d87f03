"""The real gateway, killed with SIGKILL at any instant, thousands of times; its books must close every time.

    python -m tests.crash.campaign kills [--kills 10000] [--seed 1] [--jobs 2] [--out docs/evidence/kills.jsonl]

Several gateways are fed and killed side by side (tests/crash/lane.py), two of each three with segments so small that
they are used again all the time, and every other one with a broker and a centre. It proves the process, not the power.
Adds a line to the evidence; prints what all lines of it add up to. Exit 1: a gateway broke a promise; its folder is
kept and named, with the seed.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.system.gateway_rig import Mosquitto

ROOT = Path(__file__).parents[2]
EVIDENCE = ROOT / "docs" / "evidence" / "kills.jsonl"
LANES_A_JOB = 3  # a gateway mostly waits for its disk and for its death
SAY_S = 30.0
FAULTS = (
    "accepted_lost", "samples_lost", "samples_doubled", "disordered", "numerics_lost", "numerics_doubled",
    "vanished", "numbered_twice", "invariants_broken",
)  # fmt: skip
SUMMED = (
    "kills", "lives", "execs", "accepted", "samples", "numerics", "evicted", "in_hand", "early", "overrun", *FAULTS,
)  # fmt: skip


@dataclass
class Running:
    """One lane, and the last line it said."""

    name: str
    process: subprocess.Popen[str]
    said: dict[str, Any]


def command(folder: Path, number: int, lanes: int, args: argparse.Namespace, broker: int) -> list[str]:
    kills = args.kills // lanes + (number < args.kills % lanes)
    words = [str(folder / f"lane-{number}"), "--seed", f"{args.seed}/{number}", "--kills", str(kills)]
    words += ["--small"] * (number % 3 != 2) + (["--broker", str(broker)] if number % 2 else [])
    if number % 3 != 2:  # each start says all that was ever evicted: soon there is nothing else in a small spool
        words += ["--harvest-lives", "1"]
    words += ["--settle-lives", str(args.settle_lives), "--exec-lives", str(args.exec_lives)]
    return [sys.executable, "-m", "tests.crash.lane", *words]


@contextmanager
def lanes_of(folder: Path, args: argparse.Namespace) -> Iterator[list[Running]]:
    """All lanes, and their broker; none of them is left behind."""
    mosquitto = Mosquitto(folder)
    mosquitto.start()
    count = min(args.jobs * LANES_A_JOB, args.kills)
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    running = []
    try:
        for number in range(count):
            words = command(folder, number, count, args, mosquitto.port)
            process = subprocess.Popen(words, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, process_group=0)
            running.append(Running(f"lane-{number}", process, {}))
        yield running
        for lane in running:
            lane.process.wait()
    finally:
        for lane in running:
            if lane.process.returncode is None:
                os.killpg(lane.process.pid, signal.SIGKILL)  # with the gateway that it has
                lane.process.wait()
        mosquitto.stop()


def follow(running: list[Running]) -> None:
    """Until all have ended, saying now and then how far they are."""
    began = said_at = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for lane in running:
            selector.register(lane.process.stdout, selectors.EVENT_READ, lane)
        while selector.get_map():
            for key, _ in selector.select(SAY_S):
                line = key.data.process.stdout.readline()
                if line:
                    key.data.said = json.loads(line)
                else:
                    selector.unregister(key.fileobj)
            if time.monotonic() - said_at > SAY_S:
                said_at = time.monotonic()
                done = total(lane.said for lane in running)
                print(f"{said_at - began:.0f} s: {done['kills']} kills, {faults(done) or 'no fault'}", flush=True)


def total(lines: Iterator[dict[str, Any]] | Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Numbers added up, phases too."""
    out: Counter[str] = Counter(dict.fromkeys(SUMMED, 0))
    phases: Counter[str] = Counter()
    for line in lines:
        out.update({name: line.get(name, 0) for name in SUMMED})
        phases.update(line.get("phases", {}))
    return {**out, "phases": dict(sorted(phases.items()))}


def faults(line: dict[str, Any]) -> str:
    return ", ".join(f"{name} {line[name]}" for name in FAULTS if line[name])


def report(line: dict[str, Any]) -> str:
    """In words, one fact a line."""
    phases = ", ".join(f"{count} {name}" for name, count in line["phases"].items())
    return (
        f"kills {line['kills']} in {line['lives']} lives ({phases})\n"
        f"envelopes accepted {line['accepted']}, accepted and lost {line['accepted_lost'] + line['vanished']}, "
        f"evicted and told {line['evicted']}\n"
        f"samples written {line['samples']}, lost {line['samples_lost']}, doubled {line['samples_doubled']}, "
        f"out of order {line['disordered']}\n"
        f"samples in hand at a kill {line['in_hand']}, not taken by the line {line['overrun']}\n"
        f"readings {line['numerics']}, lost {line['numerics_lost']}, doubled {line['numerics_doubled']}\n"
        f"numbers used twice {line['numbered_twice']}, invariants of the spool broken {line['invariants_broken']}"
    )


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help=f"{LANES_A_JOB} gateways each")
    parser.add_argument("--out", type=Path, default=EVIDENCE, help="a line is added; added up over runs")
    parser.add_argument("--settle-lives", type=int, default=48, help="the books are closed each so many lives")
    parser.add_argument("--exec-lives", type=int, default=25, help="each so many lives the program is loaded anew")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = arguments(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # no gateway is left behind
    folder = Path(tempfile.mkdtemp(prefix="wardlink-kills-"))
    began = time.monotonic()
    with lanes_of(folder, args) as running:
        follow(running)
    problems = [f"{lane.name}: {lane.said.get('problem', 'it ended')}" for lane in running if lane.process.returncode]
    line = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "campaign": "kills", "seed": args.seed}
    line |= {"jobs": args.jobs, "seconds": round(time.monotonic() - began), "problems": problems}
    line |= total([lane.said for lane in running])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("a", encoding="utf-8") as evidence:
        evidence.write(json.dumps(line) + "\n")
    print(report(line))
    earlier = [json.loads(text) for text in args.out.read_text(encoding="utf-8").splitlines()]
    if len(earlier) > 1:
        print(f"with {len(earlier) - 1} earlier runs:\n{report(total(earlier))}")
    if problems:
        print("\n".join([f"FAILED, seed {args.seed}, kept in {folder}", *problems]), file=sys.stderr)
        return 1
    for left in folder.iterdir():
        left.unlink()  # the broker's configuration; the lanes took theirs with them
    folder.rmdir()
    return 0


if __name__ == "__main__":
    sys.exit(main())
