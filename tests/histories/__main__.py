"""`python -m tests.histories --histories 100000`: the centre's mapping of time against the truth of simulated years.

Prints the figures as JSON and appends them to docs/evidence/histories.jsonl with a hash of the code. Exit code 0: the
truth lies within what is said in 99.9 % of all instants, the median error on good links is at most 50 ms, nothing is
dated before the first release; and a device at 500.05 Hz, heard for `--rate-hours`, loses no sample, gains none, and is
measured within 5 ppm. 1: something of that.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.histories.campaign import Tally, figures, is_good, run
from tests.histories.rates import heard_for

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "evidence" / "histories.jsonl"
TRIED = (
    "centre/mapping.py",
    "centre/boots.py",
    "centre/pace.py",
    "centre/store/waves.py",
    "agent/exchange.py",
    "agent/pulse.py",
    "agent/sessions/session.py",
    "agent/sessions/track.py",
    "agent/sessions/ward.py",
    "wire/moment.py",
)
BLOCK_HISTORIES = 500
RATE_LIMIT_PPM = 5


def code() -> str:
    """A short hash of what is tried and what tries it."""
    digest = hashlib.sha256()
    for path in [*(ROOT / name for name in TRIED), *sorted(Path(__file__).parent.glob("*.py"))]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def rated(hours: int) -> dict[str, Any]:
    """TIM-10 over so many simulated hours."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = heard_for(hours * 3600, seed=1, folder=Path(folder))
    is_whole = found.sent == found.stored and not found.altered and found.gaps == [("device-silent", None)]
    return {
        "hours": hours,
        **asdict(found),
        "good": is_whole and abs(found.ppm) <= RATE_LIMIT_PPM,
        "seconds": round(time.monotonic() - begun, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.histories", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--histories", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first history")
    parser.add_argument("--rate-hours", type=int, default=24, help="0: not at all")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--out", type=Path, default=FILE)
    args = parser.parse_args()
    begun, tally = time.monotonic(), Tally()
    end = args.first + args.histories
    starts = range(args.first, end, BLOCK_HISTORIES)
    with ProcessPoolExecutor(args.jobs, get_context("spawn")) as pool:
        for done in pool.map(run, starts, [min(BLOCK_HISTORIES, end - start) for start in starts]):
            tally.join(done)
    rates = rated(args.rate_hours) if args.rate_hours else None
    good = is_good(tally) and (rates is None or rates["good"])
    said = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "campaign": "histories",
        "first": args.first,
        **figures(tally),
        "rates": rates,
        "good": good,
        "seconds": round(time.monotonic() - begun, 1),
        "jobs": args.jobs,
        "code": code(),
        "machine": f"{platform.machine()} Linux {platform.release()} Python {platform.python_version()}",
    }
    print(json.dumps(said, indent=2))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(said) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
