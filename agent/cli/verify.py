"""`wardlink verify`: proves that data of a gateway is complete and untouched, offline, by its own signatures.

SOURCE is a spool's folder, a file of `wardlink spool export`, or the address of a centre's store. A signed manifest
each minute lists what was sealed. With the key of a recipient everything is opened and decoded too, and losses that the
gateway declared are read. Exits 0 where everything holds, 1 where anything is wrong. Writes nothing.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.talk import CommandError

if TYPE_CHECKING:
    from agent.proving import Witness
    from wire.keys import RecipientSecret
    from wire.verdict import Finding, Place, Verdict

LINES_LIMIT_COUNT = 40


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("verify", help="prove data complete and untouched", description=__doc__)
    parser.add_argument("source", metavar="SOURCE", help="a folder, a file, sqlite:///... or postgresql+psycopg://...")
    parser.add_argument("--key", type=Path, action="append", default=[], help="file of a recipient's private key")
    parser.add_argument("--gateway", default="", metavar="ID", help="which one, where the store has several")
    parser.add_argument("--epoch", type=int, action="append", default=[], help="only this start of the gateway")
    parser.add_argument("--since", default="", metavar="UTC", help="from then on, e.g. 2026-11-22 or 2026-11-22T08:00")
    parser.add_argument("--until", default="", metavar="UTC", help="before then; needs --key, as --since does")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from agent.proving import NoEvidenceError
    from agent.spool.terms import SpoolError

    secrets = [_secret(file) for file in args.key]
    if (args.since or args.until) and not secrets:
        raise CommandError("without a key nobody can tell when anything was sealed", "give --key, or use --epoch")
    try:
        witness = _witness(args, secrets)
    except (NoEvidenceError, SpoolError) as error:
        raise CommandError(str(error), getattr(error, "hint", "")) from error
    verdict = witness.evidence.judge(_window(args, witness))
    if args.json:
        print(json.dumps(_as_json(args, witness, verdict)))
    else:
        print("\n".join(_as_text(args, witness, verdict)))
    return 0 if verdict.holds else 1


def _secret(file: Path) -> RecipientSecret:
    from wire import keys

    try:
        return keys.recipient_secret(file.read_text(encoding="ascii"))
    except keys.KeyFormatError as error:
        raise CommandError(f"{file}: {error}", "one line, xwing-secret:... or x25519-secret:...") from error


def _witness(args: argparse.Namespace, secrets: Sequence[RecipientSecret]) -> Witness:
    from agent import proving

    if "://" in args.source:
        if secrets:
            raise CommandError(
                "a store holds no envelopes to open, only what they hashed to", "leave --key out, or give an export"
            )
        return _of_store(args)
    source = Path(args.source)
    witness = proving.of_spool(source, secrets) if source.is_dir() else proving.of_export(source, secrets)
    if args.gateway not in ("", witness.gateway):
        raise CommandError(f"{source} is of {witness.gateway}, not of {args.gateway}", "leave --gateway out")
    return witness


def _of_store(args: argparse.Namespace) -> Witness:
    from agent.proving import Witness

    try:
        room = importlib.import_module("centre.evidence")
    except ModuleNotFoundError as error:
        raise CommandError(
            f"the centre's packages are missing: {error.name}", "pip install 'wardlink[centre]'"
        ) from error
    try:
        gateway, fill = room.evidence(args.source, args.gateway)
        witness = Witness(gateway, ())
        fill(witness.evidence)
    except room.EvidenceError as error:
        raise CommandError(str(error), error.hint) from error
    return witness


def _window(args: argparse.Namespace, witness: Witness) -> dict[Place, tuple[int, int]] | None:
    """What was asked for: all, or of some epochs, or of a time."""
    from wire.proof import SEQ_LAST

    if not (args.epoch or args.since or args.until):
        return None
    found = dict.fromkeys(witness.evidence.places(), (0, SEQ_LAST))
    if args.since or args.until:
        found = witness.times.within(_utc(args.since, 0), _utc(args.until, 1 << 62))
    if args.epoch:
        found = {place: bounds for place, bounds in found.items() if place.epoch in args.epoch}
    if not found:
        raise CommandError("nothing was sealed then, as far as this tells", "without a window all of it is looked at")
    return found


def _utc(text: str, otherwise: int) -> int:
    """Microseconds since 1970."""
    if not text:
        return otherwise
    try:
        said = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is no time", "2026-11-22, or 2026-11-22T08:00, in UTC") from error
    return int((said if said.tzinfo else said.replace(tzinfo=datetime.UTC)).timestamp() * 1_000_000)


def _as_json(args: argparse.Namespace, witness: Witness, verdict: Verdict) -> dict[str, object]:
    from wire.verdict import WRONG

    rows = [
        {"epoch": r.place.epoch, "class": r.place.cls.word, "first": r.first, "last": r.last}
        | {"here": r.here, "proven": r.proven}
        for r in verdict.rows
    ]
    findings = [
        {"kind": f.kind, "wrong": f.kind in WRONG, "epoch": f.place.epoch, "class": f.place.cls.word}
        | {"first": f.first, "last": f.last, "why": f.why}
        for f in verdict.findings
    ]
    said = {"gateway": witness.gateway, "source": args.source, "holds": verdict.holds, "opened": witness.opened}
    return {**said, "sequences": rows, "findings": findings}


def _as_text(args: argparse.Namespace, witness: Witness, verdict: Verdict) -> list[str]:
    out = [f"gateway {witness.gateway}, from {args.source}", ""]
    out.append(f"{'epoch':>6}  {'class':5}  {'sealed':>22}  {'here':>9}  {'proven':>9}")
    for r in verdict.rows:
        span = f"{r.first} to {r.last}"
        out.append(f"{r.place.epoch:>6}  {r.place.cls.word:5}  {span:>22}  {r.here:>9}  {r.proven:>9}")
    out.append("")
    out += [_line(finding) for finding in verdict.findings[:LINES_LIMIT_COUNT]]
    if len(verdict.findings) > LINES_LIMIT_COUNT:
        out.append(f"{len(verdict.findings) - LINES_LIMIT_COUNT} lines more, see --json")
    if witness.opened:
        out.append(f"{witness.opened} envelopes opened and decoded")
    out.append(_conclusion(verdict))
    return out


def _line(finding: Finding) -> str:
    place, span = finding.place, f"{finding.first}"
    if finding.last != finding.first:
        span = f"{finding.first} to {finding.last}"
    where = f"epoch {place.epoch} {place.cls.word} {span}: " if place.epoch else ""
    return f"{finding.kind}: {where}{finding.why}"


def _conclusion(verdict: Verdict) -> str:
    from wire.verdict import WRONG

    wrong = sum(finding.kind in WRONG for finding in verdict.findings)
    if wrong:
        return f"NOT PROVEN: {wrong} things are wrong, named above"
    return "PROVEN: what the manifests list is complete and untouched, but for what is named above"
