"""`wardlink centre run|keys|user|command|rollout|export|retention|hold|bridge ...`: the centre (`wardlink[centre]`).

`command` asks something of a gateway; it goes once the gateway is there, and `commands` says what came of it.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from agent.cli import centre_export, centre_keep, centre_rollout, centre_user
from agent.cli.run import set_up_log
from agent.cli.talk import CommandError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("centre", help="the centre's side", description=__doc__)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    runs = _verb(verbs, "run", run, "receive, store, show")
    runs.add_argument("--json", action="store_true", help="log lines as JSON")
    runs.add_argument("--name", metavar="NAME", help="of this consumer, where several share (`share` in centre.toml)")
    runs.add_argument("--listen", metavar="HOST:PORT", help="where its pages are; '' for none")
    makes = verbs.add_parser("keys", help="make this centre's own keys, or a hospital's")
    makes.add_argument("folder", type=Path, metavar="FOLDER")
    makes.add_argument("--kind", choices=("xwing", "x25519"), default="xwing", help="x25519 is for thin links")
    makes.add_argument("--recipient-only", action="store_true", help="for whoever only reads: none that signs")
    makes.set_defaults(run=make_keys)
    centre_user.add(verbs)
    asks = _verb(verbs, "command", command, "ask something of a gateway")
    asks.add_argument("gateway", metavar="GATEWAY", help="its id")
    asks.add_argument("words", nargs="+", metavar="WORD", help="resend, set-policy, rotate, collect-bundle or update")
    lists = _verb(verbs, "commands", listed, "what was asked of a gateway, and what came of it")
    lists.add_argument("gateway", metavar="GATEWAY", help="its id")
    lists.add_argument("--json", action="store_true", help="as JSON")
    centre_rollout.add(verbs, _module, _asked)
    fetches = _verb(verbs, "bundle", bundle, "write a diagnostic bundle that came to a file")
    fetches.add_argument("gateway", metavar="GATEWAY", help="its id")
    fetches.add_argument("nonce", metavar="COMMAND", help="the command that asked for it")
    fetches.add_argument("file", type=Path, metavar="FILE", help="then: wardlink bundle open FILE --keys DIR")
    centre_export.add(_verb(verbs, "export", export, "what is stored of a gateway, in a format of the field"))
    centre_keep.add(verbs, _verb, _module)
    bridges = _verb(verbs, "bridge", bridge, "republish what gateways say as JSON on a broker inside the hospital")
    bridges.add_argument("--to", required=True, metavar="URL", help="the inner broker: mqtt://host or mqtts://host")
    bridges.add_argument("--store", default="sqlite:////var/lib/wardlink/bridge.db", help="its own; small")


def _verb(verbs: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=text)
    verb.add_argument("--config", default="/etc/wardlink/centre.toml", metavar="FILE")
    verb.set_defaults(run=run)
    return verb


def run(args: argparse.Namespace) -> int:
    set_up_log(args.json)
    import msgspec

    config, room = _module("centre.config"), _module("centre.run")
    own = {word: said for word in ("name", "listen") if (said := getattr(args, word)) is not None}
    read = msgspec.structs.replace(config.read(Path(args.config)), **own)
    config.check(read)
    code: int = room.run(read)
    return code


def make_keys(args: argparse.Namespace) -> int:
    try:
        made = _module("centre.own_keys").make(args.folder, args.kind, signs=not args.recipient_only)
    except FileExistsError as error:
        raise CommandError(str(error), "another folder; what was sealed to the old key it alone opens") from error
    print("\n".join(map(str, made)))
    return 0


def command(args: argparse.Namespace) -> int:
    desk = _module("centre.desk")
    nonce = _asked(desk, lambda: desk.order(Path(args.config), args.gateway, args.words))
    print(nonce)
    return 0


def listed(args: argparse.Namespace) -> int:
    import dataclasses
    import json

    desk = _module("centre.desk")
    found = _asked(desk, lambda: desk.listed(Path(args.config), args.gateway))
    if args.json:
        print(json.dumps([dataclasses.asdict(one) for one in found]))
        return 0
    for one in found:
        state = one.outcome or ("sent, no answer yet" if one.tries else "waits for the gateway")
        pieces = f" ({one.here} of {one.pieces} pieces)" if one.pieces else ""
        print(f"{one.nonce} {one.verb:14} {state}{pieces}  {ascii(one.text)[1:-1]}".rstrip())
    return 0


def bundle(args: argparse.Namespace) -> int:
    desk = _module("centre.desk")
    data = _asked(desk, lambda: desk.bundle(Path(args.config), args.gateway, args.nonce))
    args.file.write_bytes(data)
    print(f"{len(data)} bytes")
    return 0


def export(args: argparse.Namespace) -> int:
    return centre_export.run(args, _module)


def bridge(args: argparse.Namespace) -> int:
    set_up_log(False)
    config, inner, store = _module("centre.config"), _module("centre.inner"), _module("centre.store")
    try:
        code: int = inner.run(config.read(Path(args.config)), args.to, args.store)
    except store.StoreError as error:
        raise CommandError(str(error), error.hint) from error
    return code


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise CommandError(
            f"the centre's packages are missing: {error.name}", "pip install 'wardlink[centre]'"
        ) from error


def _asked(desk: ModuleType, work: Any) -> Any:
    store = _module("centre.store")
    try:
        return work()
    except (desk.DeskError, store.StoreError) as error:
        raise CommandError(str(error), error.hint) from error
