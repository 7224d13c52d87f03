"""`wardlink adt`: hear the hospital's system (HL7 v2 ADT over MLLP), in a process of its own, until it is told to stop.

It needs `[patient.adt]` in the configuration, and a running gateway. What it hears is proposed to the nurse, and binds
nobody.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import ssl
from datetime import UTC, datetime
from pathlib import Path

from agent.cli.run import DEFAULT_CONFIG, set_up_log
from agent.cli.talk import CommandError
from agent.config import AdtFeed


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("adt", help="hear the hospital's system", description=__doc__)
    parser.add_argument("--config", default=DEFAULT_CONFIG, metavar="FILE", help=f"default {DEFAULT_CONFIG}")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from agent import config

    set_up_log(False)
    found = config.load(Path(args.config))
    if found.patient.adt is None:
        raise CommandError(
            "no [patient.adt] in the configuration", f"it says where to listen, and to whom: {args.config}"
        )
    try:
        asyncio.run(_serve(found.patient.adt, found.bed, Path(found.runtime)))
    except ssl.SSLError as error:
        raise CommandError(
            f"certificate, key or ca: {error.reason}", "PEM files, the key without a password"
        ) from error
    return 0


async def _serve(feed: AdtFeed, bed: str, runtime: Path) -> None:
    from agent.adt import Listener

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with await Listener(feed, bed, runtime, _stamp).serve():
        await stop.wait()


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%d%H%M%S")
