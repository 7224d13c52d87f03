"""A simulated oximeter whose every frame carries a running number, on a pseudo-terminal that waits for nobody.

Protocol: drivers/devices/contec_v7.py. Number n of a frame: its low 15 bits are the samples of the three waves, and
n >> 4 is the perfusion index, so that numerics are told apart as well.
"""

from __future__ import annotations

import fcntl
import os
import struct
import termios
import tty
from pathlib import Path

from agent.lab.voices.contec_v7 import packet
from tests.crash.holes import Death

FRAME_BYTES = 9
WRAP = 1 << 15
STEP = 4  # bits of the number that the numeric does not have
INDEX_WRAP = 1 << 15
PULSE, SATURATION = 72, 97
LATE_FRAMES = 60  # written, and not yet where the kernel counts it
KERNEL_BYTES = 65536 + 4096  # what it keeps for a line, at most; it counts only the last of it
COUNTED_BYTES = 4096 - 256  # with so many unread there may be more behind them


def frame(number: int) -> bytes:
    index = number_index(number)
    low = number % WRAP
    return packet(0x01, low & 15, low >> 4 & 0x7F, low >> 11, PULSE, SATURATION, index & 0xFF, index >> 8)


def number_index(number: int) -> int:
    return number >> STEP & (INDEX_WRAP - 1)


class Feeder:
    """`written` are the numbers whose frames the line took whole, in order, `deaths` what came in between;
    `overrun` counts those it did not take."""

    def __init__(self, link: Path) -> None:
        self._host, self._device = os.openpty()
        tty.setraw(self._device)
        os.set_blocking(self._host, False)
        link.symlink_to(os.ttyname(self._device))
        self.path = link
        self.number = 0
        self.written: list[int] = []
        self.deaths: list[Death] = []
        self.overrun = 0
        self._rest = b""

    @property
    def descriptors(self) -> tuple[int, int]:
        return self._host, self._device

    def feed(self, count: int) -> None:
        """Say the next `count` frames; those that the line has no room for are gone, as on a wire."""
        numbers = range(self.number, self.number + count)
        self.number += count
        if self.flush():
            taken = self._write(b"".join(map(frame, numbers)))
            whole = -(-taken // FRAME_BYTES)  # the frame that was cut is finished before anything else is said
            self.written += numbers[:whole]
            self._rest = frame(numbers[whole - 1])[taken % FRAME_BYTES :] if taken % FRAME_BYTES else b""
            self.overrun += count - whole
        else:
            self.overrun += count

    def flush(self) -> bool:
        """Whether no frame is cut; and hear, and forget, what the gateway says."""
        try:
            while os.read(self._host, 65536):
                continue
        except BlockingIOError:
            self._rest = self._rest[self._write(self._rest) :]
        return not self._rest

    def unread_bytes(self) -> int:
        """What the gateway could read at once; the kernel may hold more behind it."""
        return int(struct.unpack("i", fcntl.ioctl(self._device, termios.FIONREAD, bytes(4)))[0])

    def died(self) -> None:
        """The gateway was killed just now."""
        unread = self.unread_bytes()
        unread = KERNEL_BYTES if unread > COUNTED_BYTES else unread
        self.deaths.append(Death(len(self.written), -(-unread // FRAME_BYTES) + LATE_FRAMES))

    def _write(self, data: bytes) -> int:
        done = 0
        while done < len(data):
            try:
                done += os.write(self._host, data[done:])
            except BlockingIOError:
                break
        return done

    def close(self) -> None:
        os.close(self._host)
        os.close(self._device)
