"""`wardlink devices`: what is plugged in and where, who was understood on it and why, what was tried and asked.

Asks the running gateway's status; needs no network and opens no port.
"""

from __future__ import annotations

import argparse

import msgspec

from agent.cli.status import last
from agent.health.status import AskedStatus, PortStatus


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
    """One port: where, who and why, what was tried."""
    where = f"  {port.adapter or 'adapter'} at {port.place}" if port.place else ""
    lines = [f"{port.path}{where}"]
    if port.driver:
        heard = "not heard yet" if port.heard_s is None else f"heard {port.heard_s:.1f} s ago"
        lines += [f"  {port.driver}, {port.state}, {heard}", f"  why    {port.why}"]
    else:
        lines.append(f"  {port.state}")
    if port.tried:
        lines.append(f"  tried  {', '.join(port.tried)}: bytes came that nobody understood")
    if port.asked:
        lines.append(f"  asked  {'; '.join(map(_asked, port.asked))}")
    return "\n".join(lines)


def _asked(one: AskedStatus) -> str:
    return f"{one.driver} at {one.line} ({one.requests} requests, {one.sent_bytes} bytes)"
