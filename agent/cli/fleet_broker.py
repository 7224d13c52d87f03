"""`wardlink fleet broker` and `wardlink fleet refusals`: what a shared broker is told, and whom it refused."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.cli.talk import CommandError

PLUGIN = "mosquitto_dynamic_security.so"
LIBRARIES = (Path("/usr/lib"), Path("/usr/local/lib"))


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Under a parser that knows `--folder`, the fleet's."""
    broker = verbs.add_parser("broker", help="what a broker that hospitals share is told (docs/broker.md)")
    words = broker.add_subparsers(title="verbs", metavar="VERB", required=True)
    made = _verb(words, "conf", _conf, "mosquitto.conf, to stdout")
    made.add_argument("--certs", default="/etc/mosquitto/certs", metavar="FOLDER")
    made.add_argument("--port", type=int, default=8883)
    made.add_argument("--plugin", default="", metavar="FILE", help=f"{PLUGIN}, where it is not found by itself")
    _sited(_verb(words, "access", _access, "who may what, for a broker that is new, to stdout"))
    brought = _sited(_verb(words, "sync", _sync, "bring a broker that runs to it; disconnects whom it concerns"))
    brought.add_argument("--host", default="localhost")
    brought.add_argument("--port", type=int, default=8883)
    brought.add_argument("--keys", type=Path, required=True, metavar="FOLDER", help="the admin's, as a centre has them")
    refused = _verb(verbs, "refusals", _refusals, "whom a mosquitto refused, from its log, a line of JSON each")
    refused.add_argument("log", metavar="LOGFILE", help="- for what comes in")
    refused.add_argument("--by-name", action="store_true", help="without the fleet: judge a Will by its topic's id")


def _verb(verbs: Any, name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    verb.set_defaults(run=lambda args: _run(run, args))
    return verb


def _sited(verb: argparse.ArgumentParser) -> argparse.ArgumentParser:
    text = "a centre's name, and its sites where it does not serve all; may be repeated (default: centre)"
    verb.add_argument("--centre", action="append", default=[], metavar="NAME[=SITE,...]", help=text)
    group = "a group in which centres take turns (`share` in centre.toml); may be repeated"
    verb.add_argument("--share", action="append", default=[], metavar="GROUP", help=group)
    return verb


def _run(run: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    try:
        store, shared = importlib.import_module("centre.fleet.store"), importlib.import_module("centre.fleet.broker")
        errors = (store.FleetError, shared.AccessError)
    except ModuleNotFoundError as error:
        raise CommandError(f"a package is missing: {error.name}", "pip install 'wardlink[centre]'") from error
    try:
        return run(args)
    except errors as error:
        raise CommandError(str(error), getattr(error, "hint", "wardlink fleet list")) from error


def _conf(args: argparse.Namespace) -> int:
    broker = importlib.import_module("centre.fleet.broker")
    plugin = args.plugin or next((str(path) for lib in LIBRARIES for path in sorted(lib.rglob(PLUGIN))), "")
    if not plugin:
        raise CommandError(f"{PLUGIN} is not here", "it comes with mosquitto 2; --plugin names where the broker has it")
    print(broker.conf(broker.Place(certs=args.certs, plugin=plugin, port=args.port)), end="")
    return 0


def _access(args: argparse.Namespace) -> int:
    print(importlib.import_module("centre.fleet.broker").access_text(_sites(args)), end="")
    return 0


def _sync(args: argparse.Namespace) -> int:
    brings = importlib.import_module("centre.fleet.broker_sync")
    keys = args.keys
    line = brings.Line(args.host, args.port, keys / "ca.crt", keys / "centre.crt", keys / "centre.tls.key")
    try:
        done = brings.sync(line, _sites(args))
    except brings.BrokerError as error:
        raise CommandError(str(error), error.hint) from error
    for change in done:
        print(change["command"], change.get("username") or change["rolename"])
    print(f"{len(done)} changes", file=sys.stderr)
    return 0


def _refusals(args: argparse.Namespace) -> int:
    refusals, shared = (importlib.import_module(f"centre.fleet.{name}") for name in ("refusals", "broker"))
    may = None if args.by_name else shared.may_publish(_sites(args))
    with _lines(args.log) as lines:
        for refusal in refusals.read(lines, may):
            print(refusal.line(), flush=True)
    return 0


@contextmanager
def _lines(path: str) -> Iterator[Iterator[str]]:
    """Lines that end with a line feed, and with nothing else that Unicode takes for an end of a line."""
    name: str | int = sys.stdin.fileno() if path == "-" else path
    with open(name, encoding="utf-8", errors="backslashreplace", newline="\n", closefd=path != "-") as file:
        yield iter(file)


def _sites(args: argparse.Namespace) -> list[Any]:
    store, shared = importlib.import_module("centre.fleet.store"), importlib.import_module("centre.fleet.broker")
    centres = {}
    for word in getattr(args, "centre", None) or ["centre"]:
        name, _, sites = word.partition("=")
        centres[name] = tuple(site for site in sites.split(",") if site)
    with store.reading(args.folder) as db:
        named = [row["site"] for row in db.execute("SELECT site FROM site ORDER BY site")]
        active = db.execute("SELECT gateway, site FROM gateway WHERE state = 'active' ORDER BY gateway").fetchall()
    rows, shares = [(row["site"], row["gateway"]) for row in active], tuple(getattr(args, "share", None) or ())
    return list(shared.arranged(named, rows, centres, shares))
