"""The process of the page: sockets, words, the gateway's files and the door to the binding, joined."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from pathlib import Path

from agent import clock
from agent.page import choices, server, words
from agent.page.app import Causes, Pages
from agent.page.bedside import Bedside
from agent.page.guard import Guard
from agent.page.seen import Seen
from agent.page.sessions import Sessions

log = logging.getLogger("wardlink.page")


async def run(chosen: choices.Page, runtime: Path, sockets: list[socket.socket], causes: Causes) -> None:
    """Until SIGTERM. Raises words.WordsError."""
    known, wrong = words.load()
    for one in wrong:
        log.error("page words refused: %s", one)
    bedside = Bedside(runtime)
    sessions = Sessions(clock.now, os.urandom)
    pages = Pages(known, chosen.language, Seen(runtime), bedside, sessions, clock.now, causes)
    listening = asyncio.create_task(bedside.run())
    try:
        await server.server(Guard(pages.app(), (*chosen.hosts, socket.gethostname()))).serve(sockets)
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
