"""`wardlink run`: the gateway, in the foreground, until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from pathlib import Path

DEFAULT_CONFIG = "/etc/wardlink/gateway.toml"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("run", help="run the gateway", description=__doc__)
    parser.add_argument("--config", default=DEFAULT_CONFIG, metavar="FILE", help=f"default {DEFAULT_CONFIG}")
    parser.add_argument("--json", action="store_true", help="log lines as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: a chunk is no work for two

    from agent import config, gateway
    from agent.cli.talk import CommandError
    from agent.spool.terms import SpoolError
    from agent.uplink.tls import LinkError

    set_up_log(args.json)
    try:
        asyncio.run(gateway.run(config.load(Path(args.config))))
    except (SpoolError, LinkError) as error:
        raise CommandError(str(error), error.hint) from error
    return 0


def set_up_log(as_json: bool) -> None:
    """One structured line per change of state, on stderr; journald adds the time."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    if as_json:
        logging.root.handlers[0].setFormatter(_JsonLine())


class _JsonLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        said = super().format(record)  # the message, and the traceback if there is one
        return json.dumps({"level": record.levelname, "room": record.name, "said": said}, ensure_ascii=False)
