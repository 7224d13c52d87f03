"""`python -m tests.fuzz --bytes 10000000 --seed 1 --jobs 2`: every driver hears bytes that no device would say.

Per driver one process and one line in docs/evidence/fuzz.jsonl. A driver that went through this seed as it is now is
passed over, so a run that was interrupted goes on where it stopped. Exit code 0: no exception, nothing said that the
contract or the driver's own Info forbids, memory growth below 5 MiB. 1: something of that; build/fuzz/ has the bytes.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from drivers import registry
from tests.fuzz import evidence
from tests.fuzz.campaign import attempt, is_good, summary


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bytes", type=int, default=10_000_000, help="for one long life of each driver")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--out", type=Path, default=evidence.FILE)
    parser.add_argument("--driver", action="append", help="this one alone; may be said again")
    args = parser.parse_args()
    wanted = args.driver or list(registry.ids())
    open_ones = [one for one in wanted if not evidence.done(args.out, one, args.seed, args.bytes)]
    print(f"{len(open_ones)} of {len(wanted)} drivers to do, {args.bytes} bytes each", flush=True)
    good = True
    with ProcessPoolExecutor(args.jobs, get_context("spawn"), max_tasks_per_child=1) as pool:
        for done in as_completed([pool.submit(attempt, one, args.seed, args.bytes) for one in open_ones]):
            one = done.result()
            evidence.write(args.out, one)
            good = good and is_good(one)
            print(summary(one), flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
