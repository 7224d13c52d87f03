"""`wardlink centre run`: the centre's side, for whoever installed `wardlink[centre]`."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from agent.cli.run import set_up_log
from agent.cli.talk import CommandError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("centre", help="the centre's side", description=__doc__)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    runs = verbs.add_parser("run", help="receive, store, show")
    runs.add_argument("--config", default="/etc/wardlink/centre.toml", metavar="FILE")
    runs.add_argument("--json", action="store_true", help="log lines as JSON")
    runs.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    set_up_log(args.json)
    try:
        config = importlib.import_module("centre.config")
        room = importlib.import_module("centre.run")
    except ModuleNotFoundError as error:
        raise CommandError(
            f"the centre's packages are missing: {error.name}", "pip install 'wardlink[centre]'"
        ) from error
    code: int = room.run(config.read(Path(args.config)))
    return code
