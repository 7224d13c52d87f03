"""Opening a serial line, with what the kernel already holds of it."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import termios
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import serial

from drivers.contract import Serial

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

TIOCGICOUNT = 0x545D
COUNTS = struct.Struct("@20i")  # cts dsr rng dcd rx tx frame overrun parity brk buf_overrun, and nine to come
FRAME, PARITY = 6, 8


class Cord(Protocol):
    """An open way to a device. Neither reading nor writing waits: they do what is possible now, or raise OSError."""

    def fileno(self) -> int: ...
    def read(self, size: int = ..., /) -> bytes: ...
    def write(self, data: ReadableBuffer, /) -> int: ...
    def close(self) -> None: ...


class Cable(Cord, Protocol):
    """An open serial port."""

    def become(self, line: Serial) -> None: ...

    @property
    def misread(self) -> int:
        """How often the kernel saw bytes with a wrong stop or parity bit; 0 for ever where nobody tells it."""


class _Line(serial.Serial):
    """pyserial throws away what the kernel holds when it opens a port; those are a patient's samples."""

    def _reset_input_buffer(self) -> None:
        """Keep it."""

    def _reconfigure_port(self, force_update: bool = False) -> None:
        """First of all no echo: a port as Linux opens it says to the device whatever the device says."""
        fd: int = self.fd  # type: ignore[assignment]  # open, though not yet said to be
        now = termios.tcgetattr(fd)
        termios.tcsetattr(fd, termios.TCSANOW, [now[0], 0, now[2], 0, *now[4:]])
        super()._reconfigure_port(force_update)  # type: ignore[misc]

    def read(self, size: int = 1, /) -> bytes:
        """The system's own read: pyserial's asks `select` first."""
        return os.read(self.fileno(), size)

    def write(self, data: ReadableBuffer, /) -> int:
        return os.write(self.fileno(), data)

    @property
    def misread(self) -> int:
        """Of `struct serial_icounter_struct` (linux/serial.h): frame and parity."""
        try:
            counts: tuple[int, ...] = COUNTS.unpack(fcntl.ioctl(self.fileno(), TIOCGICOUNT, bytes(COUNTS.size)))
        except OSError:  # a pseudo-terminal, or an adapter whose driver counts nothing
            return 0
        return counts[FRAME] + counts[PARITY]

    def become(self, line: Serial) -> None:
        """Other settings, without closing: a device that is reset when its port is opened must not be.

        What has not left yet, and what has not been read yet, was of the old settings, and is forgotten.
        """
        self.reset_output_buffer()
        termios.tcflush(self.fileno(), termios.TCIFLUSH)
        line = as_settable(self.port or "", line)
        self.apply_settings(
            {"baudrate": line.baud, "bytesize": line.bits, "parity": line.parity, "stopbits": line.stop}
        )
        if (self.dtr, self.rts) != (line.dtr, line.rts):
            self._set_signals(line)

    def _set_signals(self, line: Serial) -> None:
        """Where there are no such wires, that is no error when a port is opened, and none here."""
        try:
            self.dtr, self.rts = line.dtr, line.rts
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTTY):
                raise


def as_settable(path: str, line: Serial) -> Serial:
    """A pseudo-terminal has no parity, and says EINVAL to whoever sets one. It has no wire, so none is missed."""
    is_pseudo = str(Path(path).resolve()).startswith("/dev/pts/")
    return replace(line, bits=8, parity="N", stop=1) if is_pseudo else line


def open_line(path: str, line: Serial) -> _Line:
    """Open a port with these line settings, for us alone. Raises OSError, termios.error."""
    if not Path(path).exists():
        raise FileNotFoundError(errno.ENOENT, "no such port", path)
    line = as_settable(path, line)
    port = _Line(None, line.baud, line.bits, line.parity, line.stop, timeout=0, write_timeout=0, exclusive=True)
    port.port = path
    port.dtr, port.rts = line.dtr, line.rts
    port.open()
    return port
