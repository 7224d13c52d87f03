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
from agent.page.app import Pages
from agent.page.bedside import Bedside
from agent.page.guard import Guard
from agent.page.seen import Seen
from agent.page.sessions import Sessions
from drivers import registry

log = logging.getLogger("wardlink.page")


def called(driver_id: str) -> str:
    """What people call the device: the first model that its driver names."""
    try:
        return registry.driver(driver_id).info.models[0]
    except registry.UnknownDriverError:
        return driver_id


async def run(chosen: choices.Page, runtime: Path, sockets: list[socket.socket]) -> None:
    """Until SIGTERM. Raises words.WordsError."""
    known, wrong = words.load()
    for one in wrong:
        log.error("page words refused: %s", one)
    bedside = Bedside(runtime)
    sessions = Sessions(clock.now, os.urandom)
    pages = Pages(known, chosen.language, Seen(runtime), bedside, sessions, clock.now, called)
    listening = asyncio.create_task(bedside.run())
    try:
        await server.server(Guard(pages.app(), (*chosen.hosts, socket.gethostname()))).serve(sockets)
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
