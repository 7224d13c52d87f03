"""`wardlink time set "2026-11-22 12:30" --within 60`: tell a running gateway without any other clock what time it is.

The time is UTC, or carries its offset ("2026-11-22 13:30+01:00"). The system's clock is not moved: the gateway keeps
what was said as one of its sources, with that many seconds of doubt, until something better is known.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path

from agent.cli.talk import CommandError

LOOK_S = 0.2
PATIENCE_S = 15.0  # the gateway looks every five seconds
DOUBT_LIMIT_S = 86_400.0
EXAMPLE = 'like "2026-11-22 12:30", in UTC, or "2026-11-22 13:30+01:00"'


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("time", help="say what time it is", description=__doc__)
    verbs = parser.add_subparsers(metavar="set", required=True)
    told = verbs.add_parser("set", help="say what time it is now", description=__doc__)
    told.add_argument("utc", metavar="TIME", help=EXAMPLE)
    told.add_argument("--within", type=float, default=60.0, metavar="SECONDS", help="by how much at most it is wrong")
    told.add_argument("--runtime", default="/run/wardlink", metavar="FOLDER", help="default /run/wardlink")
    told.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from agent import clock, window

    runtime = Path(args.runtime)
    if not 0 < args.within <= DOUBT_LIMIT_S:
        raise CommandError(f"--within {args.within:g}: more than 0 s, a day at most")
    if not runtime.is_dir():
        raise CommandError("no gateway has run here since the machine started", "systemctl start wardlink")
    utc = _utc_us(args.utc)
    said = window.TimeSaid(utc, int(args.within * 1e6), clock.now())
    window.write_time(runtime, said)
    until = clock.now() + int(PATIENCE_S * 1e9)
    found: window.TimeSaid | None = said
    while (found is None or not found.said) and clock.now() < until:
        time.sleep(LOOK_S)
        found = window.read_time(runtime)
    if found is None or not found.said:
        raise CommandError("the gateway does not answer", "systemctl status wardlink")
    if found.said != "taken":
        raise CommandError(found.said, EXAMPLE)
    print("taken: `wardlink status` shows what counts")
    return 0


def _utc_us(text: str) -> int:
    """Microseconds since 1970. Raises CommandError."""
    try:
        told = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is no time", EXAMPLE) from error
    return round((told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp() * 1e6)
