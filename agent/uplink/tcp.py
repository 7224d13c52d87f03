"""What we ask of the kernel's TCP (tcp(7), linux/sockios.h)."""

from __future__ import annotations

import fcntl
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

# What the kernel may have sent without an answer before it gives up: above every stall of ours, so that it only ends
# what we do not watch (a goodbye, a ping).
USER_TIMEOUT_MS = 60_000
# bbr measures what the link carries; cubic takes each lost packet for a full link, and on radio it is not. Where the
# kernel has no bbr, or does not let us have it, its own choice stays.
CONGESTION = b"bbr"
_SIOCOUTQNSD = 0x894B  # what is in the send queue and was never sent

Open = Callable[[str, int, float], socket.socket]  # (host, port, seconds for each step)


def direct(host: str, port: int, limit_s: float) -> socket.socket:
    """A connection without a proxy. Raises OSError."""
    return socket.create_connection((named(host), port), timeout=limit_s)


def named(host: str) -> str:
    """A host as the resolver takes it: what is ASCII needs no IDNA, whose tables are 0.9 MiB."""
    return host.encode() if host.isascii() else host  # type: ignore[return-value]  # typeshed lacks bytes here


def tune(sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    with suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, CONGESTION)


def cork(sock: Any, is_corked: bool) -> None:
    """While corked only whole segments leave."""
    if isinstance(sock, socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, int(is_corked))


def unsent_bytes(fd: int) -> int:
    return int.from_bytes(fcntl.ioctl(fd, _SIOCOUTQNSD, bytes(4)), sys.byteorder)
