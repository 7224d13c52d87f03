"""`python -m bench.links profile NAME` and `python -m bench.links figures`."""

from __future__ import annotations

import argparse
import sys

from bench.links import check
from bench.links.profiles import PROFILES
from bench.links.world import LinkMissingError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.links", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("profile", help="what the simulator makes of a profile")
    one.add_argument("name", choices=sorted(PROFILES))
    one.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    try:
        print(check.promised(args.name), file=sys.stderr)
        for figure in check.figures(args.name, args.seed):
            print(figure.line(), flush=True)
    except LinkMissingError as error:
        print(f"error: {error}\n\nhint: run as root where /dev/net/tun is", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
