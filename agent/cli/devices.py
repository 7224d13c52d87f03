"""`wardlink devices`: what is plugged in or near, who was understood, what is being tried, and who was refused.

Asks the running gateway's status; needs no network and opens no port.
"""

from __future__ import annotations

import argparse

import msgspec

from agent.cli.status import last
from agent.health.status import PeerStatus, PortStatus, RadioStatus, StrangerStatus


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("devices", help="what is plugged in, and who understands it", description=__doc__)
    parser.add_argument("--runtime", default="/run/wardlink", metavar="FOLDER", help="default /run/wardlink")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    now = last(args.runtime)
    if args.json:
        print(msgspec.json.encode([*now.ports, *(now.radio.devices if now.radio else ())]).decode())
    else:
        rows = [*map(row, now.ports), *(radio_rows(now.radio) if now.radio else ())]
        print("\n".join(rows) or "nothing is plugged in, and no port is configured")
    return 0


def row(port: PortStatus) -> str:
    if not port.driver:
        return f"{port.path}  {port.state}"
    why = "pinned in the configuration" if port.pinned else "found by what it says"
    heard = "not heard yet" if port.heard_s is None else f"heard {port.heard_s:.1f} s ago"
    return f"{port.path}  {port.driver}, {why}, {port.state}, {heard}"


def radio_rows(radio: RadioStatus) -> list[str]:
    """Who may be connected, and who is near and may not."""
    rows = [f"radio: {radio.state}" + (f"; bonding: {radio.window}" if radio.window else "")]
    for one in radio.devices:
        heard = "not heard yet" if one.heard_s is None else f"heard {one.heard_s:.1f} s ago"
        rows.append(f"{_named(one)}  {one.driver}, {one.why}, {one.state}, {heard}")
    rows += [f"{_named(one)}  {one.driver or 'no driver'}, refused: {one.words}" for one in radio.strangers]
    return rows


def _named(one: PeerStatus | StrangerStatus) -> str:
    """Names come from the air: no letter of theirs may move a terminal's cursor."""
    name = "".join(letter if letter.isprintable() else "?" for letter in one.name[:32])
    return f"ble {one.address} {name}".rstrip()
