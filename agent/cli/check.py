"""`wardlink check`: is this configuration one the gateway would run with? Touches nothing, needs no network."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from agent.cli.run import DEFAULT_CONFIG


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("check", help="check a configuration", description=__doc__)
    parser.add_argument("--config", default=DEFAULT_CONFIG, metavar="FILE", help=f"default {DEFAULT_CONFIG}")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from agent import config, identity
    from agent.cli.talk import CommandError
    from agent.enrol import protection
    from agent.uplink.tls import LinkError, context

    found = config.load(Path(args.config))
    keys = Path(found.keys)
    who = identity.load(keys, receipts=found.confirm == "receipt")
    try:
        if found.broker_tls:
            context(keys / "ca.crt", keys / "gateway.crt", identity.key_file(keys))
    except LinkError as error:
        raise CommandError(str(error), error.hint) from error
    facts = {
        "site": found.site,
        "gateway": who.gateway,
        "broker": found.broker,
        "key": protection.of(keys).words,
        "recipients": len(who.recipients),
        "receipts": "verified" if who.centres else "none",
        "ports": [" ".join((port.path, port.driver or port.probe, *port.drivers)) for port in found.port],
    }
    if args.json:
        print(json.dumps(facts))
    else:
        for name, fact in facts.items():
            print(f"{name:10} {', '.join(fact) if isinstance(fact, list) else fact}")
    return 0
