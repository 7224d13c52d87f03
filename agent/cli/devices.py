"""`wardlink devices`: what is plugged in, who was understood on it, and what is being tried.

Asks the running gateway's status; needs no network and opens no port.
"""

from __future__ import annotations

import argparse

import msgspec

from agent.cli.status import last
from agent.health.status import PortStatus


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("devices", help="what is plugged in, and who understands it", description=__doc__)
    parser.add_argument("--runtime", default="/run/wardlink", metavar="FOLDER", help="default /run/wardlink")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    ports = last(args.runtime).ports
    if args.json:
        print(msgspec.json.encode(ports).decode())
    else:
        print("\n".join(map(row, ports)) or "nothing is plugged in, and no port is configured")
    return 0


def row(port: PortStatus) -> str:
    if not port.driver:
        return f"{port.path}  {port.state}"
    why = "pinned in the configuration" if port.pinned else "found by what it says"
    heard = "not heard yet" if port.heard_s is None else f"heard {port.heard_s:.1f} s ago"
    return f"{port.path}  {port.driver}, {why}, {port.state}, {heard}"
