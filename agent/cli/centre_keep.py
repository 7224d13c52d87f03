"""`wardlink centre retention` and `wardlink centre hold`: what the centre removes, and what nobody may remove."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from agent.cli.talk import CommandError

Module = Callable[[str], ModuleType]


def add(verbs: Any, verb: Callable[..., argparse.ArgumentParser], module: Module) -> None:
    """Under `wardlink centre`."""
    removes = verb(verbs, "retention", lambda args: retention(args, module), "remove what is older than [keep] says")
    removes.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")
    removes.add_argument("--log", action="store_true", help="print the signed lines, for `wardlink audit verify`")
    holds = verb(verbs, "hold", lambda args: hold(args, module), "what nobody may remove: add, list or lift it")
    holds.add_argument("what", choices=("add", "list", "lift"))
    holds.add_argument("number", nargs="?", type=int, metavar="HOLD", help="to lift")
    for name in ("gateway", "bed", "pseudonym", "reason"):
        holds.add_argument(f"--{name}", default="", metavar=name.upper())
    for name in ("since", "until"):
        holds.add_argument(f"--{name}", metavar="UTC", help="2026-11-22T08:00:00; without it: without an end")


def retention(args: argparse.Namespace, module: Module) -> int:
    desk = module("centre.keep_desk")
    if args.log:
        for line in _asked(module, lambda: desk.log(Path(args.config))):
            print(line)
        return 0
    total = 0
    for one in _asked(module, lambda: list(desk.remove(Path(args.config), dry=args.dry_run))):
        print(f"{one.gateway} epoch {one.epoch} {one.kind}: {one.rows} rows, {one.size} bytes")
        total += one.size
    print(f"{'would go' if args.dry_run else 'removed'}: {total} bytes")
    return 0


def hold(args: argparse.Namespace, module: Module) -> int:
    desk = module("centre.keep_desk")
    file = Path(args.config)
    if args.what == "add":
        who = (args.gateway, args.bed, args.pseudonym)
        number = _asked(module, lambda: desk.hold(file, who, (_utc(args.since), _utc(args.until)), args.reason))
        print(f"hold {number}")
    elif args.what == "lift":
        _asked(module, lambda: desk.lift(file, args.number or 0, args.reason))
    else:
        for one in _asked(module, lambda: desk.holds(file)):
            whose = next(
                f"{name} {getattr(one, name)}" for name in ("gateway", "bed", "pseudonym") if getattr(one, name)
            )
            times = f"{_text(one.since)} to {_text(one.until)}"
            print(f"{one.hold} {ascii(whose)[1:-1]} {times} {'lifted' if one.lifted else ascii(one.reason)[1:-1]}")
    return 0


def _utc(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        read = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is no time", "2026-11-22T08:00:00, UTC") from error
    return int(read.replace(tzinfo=read.tzinfo or datetime.UTC).timestamp() * 1e6)


def _text(utc: int | None) -> str:
    return "..." if utc is None else f"{datetime.datetime.fromtimestamp(utc / 1e6, datetime.UTC):%Y-%m-%dT%H:%M:%S}"


def _asked(module: Module, work: Callable[[], Any]) -> Any:
    desk, store = module("centre.keep_desk"), module("centre.store")
    try:
        return work()
    except (desk.KeepError, store.StoreError) as error:
        raise CommandError(str(error), error.hint) from error
