"""`wardlink update FILE|URL`: install another version of the whole system, from a stick or a server. Needs root.

RAUC verifies the signature and writes the system that does not run; at the next orderly restart it is tried, and stays
only if it is well. --asked does what the centre asked for, --gate judges a system on trial (both for units).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from agent.cli.talk import CommandError

if TYPE_CHECKING:
    from agent.update.wish import Outcome, Wish

LATER = 75  # EX_TEMPFAIL: not now
LOOK_S = 5.0


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "update", help="install another version", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("bundle", nargs="?", metavar="FILE|URL", help="a bundle, .raucb")
    parser.add_argument("--sha256", default="", metavar="HEX", help="of the bundle's signed end; `--digest` tells it")
    parser.add_argument("--older", action="store_true", help="also a version older than this one, down to the floor")
    parser.add_argument("--urgent", action="store_true", help="do not wait for the backlog")
    parser.add_argument("--no-restart", action="store_true", help="it is tried when somebody restarts the machine")
    parser.add_argument("--digest", action="store_true", help="only say the SHA-256 of the file's signed end")
    parser.add_argument("--asked", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--gate", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--state", default="/var/lib/wardlink", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="/var/lib/wardlink-update", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--runtime", default="/run/wardlink", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--keys", default="/etc/wardlink/keys", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.gate:
        return _gate(args)
    if args.asked:
        return _asked(args)
    if not args.bundle:
        raise CommandError("which bundle?", "wardlink update FILE|URL")
    if args.digest:
        return _digest(Path(args.bundle))
    if os.geteuid() != 0:
        raise CommandError("only root may install a system", "sudo wardlink update ...")
    from agent.update.wish import Wish

    outcome = _installed(args, Wish("", args.bundle, args.sha256, "", ""))
    if outcome.kind != "installed":
        raise CommandError(outcome.words, outcome.hint)
    print(f"{outcome.words}; {outcome.fetched_bytes} bytes fetched")
    if args.no_restart:
        print("it is tried at the next restart: systemctl reboot")
        return 0
    return _restart()


def _digest(file: Path) -> int:
    from agent.updating import RefusedError, signed_end

    data = file.read_bytes()
    try:
        print(signed_end(lambda at, end: data[at:end], len(data)))
    except RefusedError as error:
        raise CommandError(f"{file}: {error}", error.hint) from error
    return 0


def _installed(args: argparse.Namespace, wish: Wish) -> Outcome:
    from agent import updating

    places = updating.Places(Path(args.runtime), Path(args.folder), Path(args.keys))
    places.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return updating.install(wish, places, may_be_older=args.older, is_urgent=args.urgent)


def _asked(args: argparse.Namespace) -> int:
    """What the centre asked for: done, refused for good, or tried again later by the unit."""
    from agent.update.wish import UPDATE_FILE, Wish

    file = Path(args.state) / UPDATE_FILE
    try:
        wish = msgspec.json.decode(file.read_bytes(), type=Wish)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        file.unlink()
        raise CommandError(f"{file}: not a request: {error}") from error
    outcome = _installed(args, wish)
    told = {"asked": wish.version, "url": wish.url, **msgspec.to_builtins(outcome)}
    print(json.dumps(told), flush=True)
    if outcome.kind == "later":
        return LATER
    _tell(file.parent, wish, outcome)
    file.unlink()
    if outcome.kind == "refused":
        raise CommandError(outcome.words, outcome.hint)
    _quiet(args)
    return _restart()


def _tell(state: Path, wish: Wish, outcome: Outcome) -> None:
    """For the gateway of whichever system runs then: it answers the centre. Nothing in it is secret."""
    from agent import durable
    from agent.spool.files import Disk
    from agent.update.wish import TRIAL_FILE, Trial

    if wish.command:
        refused = f"{outcome.words}. {outcome.hint}".strip(". ") if outcome.kind == "refused" else ""
        said = msgspec.json.encode(Trial(wish.command, outcome.version or wish.version, refused))
        durable.place(Disk(direct=False), state / TRIAL_FILE, said)
        (state / TRIAL_FILE).chmod(0o644)


def _quiet(args: argparse.Namespace) -> None:
    """Wait until nobody is being measured, or long enough."""
    from agent import updating
    from agent.health import status
    from agent.update.pace import may_restart

    is_urgent = args.urgent or updating.is_below(updating.Floor(Path(args.folder)).read())
    began, pace = time.monotonic(), threading.Event()
    while True:
        live = updating.live_of(status.found(Path(args.runtime)), time.time())
        if may_restart(live, time.monotonic() - began, is_urgent=is_urgent):
            return
        pace.wait(LOOK_S)


def _gate(args: argparse.Namespace) -> int:
    """0: the system on trial is well. 1: it is not, and the unit starts the machine again."""
    from agent import updating
    from agent.health import status
    from agent.update.gate import Gate

    if not (Path(args.keys) / "gateway.crt").exists() and Path("/data").is_mount():
        print("wardlink: not enrolled: there is nothing to deliver, and the data partition opens", flush=True)
        return 0
    gate, pace = Gate(time.monotonic()), threading.Event()
    while True:
        verdict = gate.look(updating.seen_of(status.found(Path(args.runtime)), time.time()), time.monotonic())
        if verdict == "good":
            print("wardlink: the new system is well", flush=True)
            return 0
        if verdict:
            print(f"wardlink: the new system is not well: {verdict}", flush=True)
            return 1
        pace.wait(1.0)


def _restart() -> int:
    return subprocess.run(["systemctl", "reboot"], check=False).returncode
