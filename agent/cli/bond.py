"""`wardlink bond`: bond the next near device by radio that a driver claims, at the bed, with the device at hand.

Opens a window and waits for the running gateway to say how it ended. Exits 0 where a device was bonded. A device that
lost its bond is bonded again; one that needs a passkey needs a [[radio]] with it. With --forget ADDRESS a device that
goes to another bed is heard here no more.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from agent.cli.talk import CommandError, plain

LOOK_S = 0.2
PATIENCE_S = 5.0  # the gateway looks once an interval


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("bond", help="bond a device by radio", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long at most, default 60, 600 at most")
    parser.add_argument("--forget", metavar="ADDRESS", default="", help="forget a bonded device instead")
    parser.add_argument("--runtime", default="/run/wardlink", metavar="FOLDER", help="default /run/wardlink")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from agent import clock, window

    runtime = Path(args.runtime)
    if not 0 < args.seconds <= window.OPEN_LIMIT_S:
        raise CommandError(f"--seconds {args.seconds:g}: more than 0, {window.OPEN_LIMIT_S:.0f} at most")
    if not runtime.is_dir():
        raise CommandError("no gateway has run here since the machine started", "systemctl start wardlink")
    until = clock.now() + int(args.seconds * 1e9)
    window.write(runtime, window.Window(until, forget=args.forget.upper()))
    if not args.json and not args.forget:
        print(f"waiting {args.seconds:.0f} s: switch the device on, close to the gateway", flush=True)
    found = window.read(runtime)
    while found.until_ns and clock.now() < until + PATIENCE_S * 1e9:
        time.sleep(LOOK_S)
        found = window.read(runtime)
    if found.until_ns:
        window.write(runtime, window.Window())
        raise CommandError("the gateway does not answer", "systemctl status wardlink")
    good = found.said.endswith(("is bonded", "is forgotten"))
    print(json.dumps({"done": good, "said": found.said}) if args.json else plain(found.said))
    return 0 if good else 1
