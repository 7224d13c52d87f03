"""`wardlink check [FILE]`: is this configuration one the gateway would run with? Touches nothing, needs no network.

FILE is gateway.toml, or wardlink.txt as it goes onto the boot partition: that is judged on a laptop as on the machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from agent.cli.run import DEFAULT_CONFIG
from agent.cli.talk import EX_CONFIG, plain

Facts = dict[str, object]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("check", help="check a configuration", description=__doc__)
    parser.add_argument("file", nargs="?", metavar="FILE", help="gateway.toml or wardlink.txt")
    parser.add_argument("--config", default=DEFAULT_CONFIG, metavar="FILE", help=f"default {DEFAULT_CONFIG}")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    file = Path(args.file or args.config)
    if file.suffix == ".txt":
        return _setup(file, as_json=args.json)
    _print(_gateway(file), as_json=args.json)
    return 0


def _gateway(file: Path) -> Facts:
    from agent import config, identity
    from agent.cli.talk import CommandError
    from agent.enrol import protection
    from agent.uplink.tls import LinkError, context

    found = config.load(file)
    keys = Path(found.keys)
    who = identity.load(keys, receipts=found.confirm == "receipt")
    try:
        if found.broker_tls:
            context(keys / "ca.crt", keys / "gateway.crt", identity.key_file(keys))
    except LinkError as error:
        raise CommandError(str(error), error.hint) from error
    return {
        "site": found.site,
        "gateway": who.gateway,
        "broker": found.broker,
        "key": protection.of(keys).words,
        "recipients": len(who.recipients),
        "receipts": "verified" if who.centres else "none",
        "ports": [" ".join((port.path, port.driver or port.probe, *port.drivers)) for port in found.port],
    }


def _setup(file: Path, *, as_json: bool) -> int:
    """All that is wrong, with its lines; exits 78 then."""
    from agent.judging import judged
    from agent.setup import preseed
    from agent.setup.read import SetupError
    from agent.setup.terms import KEPT, PRESEED_FILE

    imager = file.parent / PRESEED_FILE
    under, ignored = preseed.read(imager.read_bytes()) if imager.is_file() else ({}, [])
    try:
        setup = judged(file.read_bytes(), file.parent, under, laptop=True).setup
    except SetupError as error:
        if as_json:
            print(json.dumps({"errors": [{"line": f.line, "error": f.words, "hint": f.hint} for f in error.faults]}))
        for fault in error.faults:
            where = f"{file}:{fault.line}" if fault.line else str(file)
            print(f"error: {plain(f'{where}: {fault.words}')}\nhint: {plain(fault.hint)}\n", file=sys.stderr)
        return EX_CONFIG
    vouchers = {"": "none: this gateway must be enrolled already", KEPT: KEPT}
    ways = {"ethernet": True, "wifi": setup.wifi, "mobile": setup.mobile}
    facts: Facts = {
        "site": setup.site,
        "broker": setup.broker,
        "bed": setup.bed,
        "voucher": vouchers.get(setup.voucher, f"for {setup.site}, whole"),
        "language": setup.language,
        "network": ", then ".join(way for way in setup.order if ways[way]),
        "ssh": f"{len(setup.ssh_keys)} keys" if setup.ssh_keys else "nobody",
    }
    _print(facts | ({f"ignored of {PRESEED_FILE}": ignored} if ignored else {}), as_json=as_json)
    return 0


def _print(facts: Facts, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts))
        return
    for name, fact in facts.items():
        print(f"{name:10} {plain(', '.join(fact) if isinstance(fact, list) else str(fact))}")
