"""Puts together what this gateway knows of the time: from the configuration, the keys folder and the world."""

from __future__ import annotations

from pathlib import Path

import msgspec

from agent.config import Config
from agent.enrol import standing
from agent.enrol.places import ENROLLED_FILE
from agent.exchange import Exchange
from agent.identity import Identity
from agent.past import PAST_FILE, Past
from agent.uplink import tcp
from agent.utc import Port, Utc
from agent.world import World


def utc_of(config: Config, world: World, who: Identity) -> Utc:
    """With the time port of the configuration, else of the directory that this gateway holds, else without one."""
    past = Past(world.files(), Path(config.state) / PAST_FILE, world.boot())
    mqtt = Exchange("mqtt", who.gateway, who.centres, world.entropy)
    place = config.time or _of_directory(Path(config.keys))
    port: Port | None = None
    if place and who.centres:
        from agent.timeport import TimePort  # noqa: PLC0415  where there is one

        host, _, number = place.rpartition(":")
        signed = Exchange("signed", who.gateway, who.centres, world.entropy)
        opens: tcp.Open = tcp.direct
        if config.proxy:
            from agent.tunnel import through  # noqa: PLC0415  most hospitals have none
            from config.proxy import proxy_of  # noqa: PLC0415

            opens = through(proxy_of(config.proxy))
        port = TimePort(host.strip("[]"), int(number), who.gateway, signed, world.now, opens)
    return Utc(world, past, Path(config.runtime), mqtt, port)


def _of_directory(keys: Path) -> str:
    """host:port, "" where the keys were made by hand or the directory names none."""
    try:
        return standing.read((keys / ENROLLED_FILE).read_bytes()).time
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return ""
