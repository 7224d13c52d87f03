"""Where on the network a device stands, as a path of the configuration says it. The address is always the device's.

tcp://10.0.0.5:4601         we call the device at its port 4601
tcp-from://10.0.0.5:6600    the device calls us at our port 6600; nobody else is heard there
udp://10.0.0.5:24105        the device answers datagrams at its port 24105; nobody else is heard
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

SCHEMES = ("tcp", "tcp-from", "udp")


class PlaceError(Exception):
    """This is no place: `str(error)` says why, `hint` what to write."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Place:
    """`host` is a numeric address: a name could be anybody's tomorrow."""

    scheme: str
    host: str
    port: int

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET


def is_place(path: str) -> bool:
    """Whether a path means the network and not a device file."""
    return "://" in path


def place_of(path: str) -> Place:
    """Raises PlaceError."""
    scheme, _, rest = path.partition("://")
    if scheme not in SCHEMES:
        raise PlaceError(f"there is no {scheme}://", f"there are: {', '.join(f'{one}://' for one in SCHEMES)}")
    like = f'like "{scheme}://10.0.0.5:4601"'
    try:
        parts = urlsplit(f"//{rest}")
        port = parts.port
    except ValueError as error:
        raise PlaceError("the port number is none", f"{like}, 1 to 65535") from error
    if not port:
        raise PlaceError("the port number is missing", like)
    host = _numeric(parts.hostname or "")
    if not host or parts.netloc != rest or parts.username is not None:
        raise PlaceError(f"{rest!r} is no numeric address and port", f"{like}; names are not looked up")
    return Place(scheme, host, port)


def _numeric(host: str) -> str:
    """An address as the kernel writes it; empty where it is none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, host))
    except OSError:
        return ""
