"""A keyboard that types what it reads, a barcode reader mostly: opened like a line, for us alone, and read as text.

Its events are taken whole (EVIOCGRAB): nothing of a scan lands on the console or in somebody's form. `SerialPort` does
the rest: waiting for the device, tape before ear, loss and return. Nothing can be sent.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from agent.ports.keys import LAYOUTS, Keys
from config.load import ConfigError
from drivers.contract import Serial

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

EVENT = struct.Struct("@llHHi")  # struct input_event: seconds, microseconds, type, code, value
EVENTS_COUNT = 128  # read at once
EVIOCGRAB = 0x40044590


def grab(fd: int) -> None:
    """Its events are for us alone until it is closed. Raises OSError: it is no keyboard, or somebody else has it."""
    fcntl.ioctl(fd, EVIOCGRAB, 1)


class Keyboard:
    """An open keyboard, a `Cable`: what is read is text, a line ends with a line feed."""

    def __init__(self, fd: int, layout: str) -> None:
        self._fd = fd
        self._keys = Keys(layout)

    def fileno(self) -> int:
        return self._fd

    def read(self, size: int = 0, /) -> bytes:
        """The text typed by now. Raises BlockingIOError where there is none (most events type nothing)."""
        data = os.read(self._fd, EVENTS_COUNT * EVENT.size)
        if not data:
            return b""
        text = self._keys.feed(event[2:] for event in EVENT.iter_unpack(data[: len(data) // EVENT.size * EVENT.size]))
        if not text:
            raise BlockingIOError(errno.EAGAIN, "no key typed text")
        return text.encode()

    def write(self, data: ReadableBuffer, /) -> int:
        raise OSError(errno.EPERM, "a keyboard is not spoken to")

    @property
    def misread(self) -> int:
        """Keys are not misread."""
        return 0

    def become(self, line: Serial) -> None:
        """It has no settings."""

    def close(self) -> None:
        os.close(self._fd)


def open_keyboard(path: str, line: Serial, *, layout: str, take: Callable[[int], None] = grab) -> Keyboard:
    """Open an event device of Linux for us alone. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        take(fd)
    except OSError:
        os.close(fd)
        raise
    return Keyboard(fd, layout)


def opener(layout: str) -> Callable[[str, Serial], Keyboard]:
    """How keyboards of this layout are opened. Raises ConfigError."""
    if layout not in LAYOUTS:
        raise ConfigError(f"keyboard layout {layout!r} is not known", f"there are: {', '.join(LAYOUTS)}")
    return partial(open_keyboard, layout=layout)
