"""How many bytes the links have carried, both ways, as the kernel counts them (tcp(7), TCP_INFO; linux/tcp.h)."""

from __future__ import annotations

import socket
import struct

# Around each segment: TCP with time stamps 32, IPv4 20 (IPv6 40, and a provider may count its own headers too).
SEGMENT_BYTES = 52
# A dial that found somebody and came to nothing: TCP, a whole handshake of TLS with both certificates (2.4 kB). Who
# closed that socket did not ask what it had carried.
FAILED_DIAL_BYTES = 4_096
_RECEIVED, _SEGMENTS, _SENT, _LEAST_BYTES = 128, 136, 200, 208
_INFO_LIMIT_BYTES = 256


class Meter:
    """Of all connections one after the other; what was sent again counts again."""

    def __init__(self) -> None:
        self._before_bytes = 0
        self._open_bytes = 0

    @property
    def total_bytes(self) -> int:
        return self._before_bytes + self._open_bytes

    def look(self, sock: socket.socket | None) -> None:
        """At the connection that is open."""
        if sock is not None and sock.fileno() >= 0:
            self._open_bytes = carried_bytes(sock)

    def end(self, sock: socket.socket | None) -> None:
        """The connection is about to be closed."""
        self.look(sock)
        self.add(self._open_bytes)
        self._open_bytes = 0

    def add(self, size_bytes: int) -> None:
        self._before_bytes += size_bytes


def carried_bytes(sock: socket.socket) -> int:
    """What one connection has carried, with its headers; 0 where the kernel does not say (before Linux 4.19)."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_LIMIT_BYTES)
    if len(info) < _LEAST_BYTES:
        return 0
    (received,), (sent,) = struct.unpack_from("=Q", info, _RECEIVED), struct.unpack_from("=Q", info, _SENT)
    return int(received + sent + sum(struct.unpack_from("=II", info, _SEGMENTS)) * SEGMENT_BYTES)
