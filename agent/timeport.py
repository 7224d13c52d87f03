"""Asks the centre's time port: a datagram, and where those are blocked one small HTTP request. Blocking, for a thread.

Signed answers need no certificate and so no date, which is the point: this comes before TLS.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.exchange import Exchange
from agent.uplink.tcp import Open, direct
from wire import moment
from wire.records import Anchor

DATAGRAM_LIMIT_S = 2.5
DATAGRAM_COUNT = 2
HTTP_LIMIT_S = 6.0
REPLY_LIMIT_BYTES = 4096
log = logging.getLogger("wardlink.time")


class TimePort:
    """`now` is monotonic nanoseconds. `opens` makes TCP connections; datagrams pass no proxy."""

    def __init__(
        self,
        host: str,
        port: int,
        gateway: str,
        exchange: Exchange,
        now: Callable[[], int],
        opens: Open = direct,
    ) -> None:
        self._opens = opens
        self._place = (host, port)
        self._gateway = gateway
        self._exchange = exchange
        self._now = now
        self._is_silent = False

    def believe(self, centre: Sequence[Ed25519PublicKey]) -> None:
        self._exchange.believe(centre)

    def ask(self) -> Anchor | None:
        """The best that a few questions found; None where nobody answers as the centre would."""
        found = self._by_datagram() or self._by_http()
        if (found is None) != self._is_silent:
            self._is_silent = found is None
            log.warning("time port=%s:%d answers=%s", *self._place, found is not None)
        return found

    def _by_datagram(self) -> Anchor | None:
        try:
            family, kind, protocol, _, place = socket.getaddrinfo(*self._place, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, kind, protocol) as sock:
                sock.connect(place)
                for _ in range(DATAGRAM_COUNT):
                    nonce = self._exchange.question(self._now())
                    sock.send(moment.question(self._gateway, nonce))
                    anchor = self._hear(sock)
                    if anchor is not None:
                        return anchor
        except OSError:
            return None  # refused, or no way there: the other road is tried
        return None

    def _hear(self, sock: socket.socket) -> Anchor | None:
        """The first good answer within the limit; what is refused does not end the wait."""
        until = self._now() + int(DATAGRAM_LIMIT_S * 1e9)
        while (left := until - self._now()) > 0:
            sock.settimeout(left / 1e9)
            try:
                data = sock.recv(REPLY_LIMIT_BYTES)
            except TimeoutError:
                return None
            anchor = self._exchange.answered(data, self._now())
            if anchor is not None:
                return anchor
        return None

    def _by_http(self) -> Anchor | None:
        host, port = self._place
        try:
            with self._opens(*self._place, HTTP_LIMIT_S) as sock:
                nonce = self._exchange.question(self._now())
                path = f"/time/{self._gateway}/{nonce.hex()}"
                sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode("ascii"))
                reply = _whole(sock)
                now = self._now()
        except (OSError, UnicodeError):
            return None
        head, _, body = reply.partition(b"\r\n\r\n")
        return self._exchange.answered(body, now) if head.split(b" ")[1:2] == [b"200"] else None


def _whole(sock: socket.socket) -> bytes:
    """Until the other side closes, or says more than an answer has. Raises OSError."""
    reply = b""
    while len(reply) < REPLY_LIMIT_BYTES:
        data = sock.recv(REPLY_LIMIT_BYTES)
        if not data:
            break
        reply += data
    return reply
