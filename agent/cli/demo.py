"""`wardlink demo`: devices, gateway, broker, centre and page on this machine, and the proof that nothing was lost."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("demo", help="show the whole path", description=__doc__)
    parser.add_argument("--seconds", type=float, default=0, help="end by itself, with the proof; default: Ctrl-C")
    parser.add_argument("--kill-broker", action="store_true", help="kill the broker in the middle")
    parser.add_argument("--kill-gateway", action="store_true", help="kill the gateway in the middle")
    parser.add_argument("--screenshot", type=Path, metavar="FILE", help="a picture of the bed page, by chromium")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from agent.cli.talk import CommandError
    from agent.lab import demo
    from agent.lab.programs import ProgramError

    plan = demo.Plan(args.seconds, args.kill_broker, args.kill_gateway, args.screenshot)
    try:
        return asyncio.run(demo.run(plan))
    except ProgramError as error:
        raise CommandError(str(error), error.hint) from error
