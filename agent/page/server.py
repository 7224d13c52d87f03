"""The sockets of the page, and how long and how often anybody may hold one.

One request a connection, ten seconds for all of it: a phone that went away and an attacker that sends a byte a second
cost the same and little. Where systemd hands over sockets (LISTEN_FDS), those are used and none is opened.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections import Counter
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTION_LIMIT_S = 10.0
CONNECTIONS_LIMIT_COUNT = 64
CONNECTIONS_OF_ONE_LIMIT_COUNT = 16
HEAD_LIMIT_BYTES = 8192
BACKLOG_COUNT = 64
FIRST_FD = 3  # sd_listen_fds(3)

_open: Counter[str] = Counter()  # connections by address


class Brief(H11Protocol):
    """HTTP/1.1 on one connection, which ends in time."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        _open[self._peer] += 1
        self._end = asyncio.get_running_loop().call_later(CONNECTION_LIMIT_S, transport.abort)
        if _open.total() > CONNECTIONS_LIMIT_COUNT or _open[self._peer] > CONNECTIONS_OF_ONE_LIMIT_COUNT:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        _open[self._peer] -= 1
        if not _open[self._peer]:
            del _open[self._peer]
        super().connection_lost(exc)


def sockets(listen: str) -> list[socket.socket]:
    """Those of systemd, else one for `host:port` (`*`: every address, IPv6 and IPv4). Raises OSError, ValueError."""
    handed = int(os.environ.get("LISTEN_FDS", "0")) if os.environ.get("LISTEN_PID") == str(os.getpid()) else 0
    if handed:
        return [socket.socket(fileno=FIRST_FD + number) for number in range(handed)]
    host, _, number = listen.rpartition(":")
    port = int(number)
    if not 0 <= port < 65536:
        raise ValueError(f"port {port}")
    if host == "*":
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        opened = socket.create_server(("", port), family=family, backlog=BACKLOG_COUNT, dualstack_ipv6=both)
    else:
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        opened = socket.create_server((host, port), family=family, backlog=BACKLOG_COUNT)
    return [opened]


def server(app: ASGIApp) -> uvicorn.Server:
    """`await server.serve(sockets)` runs until SIGTERM. Whoever sends nonsense does not fill the log with it."""
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=Brief,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=HEAD_LIMIT_BYTES,
            timeout_keep_alive=1,
            timeout_graceful_shutdown=2,
        )
    )
