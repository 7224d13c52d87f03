"""`wardlink page`: the bedside page, a process of its own. It reads what the gateway tells, and can ask for deeds.

It runs before there is a configuration, and beside a gateway that does not: then it says so.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from pathlib import Path

from agent.cli.talk import CommandError
from config.load import ConfigError, read


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("page", help="the bedside page", description=__doc__)
    parser.add_argument("--config", default="/etc/wardlink/gateway.toml", metavar="FILE")
    parser.add_argument("--listen", metavar="HOST:PORT", help="instead of the configured address")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from agent.health import causes
    from agent.page import server, words
    from agent.page.choices import Part
    from agent.page.run import run as serve

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    path = Path(args.config)
    part = read(path, Part) if path.exists() else Part()
    listen = args.listen or part.page.listen
    try:
        sockets = server.sockets(listen)
    except ValueError as error:
        raise ConfigError(f"listen {listen!r} is no address", 'like "*:80" or "127.0.0.1:8080"') from error
    except OSError as error:
        raise CommandError(f"cannot listen at {listen}: {error.strerror}", "is another page running?") from error
    try:
        asyncio.run(serve(part.page, Path(part.runtime), sockets, causes.of))
    except words.WordsError as error:
        raise CommandError(f"the words of the page are not whole: {error}", "install wardlink anew") from error
    return 0
