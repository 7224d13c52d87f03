"""Simulated gateways against the real broker and the real centre. The result is one line of JSON.

Exit 0: everything offered is stored, once. 1: it is not, or the rig failed. 2: arguments that make no sense.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import NoReturn

from bench.rig.campaign import steady
from bench.rig.cast import Setting
from bench.rig.limit import limit, room
from bench.rig.rings import Plan
from bench.rig.stage import Json, Load
from bench.rig.storm import SIGNALS, storm
from bench.scratch import HarnessError

TIME_LIMIT_S = 600
FLOODS_S = {"waves": 600.0, "numerics": 2000.0}  # more than one centre takes, and not so much that it takes all day


def main() -> int:
    args = _arguments()
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, _stop)
    signal.alarm(args.limit)
    try:
        found = {"rig": args.verb, **_found(args)}
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        signal.alarm(0)
    line = json.dumps(found)
    print(line)
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        with args.out.open("a", encoding="utf-8") as out:
            out.write(line + "\n")
    return 0 if found["good"] else 1


def _found(args: argparse.Namespace) -> Json:
    setting = Setting(args.tls, args.store, args.consumers, args.profile)

    def plan(count: int) -> Plan:
        return Plan(args.gateways, count, args.senders, args.seed, args.bed)

    if args.verb == "limit":
        flood_s = args.flood or FLOODS_S[args.bed]
        return limit(plan(room(flood_s, args.gateways)), setting, flood_s)
    load = Load(args.rate, args.seconds, args.drain)
    if args.verb == "storm":
        return storm(plan(load.count), setting, load, args.fault, args.away)
    return steady(plan(load.count), setting, load)


def _stop(number: int, _frame: object) -> NoReturn:
    raise HarnessError("told to end" if number == signal.SIGTERM else "over the limit of time")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.rig", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="a steady load")
    storms = verbs.add_parser("storm", help="the broker ends with everybody connected, and comes back")
    limits = verbs.add_parser("limit", help="the greatest load that this machine keeps up with")
    for verb in (run, storms, limits):
        _shared(verb)
    for verb, rate, seconds in ((run, 0.5, 60.0), (storms, 0.02, 150.0)):
        verb.add_argument("--rate", type=float, default=rate, help=f"envelopes a second of each (default {rate})")
        verb.add_argument("--seconds", type=float, default=seconds, help=f"how long they come (default {seconds:g})")
        verb.add_argument("--drain", type=float, default=240.0, help="seconds the rest is waited for (default 240)")
    storms.add_argument("--fault", choices=sorted(SIGNALS), default="kill")
    storms.add_argument("--away", type=float, default=10.0, help="seconds without a broker (default 10)")
    told = ", ".join(f"{bed} {much:g}" for bed, much in FLOODS_S.items())
    limits.add_argument("--flood", type=float, help=f"envelopes a second, too many for it (default: {told})")
    return parser.parse_args()


def _shared(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--gateways", type=int, default=10_000)
    verb.add_argument("--bed", choices=("waves", "numerics"), default="waves", help="what they say (default waves)")
    verb.add_argument("--tls", action="store_true", help="mutual TLS 1.3, each gateway with its certificate")
    verb.add_argument("--store", choices=("sqlite", "postgresql", "hollow"), default="sqlite")
    verb.add_argument("--consumers", type=int, default=1, help="centres that share (needs postgresql; default 1)")
    verb.add_argument("--senders", type=int, default=2, help="processes of the rig (default 2)")
    verb.add_argument("--seed", type=int, default=1)
    verb.add_argument("--limit", type=int, default=TIME_LIMIT_S, help="seconds until it gives up (default 600)")
    verb.add_argument("--profile", type=Path, help="file for where the centre's processor time went")
    verb.add_argument("--out", type=Path, help="append the result as a line of JSON")


if __name__ == "__main__":
    sys.exit(main())
