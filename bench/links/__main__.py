"""`python -m bench.links profile NAME` and `python -m bench.links figures`."""

from __future__ import annotations

import argparse
import sys

from bench.links import campaign, check
from bench.links.profiles import PROFILES
from bench.links.scenarios import Plan
from bench.links.world import LinkMissingError
from bench.scratch import HarnessError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.links", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("profile", help="what the simulator makes of a profile")
    one.add_argument("name", choices=sorted(PROFILES))
    one.add_argument("--seed", type=int, default=1)
    many = commands.add_parser("figures", help="the real programs on every profile, about a quarter of an hour")
    many.add_argument("--seed", type=int, default=1)
    many.add_argument("--only", default="", metavar="WORD", help="p1-live, p1-drain, p2 to p6, volume")
    args = parser.parse_args()
    try:
        if args.command == "profile":
            print(check.promised(args.name), file=sys.stderr)
            found = check.figures(args.name, args.seed)
        else:
            found = campaign.figures(Plan(seed=args.seed), args.only)
        for figure in found:
            print(figure.line(), flush=True)
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except LinkMissingError as error:
        print(f"error: {error}\n\nhint: run as root where /dev/net/tun is", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
