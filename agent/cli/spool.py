"""`wardlink spool check|export|stat`: a gateway's spool, also that of a dead one whose card is mounted here.

None of them writes to the spool. What is exported is sealed: only the recipients can open it.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from agent.cli.talk import CommandError
from wire.topics import Class


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("spool", help="look into a spool", description=__doc__)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for name, run, text in (
        ("check", check, "prove its invariants"),
        ("export", export, "write every envelope that can be read"),
        ("stat", stat, "what is in it"),
    ):
        verb = verbs.add_parser(name, help=text)
        verb.add_argument("--folder", type=Path, default=Path("/var/lib/wardlink/spool"), help="the spool's folder")
        verb.add_argument("--json", action="store_true", help="as JSON")
        verb.set_defaults(run=run)
        if name == "export":
            verb.add_argument("file", type=Path, help="the file to write (docs/formats.md, export)")


def check(args: argparse.Namespace) -> int:
    from agent.spool.check import check_folder

    problems = check_folder(_folder(args))
    if args.json:
        print(json.dumps({"problems": problems}))
    else:
        print("\n".join(problems) if problems else "every invariant holds")
    return 1 if problems else 0


def export(args: argparse.Namespace) -> int:
    """Each envelope as u32 length (big endian) and its bytes, oldest first within its class."""
    from agent.spool.check import read_folder

    count = total = 0
    with args.file.open("xb") as out:
        for stored in read_folder(_folder(args)):
            out.write(len(stored.data).to_bytes(4) + stored.data)
            count, total = count + 1, total + len(stored.data)
    print(json.dumps({"envelopes": count, "bytes": total}) if args.json else f"{count} envelopes, {total} bytes")
    return 0


def stat(args: argparse.Namespace) -> int:
    from agent.spool.check import read_folder

    counts: Counter[tuple[int, int]] = Counter()
    sizes: Counter[tuple[int, int]] = Counter()
    for stored in read_folder(_folder(args)):
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


def _folder(args: argparse.Namespace) -> Path:
    folder: Path = args.folder
    if not folder.is_dir():
        raise CommandError(f"{folder} is no folder", "name the spool's folder with --folder")
    return folder
