"""`wardlink centre rollout start|list|stop|go-on`: an update of many gateways, a few first.

1 in 100, then 1 in 10, then all; each stage lasts a day at least, and more than one failure in a hundred stops it all.
The running centre does it; these verbs only say what is wanted.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

Module = Callable[[str], ModuleType]
Asked = Callable[[ModuleType, Callable[[], Any]], Any]


def add(verbs: Any, module: Module, asked: Asked) -> None:
    """Below `wardlink centre`, which loads the centre (`module`) and tells what goes wrong there (`asked`)."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "rollout", help="an update of many gateways, a few first", description=__doc__
    )
    deeds = parser.add_subparsers(title="verbs", metavar="VERB", required=True)

    def deed(name: str, work: Callable[[Any, argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        one: argparse.ArgumentParser = deeds.add_parser(name, help=text)
        one.add_argument("--config", default="/etc/wardlink/centre.toml", metavar="FILE")
        one.set_defaults(
            run=lambda args: asked(module("centre.desk"), lambda: work(module("centre.rollout_desk"), args))
        )
        return one

    begins = deed("start", _start, "begin one")
    begins.add_argument("words", nargs="+", metavar="VERSION URL SHA256 [FLOOR]", help="as of the command `update`")
    begins.add_argument("--site", action="append", default=[], metavar="SITE", help="only there; may be repeated")
    begins.add_argument("--soak-hours", type=float, default=24.0, help="how long a stage lasts at least (24)")
    deed("list", _list, "how far each has come")
    for name, work, text in (("stop", _stop, "tell nobody else"), ("go-on", _go_on, "tell those again that failed")):
        deed(name, work, text).add_argument("version", metavar="VERSION")


def _start(desk: Any, args: argparse.Namespace) -> int:
    desk.start(Path(args.config), args.words, args.site, args.soak_hours)
    print("begun: wardlink centre rollout list")
    return 0


def _list(desk: Any, args: argparse.Namespace) -> int:
    for one in desk.listed(Path(args.config)):
        print(desk.line(one))
    return 0


def _stop(desk: Any, args: argparse.Namespace) -> int:
    desk.stop(Path(args.config), args.version)
    print("stopped: who has begun is not called back")
    return 0


def _go_on(desk: Any, args: argparse.Namespace) -> int:
    desk.go_on(Path(args.config), args.version)
    print("it goes on: wardlink centre rollout list")
    return 0
