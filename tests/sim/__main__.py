"""`python -m tests.sim --seed 7` replays one story; `--seeds 10000` plays many (docs/simulation.md)."""

from __future__ import annotations

import argparse
import sys

from tests.sim.campaign import campaign, one


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this one")
    parser.add_argument("-v", "--verbose", action="store_true", help="print the story line by line")
    parser.add_argument("--seeds", type=int, default=1000, help="how many to play")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--out", help="append a line of JSON for the whole campaign, and for each failing seed")
    args = parser.parse_args()
    if args.seed is not None:
        return one(args.seed, args.verbose)
    return campaign(range(args.first, args.first + args.seeds), args.jobs, args.out)


if __name__ == "__main__":
    sys.exit(main())
