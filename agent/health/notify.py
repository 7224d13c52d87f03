"""The service manager: READY, STATUS, and a WATCHDOG that is fed by progress of the data path alone.

One datagram to a socket that it names (sd_notify(3), systemd 257): libsystemd would bring a MiB and four libraries.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

SOCKET_VARIABLE = "NOTIFY_SOCKET"


def ready(status: str) -> None:
    tell(f"READY=1\nSTATUS={status}")


def progress(status: str) -> None:
    """A bundle interval passed and its envelopes are durable, or could not be made durable and that was said."""
    tell(f"WATCHDOG=1\nSTATUS={status}")


def stopping() -> None:
    tell("STOPPING=1")


def tell(words: str) -> None:
    """To the service manager where one asks for it. Raises OSError where it does not hear."""
    place = os.environ.get(SOCKET_VARIABLE, "")
    if not place.startswith(("/", "@")):  # no manager, or one outside of a virtual machine
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.connect("\0" + place[1:] if place[0] == "@" else place)
        out.send(words.encode())


def replace(path: Path, data: bytes) -> None:
    """Write a file of the runtime folder (memory, not the card) so that a reader sees the old or the new one."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_bytes(data)
    aside.replace(path)
