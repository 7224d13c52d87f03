"""`wardlink spool export` and `import`: a dead gateway's backlog on a stick, and into another gateway."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.talk import CommandError, plain
from wire.topics import Address, Class, is_name

if TYPE_CHECKING:
    from agent.importing import Host, Taken
    from agent.spool.salvage import Salvage
    from wire.export import End, Writer

Name = tuple[int, int, int, int]
LINES_LIMIT_COUNT = 20


def add_export(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("file", type=Path, help="the file to write (docs/formats.md, export)")
    what = verb.add_mutually_exclusive_group()
    what.add_argument("--unheld", action="store_true", help="only what the centre has not confirmed (the default)")
    what.add_argument("--all", action="store_true", help="everything, also what the centre has")
    verb.add_argument("--config", type=Path, help="the gateway's configuration, which knows its site and its folder")
    verb.add_argument("--site", default="", help="its site, where its configuration is not at hand")
    verb.add_argument("--gateway", default="", metavar="ID", help="its id, where nothing in the spool tells it")
    verb.set_defaults(run=export)


def add_import(verb: argparse.ArgumentParser) -> None:
    from agent.cli.run import DEFAULT_CONFIG

    verb.add_argument("file", type=Path, help="what `spool export` wrote")
    verb.add_argument("--config", default=DEFAULT_CONFIG, metavar="FILE", help=f"default {DEFAULT_CONFIG}")
    verb.add_argument("--partial", action="store_true", help="take what is sound of a damaged file")
    verb.add_argument("--json", action="store_true", help="as JSON")
    verb.set_defaults(run=take)


def export(args: argparse.Namespace) -> int:
    """Streams; a file that breaks off is removed, and would be refused at the import."""
    from agent.spool.salvage import Salvage
    from agent.spool.terms import SpoolError
    from wire.export import Head, Writer

    folder, site = _origin(args)
    try:
        salvage = Salvage(folder, unheld=not args.all)
        gateway, proof = salvage.proof()
        if args.gateway not in ("", gateway or args.gateway):
            raise CommandError(f"the spool is of {gateway}, not of {args.gateway}", "leave --gateway out")
        gateway = gateway or args.gateway
        if not is_name(gateway):
            raise CommandError(
                f"no statement in {folder} can be read, so nothing tells whose it is",
                "name the gateway with --gateway ID; the centre's page lists the ids",
            )
        head = Head(1, gateway, site, proof, int(not args.all), salvage.starts(gateway))
        with args.file.open("xb") as out:
            try:
                end = _written(Writer(out.write, head), salvage)
                out.flush()
                os.fsync(out.fileno())
            except (OSError, SpoolError):
                args.file.unlink()
                raise
    except SpoolError as error:
        raise CommandError(str(error), error.hint) from error
    _tell_export(args, gateway, site, end)
    return 0


def _written(writer: Writer, salvage: Salvage) -> End:
    from wire.envelope import EnvelopeError

    foreign = 0
    for stored in salvage.frames():
        try:
            writer.add(stored.data)
        except EnvelopeError:
            foreign += 1
    return writer.end(salvage.missing(), salvage.unnamed + foreign)


def _origin(args: argparse.Namespace) -> tuple[Path, str]:
    """(folder, site). What is said on the command line goes before the configuration."""
    from agent import config

    folder, site = args.folder, args.site
    if args.config is not None:
        said = config.load(args.config)
        folder, site = folder or Path(said.state) / "spool", site or said.site
    if site and not is_name(site):
        raise CommandError(f"{site!r} is no name of a site", "1 to 24 of a-z, 0-9 and '-'")
    return existing(folder), site


def existing(given: Path | None) -> Path:
    """The folder, or the default one. Raises CommandError."""
    folder = given or Path("/var/lib/wardlink/spool")
    if not folder.is_dir():
        raise CommandError(f"{folder} is no folder", "name the spool's folder with --folder")
    return folder


def _tell_export(args: argparse.Namespace, gateway: str, site: str, end: End) -> None:
    size = sum(row.bytes for row in end.rows)
    if args.json:
        said = {"gateway": gateway, "site": site, "envelopes": end.count, "bytes": size, "only_unheld": not args.all}
        rows = [
            {"epoch": r.epoch, "class": Class(r.cls).word, "envelopes": r.count, "bytes": r.bytes} for r in end.rows
        ]
        print(json.dumps({**said, "rows": rows, **_gaps(end)}))
        return
    what = "everything that can be read" if args.all else "what the centre has not confirmed"
    print(f"gateway {gateway}{f' at {site}' if site else ''}: {end.count} envelopes, {size} bytes, {what}")
    _print_gaps(end)


def _gaps(end: End) -> dict[str, object]:
    missing = [{"class": Class(c).word, "epoch": e, "first": a, "last": b} for c, e, a, b in end.missing]
    return {"missing": missing, "unnamed_damage": end.unnamed}


def _print_gaps(end: End) -> None:
    """What the spool had and cannot be read any more."""
    for cls, epoch, first, last in end.missing[:LINES_LIMIT_COUNT]:
        print(f"missing: epoch {epoch} {Class(cls).word} {first} to {last}")
    if len(end.missing) > LINES_LIMIT_COUNT:
        print(f"missing: {len(end.missing) - LINES_LIMIT_COUNT} ranges more, see --json")
    if end.unnamed:
        print(f"missing: {end.unnamed} damaged places of which nothing tells what they were")


def take(args: argparse.Namespace) -> int:
    """Exits 0 where something was imported, 1 where nothing was."""
    from agent import importing

    try:
        taken = importing.take(args.file, _host(args), partial=args.partial)
    except importing.ImportRefusedError as error:
        raise CommandError(str(error), error.hint) from error
    if not taken.envelopes and taken.known:
        raise CommandError(
            f"nothing new: all {taken.known} envelopes were imported here before",
            "nothing is to be done; `wardlink status` says what is left of them",
        )
    _tell_import(args, taken)
    return 0


def _host(args: argparse.Namespace) -> Host:
    from agent import config, identity
    from agent.config import MIB
    from agent.importing import Host

    said = config.load(Path(args.config))
    who = identity.load(Path(said.keys), receipts=said.confirm == "receipt")
    quotas = said.spool.key_mib + said.spool.vital_mib + said.spool.wave_mib
    used = sum(file.stat().st_size for file in (Path(said.state) / "spool").glob("*.seg"))
    return Host(Address(said.site, who.gateway), Path(said.state), quotas * MIB - used)


def _tell_import(args: argparse.Namespace, taken: Taken) -> None:
    passed = [{"offset": fault.offset, "why": fault.why} for fault in taken.faults]
    if args.json:
        said = {"gateway": taken.gateway, "envelopes": taken.envelopes, "bytes": taken.bytes, "known": taken.known}
        gaps = _gaps(taken.end) if taken.end else {}
        print(json.dumps({**said, "whole": taken.whole, "refused": taken.refused, "damaged": passed, **gaps}))
        return
    known = f"; {taken.known} were imported here before" if taken.known else ""
    print(f"imported {taken.envelopes} envelopes of {taken.gateway}, {taken.bytes} bytes{known}")
    for fault in passed[:LINES_LIMIT_COUNT]:
        print(f"missing: {plain(str(fault['why']))}")
    if taken.refused:
        print(f"missing: {taken.refused} envelopes that are not signed by {taken.gateway}, or not in order")
    if taken.end is not None:
        _print_gaps(taken.end)
    elif args.partial:
        print("missing: all behind the place where the file breaks off")
