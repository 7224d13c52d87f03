"""`wardlink spool check|export|stat|import`: a gateway's spool, also that of a dead one whose card is mounted here.

None of them writes to the spool. What is exported is sealed: only the recipients can open it. `import` makes a spool
of its own beside this gateway's, which delivers it under the old gateway's name.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from agent.cli import moving
from agent.cli.talk import plain
from wire.topics import Class


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("spool", help="look into a spool, move its backlog", description=__doc__)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for name, run, text in (
        ("check", check, "prove its invariants"),
        ("export", moving.export, "write its backlog to a file, for another gateway"),
        ("stat", stat, "what is in it"),
    ):
        verb = verbs.add_parser(name, help=text)
        verb.add_argument("--folder", type=Path, help="the spool's folder; default /var/lib/wardlink/spool")
        verb.add_argument("--json", action="store_true", help="as JSON")
        verb.set_defaults(run=run)
        if name == "export":
            moving.add_export(verb)
    moving.add_import(verbs.add_parser("import", help="take another gateway's backlog and deliver it"))


def check(args: argparse.Namespace) -> int:
    from agent.spool.check import check_folder

    problems = check_folder(moving.existing(args.folder))
    if args.json:
        print(json.dumps({"problems": problems}))
    else:
        print("\n".join(map(plain, problems)) if problems else "every invariant holds")
    return 1 if problems else 0


def stat(args: argparse.Namespace) -> int:
    from agent.spool.check import read_folder

    counts: Counter[tuple[int, int]] = Counter()
    sizes: Counter[tuple[int, int]] = Counter()
    for stored in read_folder(moving.existing(args.folder)):
        counts[stored.epoch, stored.cls] += 1
        sizes[stored.epoch, stored.cls] += len(stored.data)
    rows = [
        {"epoch": epoch, "class": Class(cls).word, "envelopes": counts[epoch, cls], "bytes": sizes[epoch, cls]}
        for epoch, cls in sorted(counts)
    ]
    if args.json:
        print(json.dumps(rows))
    for row in [] if args.json else rows:
        print(f"epoch {row['epoch']} {row['class']:5} {row['envelopes']:8} envelopes {row['bytes']:12} bytes")
    return 0
