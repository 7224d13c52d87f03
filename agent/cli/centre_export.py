"""`wardlink centre export`: what a centre holds of a gateway, in a format of the field, in a new folder."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.cli.talk import CommandError

FORMATS = (
    "wfdb", "wfdb-flac", "edf", "edf-parts", "dicom", "aecg", "csv", "parquet",
    "fhir-r4", "fhir-r5", "fhir-r4-bundle", "fhir-r5-bundle", "hl7",
)  # fmt: skip


def add(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("format", choices=FORMATS, metavar="FORMAT", help=", ".join(FORMATS))
    verb.add_argument("--gateway", required=True, metavar="ID", help="its id")
    verb.add_argument(
        "--from", dest="begin", type=_instant, metavar="TIME", help="ISO 8601 with its zone: 2026-10-07T08:00Z"
    )
    verb.add_argument("--to", dest="end", type=_instant, metavar="TIME", help="up to, not with")
    verb.add_argument("--epoch", type=int, metavar="N", help="this start of the gateway alone, whatever its time")
    verb.add_argument("--channel", action="append", default=[], metavar="NAME", help="this one alone (again: these)")
    verb.add_argument("-o", "--out", type=Path, required=True, metavar="FOLDER", help="a new folder")


def _instant(text: str) -> int:
    """Microseconds since 1970."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: like 2026-10-07T08:00Z") from error
    if when.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no zone: end it with Z, or +01:00")
    return round(when.timestamp() * 1_000_000)


def run(args: argparse.Namespace, module: Any) -> int:
    """`module` loads a part of the centre."""
    if args.begin is None and args.end is None and args.epoch is None:
        raise CommandError("a time is needed: --from and --to, or --epoch", "whole stores are long: name what you want")
    config = module("centre.config").read(Path(args.config))
    plans, store = module("centre.export.plan"), module("centre.store.engine")
    wish = plans.Wish(args.begin, args.end, args.epoch, frozenset(args.channel))
    try:
        done = module("centre.export.formats").to_folder(config.store, args.gateway, args.format, wish, args.out)
    except (plans.RefusedError, store.StoreError) as error:
        raise CommandError(str(error), error.hint) from error
    print(f"{args.out}: {done.size_bytes} bytes, {done.strips} strips of waves, {done.sittings} sittings of readings")
    for epoch in done.undated:
        print(f"left out: epoch {epoch} may be of this time, but no clock says so: --epoch {epoch}", file=sys.stderr)
    return 0
