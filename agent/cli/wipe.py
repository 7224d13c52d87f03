"""`wardlink wipe ID`: take this gateway out of use. Destroys its key and all that is on it, and gives a signed receipt.

ID is its own id, as `wardlink enrol label` prints it, so that the wrong box is not wiped by habit. It cannot be undone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.cli.run import DEFAULT_CONFIG


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("wipe", help="take the gateway out of use", description=__doc__)
    parser.add_argument("gateway", metavar="ID", help="the id of this gateway")
    parser.add_argument("--config", default=DEFAULT_CONFIG, metavar="FILE", help=f"default {DEFAULT_CONFIG}")
    parser.add_argument("--receipt", type=Path, metavar="FILE", help="write the receipt there too, on a stick")
    parser.add_argument("--even-unsent", action="store_true", help="also what the centre has not confirmed")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from agent import clock, config, enrolling, wiping
    from agent.cli.talk import CommandError
    from agent.spool.terms import SpoolError

    found = config.load(Path(args.config))
    place = wiping.Place(Path(found.keys), Path(found.state), Path(found.runtime), found.site)
    own = enrolling.gateway(place.keys)
    if args.gateway != own:
        raise CommandError(f"this gateway is {own}, not {args.gateway}", "nothing was touched")
    surely = clock.passed_utc(clock.anchor())
    try:
        receipt = wiping.wipe(place, args.receipt, even_unsent=args.even_unsent, utc=clock.unix_us(), surely=surely)
    except (wiping.WipeError, SpoolError) as error:
        raise CommandError(str(error), error.hint) from error
    print(receipt, end="")
    return 0
