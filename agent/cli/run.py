"""`wardlink run`: the gateway, in the foreground, until it is told to stop."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from agent import clock, config
from agent.cli.talk import Help, plain
from agent.lines import is_serial, line_of
from agent.ports.early import Early
from agent.ports.tape import TAPES
from drivers import registry

DEFAULT_CONFIG = "/etc/wardlink/gateway.toml"
LOG_LIMIT_LINES = 100  # of a traceback
LOG_LIMIT_LETTERS = 16_384


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("run", help="run the gateway", description=__doc__, formatter_class=Help)
    parser.add_argument("--config", default=DEFAULT_CONFIG, metavar="FILE", help=f"default {DEFAULT_CONFIG}")
    parser.add_argument("--json", action="store_true", help="log lines as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: a chunk is no work for two

    set_up_log(args.json)
    loaded = config.load(Path(args.config))
    early = listen(loaded)

    import asyncio

    from agent import gateway
    from agent.cli.talk import CommandError
    from agent.spool.terms import SpoolError
    from agent.uplink.tls import LinkError
    from agent.world import World

    try:
        asyncio.run(gateway.run(loaded, World(open_line=early.open_line, config_file=args.config)))
    except (SpoolError, LinkError) as error:
        raise CommandError(str(error), error.hint) from error
    return 0


def listen(loaded: config.Config) -> Early:
    """Open the serial ports at once: loading what is below takes half a second, and the devices are talking."""
    early = Early(Path(loaded.runtime) / TAPES, clock.now)
    for port in (one for one in loaded.port if one.driver and is_serial(one)):
        early.listen(port.path, line_of(registry.driver(port.driver), port))
    return early


def set_up_log(as_json: bool) -> None:
    """One structured line per change of state, on stderr; journald adds the time."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    logging.root.handlers[0].setFormatter(_JsonLine() if as_json else _Lines("%(levelname)s %(name)s %(message)s"))


class _Lines(logging.Formatter):
    """What a record says beyond its first line is indented: no text of others can begin a record of its own."""

    def format(self, record: logging.LogRecord) -> str:
        lines = super().format(record).split("\n")[:LOG_LIMIT_LINES]
        return "\n  | ".join(map(plain, lines))


class _JsonLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        import json

        said = super().format(record)  # the message, and the traceback if there is one
        return json.dumps({"level": record.levelname, "room": record.name, "said": said[:LOG_LIMIT_LETTERS]})
