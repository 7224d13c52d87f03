"""`python -m tests.chaos`: real programs, a bad network and a seed; not one envelope may be missing or double.

Talk goes to stderr, the result as one line of JSON to --out. Exit 1, with names, if anything is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.chaos.campaign import Campaign, tell
from tests.chaos.faults import Plan
from tests.chaos.rig import Rig
from tests.chaos.verdict import NAMED_LIMIT_COUNT, Verdict

LARGE_COUNT = 10_000  # then there is time for every fault without haste


def main() -> int:
    args = _arguments()
    tell(f"seed {args.seed}")
    with tempfile.TemporaryDirectory(prefix="wardlink-chaos-", dir=args.folder) as name:
        every_s = (1.0, 6.0) if args.envelopes < LARGE_COUNT else (4.0, 20.0)
        plan = Plan(program_every_s=every_s, drain_limit_s=args.drain_limit)
        rig = Rig(Path(name), args.gateways, args.seed)
        verdict, counts = asyncio.run(_run(Campaign(rig, args.envelopes, args.epochs, plan)))
    result = _result(args, verdict, counts)
    print(json.dumps(result))
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        with args.out.open("a", encoding="utf-8") as out:
            out.write(json.dumps(result) + "\n")
    return _say(verdict)


async def _run(campaign: Campaign) -> tuple[Verdict, dict[str, Any]]:
    """Also when told to end, nothing is left running."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await campaign.run()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--envelopes", type=int, default=2000, help="of backlog; live ones come on top (default 2000)")
    parser.add_argument("--seed", type=int, default=1, help="of backlogs and faults (default 1)")
    parser.add_argument("--gateways", type=int, default=6, help="how many (default 6)")
    parser.add_argument("--epochs", type=int, default=20, help="of each backlog (default 20)")
    parser.add_argument("--drain-limit", type=float, default=900.0, help="seconds, once all is healed (default 900)")
    parser.add_argument("--out", type=Path, help="append the result as a line of JSON")
    parser.add_argument("--folder", type=Path, help="where to work (default: the system's own temporary folder)")
    return parser.parse_args()


def _result(args: argparse.Namespace, verdict: Verdict, counts: dict[str, Any]) -> dict[str, Any]:
    """Lists become their lengths: names are for people, and told apart."""
    judged = {
        field.name: len(value) if isinstance(value := getattr(verdict, field.name), list) else value
        for field in dataclasses.fields(verdict)
    }
    asked = {"envelopes": args.envelopes, "seed": args.seed, "gateways": args.gateways, "epochs": args.epochs}
    return {"campaign": "chaos", **asked, "good": not verdict.wrong, **judged, **counts}


def _say(verdict: Verdict) -> int:
    for word, names in verdict.wrong.items():
        tell(f"error: {word}: {len(names)}")
        for name in names[:NAMED_LIMIT_COUNT]:
            tell(f"  {name}")
    if not verdict.wrong:
        tell(f"all {verdict.sealed} envelopes that were sealed are stored, once, unchanged, and held")
    return 1 if verdict.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
