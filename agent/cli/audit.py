"""`wardlink audit verify|show`: the audit log of a gateway, here or from a diagnostic bundle. Writes nothing.

`verify` needs no key: the log says which one signed it, and its hash is the gateway's id. Compare that id. What the
centre knows of the log (`audit` of the gateway in its API) shows whether the end was cut off: `--against COUNT:HASH`.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from agent.cli.talk import CommandError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("audit", help="prove or read the audit log", description=__doc__)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for name, run, text in (
        ("verify", verify, "prove that nothing was altered"),
        ("show", show, "its entries, one a line"),
    ):
        verb = verbs.add_parser(name, help=text)
        verb.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a log, or parts of it in their order")
        verb.add_argument(
            "--state", type=Path, default=Path("/var/lib/wardlink"), metavar="DIR", help="the gateway's state folder"
        )
        verb.add_argument("--json", action="store_true", help="as JSON")
        verb.set_defaults(run=run)
        if name == "verify":
            verb.add_argument("--gateway", default="", metavar="ID", help="whose it must be")
            verb.add_argument("--against", default="", metavar="COUNT:HASH", help="what the centre knows of it")


def verify(args: argparse.Namespace) -> int:
    import json

    from wire import audit, keys

    lines = _lines(args)
    try:
        key = audit.key_of(lines)
        gateway = keys.gateway_id(key)
        if args.gateway not in ("", gateway):
            raise CommandError(f"it is the log of gateway {gateway}", "another gateway's, or made by somebody else")
        head = audit.verify(lines, key, audit.head(args.against) if args.against else None)
    except audit.AuditError as error:
        raise CommandError(str(error), "from there on nothing is proven; keep the file as it is") from error
    facts = {"gateway": gateway, "first": head.first, "count": head.count, "head": head.text()}
    if args.json:
        print(json.dumps(facts))
        return 0
    print(f"entries {head.first} to {head.count - 1} hold, signed by gateway {gateway}")
    print(f"head {head.text()}")
    if not args.against:
        print("whether later ones were cut off, only the centre knows: --against", file=sys.stderr)
    return 0


def show(args: argparse.Namespace) -> int:
    """What a text holds that is not printable stays escaped, so a log does nothing to a terminal."""

    from wire import audit

    for number, line in enumerate(_lines(args)):
        try:
            entry, _ = audit.read(line)
        except audit.AuditError as error:
            raise CommandError(f"line {number + 1}: {error.why}", "`wardlink audit verify` says what holds") from error
        if args.json:
            print(line.decode("ascii"))
            continue
        when = "time unknown" if entry.utc is None else _date(entry.utc)
        detail = " ".join(f'{_shown(word)}="{_shown(text)}"' for word, text in entry.detail.items())
        print(f"{entry.n} {when} epoch {entry.epoch} {_shown(entry.who)} {_shown(entry.what)} {detail}".rstrip())
    return 0


def _lines(args: argparse.Namespace) -> list[bytes]:
    from agent import audit
    from agent.spool.files import Disk

    if args.file is not None:
        return audit.lines(args.file.read_bytes())
    folder = args.state / audit.FOLDER
    data = audit.kept(Disk(), folder)
    if not data:
        raise CommandError(f"{folder}: no audit log is here", "name a FILE, or --state DIR")
    return audit.lines(data)


def _shown(text: str) -> str:
    import json

    return json.dumps(text)[1:-1].replace("\x7f", "\\u007f")


def _date(utc: int) -> str:
    try:
        return datetime.fromtimestamp(utc / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"utc {utc}"
