"""`wardlink drivers [ID]`: which devices are understood, and how an engineer wires them."""

from __future__ import annotations

import argparse
import json
from typing import Any

from drivers import registry
from drivers.contract import Driver


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("drivers", help="list the drivers, or explain one", description=__doc__)
    parser.add_argument("id", nargs="?", help="a driver's id")
    parser.add_argument("--udev", action="store_true", help="the udev rules for serial adapters")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    kinds = (registry.driver(args.id),) if args.id else registry.all_drivers()
    if args.udev:
        from agent.cli import udev

        print(udev.text(registry.all_drivers()), end="")
    elif args.json:
        print(json.dumps([_row(kind) for kind in kinds], indent=1, ensure_ascii=False))
    elif args.id:
        print(_page(kinds[0]))
    else:
        for kind in kinds:
            print(f"{kind.info.id:22} {kind.info.integrity:5} {', '.join(kind.info.models)}")
    return 0


def _row(kind: type[Driver]) -> dict[str, Any]:
    info = kind.info
    return {
        "id": info.id,
        "models": info.models,
        "line": [str(claim) for claim in info.claims],
        "emits": info.emits,
        "integrity": info.integrity,
        "wiring": info.wiring,
        "sends": sorted(data.hex() for data in info.sends),
        "masked": [(one.data.hex(), one.free.hex()) for one in info.masked],
    }


def _page(kind: type[Driver]) -> str:
    info = kind.info
    asked = f" and {len(info.masked)} that carry a number" if info.masked else ""
    speaks = f"sends {len(info.sends)} fixed requests{asked}, nothing else" if info.sends else "sends nothing"
    lines = [
        f"{info.id}: {', '.join(info.models)}",
        f"  line       {'; '.join(map(str, info.claims))}",
        f"  wiring     {info.wiring}",
        f"  channels   {', '.join(info.emits)}",
        f"  integrity  {info.integrity}",
        f"  speaks     {speaks}",
    ]
    return "\n".join(lines)
