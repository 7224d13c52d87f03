"""`wardlink devices`: what is plugged in or near, who was understood and why, what was tried, asked and refused.

Asks the running gateway's status; needs no network and opens no port.
"""

from __future__ import annotations

import argparse

import msgspec

from agent.cli.status import last
from agent.cli.talk import plain
from agent.health.status import AskedStatus, PeerStatus, PortStatus, RadioStatus, StrangerStatus

NAME_LIMIT_LETTERS = 32


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
    """One port: where, who and why, what was tried."""
    where = f"  {plain(port.adapter) or 'adapter'} at {plain(port.place)}" if port.place else ""
    lines = [f"{plain(port.path)}{where}"]
    if port.driver:
        lines += [f"  {port.driver}, {plain(port.state)}, {_heard(port.heard_s)}", f"  why    {plain(port.why)}"]
    else:
        lines.append(f"  {plain(port.state)}")
    if port.tried:
        lines.append(f"  tried  {', '.join(port.tried)}: bytes came that nobody understood")
    if port.asked:
        lines.append(f"  asked  {'; '.join(map(_asked, port.asked))}")
    return "\n".join(lines)


def _asked(one: AskedStatus) -> str:
    return f"{one.driver} at {one.line} ({one.requests} requests, {one.sent_bytes} bytes)"


def _heard(heard_s: float | None) -> str:
    return "not heard yet" if heard_s is None else f"heard {heard_s:.1f} s ago"


def radio_rows(radio: RadioStatus) -> list[str]:
    """Who may be connected, and who is near and may not."""
    rows = [plain(f"radio: {radio.state}" + (f"; bonding: {radio.window}" if radio.window else ""))]
    rows += [
        f"{_named(one)}\n  {one.driver}, {plain(one.state)}, {_heard(one.heard_s)}\n  why    {plain(one.why)}"
        for one in radio.devices
    ]
    rows += [f"{_named(one)}\n  {one.driver or 'no driver'}, refused: {plain(one.words)}" for one in radio.strangers]
    return rows


def _named(one: PeerStatus | StrangerStatus) -> str:
    """Names come from the air: no letter of theirs may move a terminal's cursor."""
    return f"ble {one.address} {plain(one.name, NAME_LIMIT_LETTERS)}".rstrip()
