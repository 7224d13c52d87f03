"""`wardlink setup`: what an engineer wrote on the boot partition (wardlink.txt), applied to this machine.

`apply` is run at each start, before the network: it reads, judges, writes what the machine's programs read, and takes
the secrets out of the file. `watch` enrols, waits for the broker, and goes back to the last good setup after five
minutes without it. `show` tells how it stands. docs/setup.md is for whoever fills in the file.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from agent.cli.talk import EX_CONFIG, CommandError, plain
from config import codes


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("setup", help="apply or show wardlink.txt", description=__doc__)
    parser.add_argument("verb", choices=("apply", "watch", "show"))
    parser.add_argument(
        "--boot", type=Path, default=Path("/boot/firmware"), metavar="DIR", help="where wardlink.txt is"
    )
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="where to write; default /")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """`show` exits 1 where the setup failed, `apply` 78 where it could not be used.

    A card that nobody filled in yet is no failure of the unit: the page and the LED say so.
    """
    if args.verb == "show":
        return _show(args)
    if args.verb == "watch":
        return _watch(args)
    from agent.setting import Machine

    said = Machine(args.root, args.boot).apply()
    _print(args, said)
    return EX_CONFIG if said.state == "failed" and said.code != codes.EMPTY else 0


def _show(args: argparse.Namespace) -> int:
    from agent.setup import standing

    found = standing.read(args.root / "run/wardlink")
    if found is None:
        raise CommandError("nothing was set up since the machine started", "wardlink setup apply, as root")
    _print(args, found)
    return 1 if found.state == "failed" else 0


def _watch(args: argparse.Namespace) -> int:
    import time

    from agent import clock
    from agent.setting import Machine
    from agent.watching import Watch

    watch = Watch(Machine(args.root, args.boot), clock.now())
    while not watch.step(clock.now()):
        time.sleep(watch.pause_s)
    return 0


def _print(args: argparse.Namespace, said: object) -> None:
    import msgspec

    facts = msgspec.to_builtins(said)
    if args.json:
        print(json.dumps(facts))
        return
    words = {"busy": "being tried: it waits for the broker", "done": "in force", "failed": "failed"}
    running = {
        "none": "nothing",
        "hand": "a gateway.toml written by hand",
        "trial": "this setup",
        "good": "the last good setup",
    }
    print(f"setup    {words[facts['state']]}; the machine runs with {running[facts['inforce']]}")
    if facts["code"]:
        print(f"code     {facts['code']}\nproblem  {plain(facts['cause'])}\nnext     {plain(facts['next'])}")
    for note in facts["notes"]:
        print(f"note     {plain(note)}")
