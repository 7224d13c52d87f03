"""An emulated adapter or keyboard in a socket of the kernel's virtual host controller: USB/IP over a socket pair.

It must live in another process than whoever opens the port: the kernel waits for our answers with the opener's thread.
Closing our end is what an unplugged cable looks like.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from pathlib import Path

from tests.vm.ftdi import Chip
from tests.vm.scanner import Scanner

HOST = Path("/sys/devices/platform/vhci_hcd.0")
SUBMIT, UNLINK, SUBMITTED, UNLINKED = 1, 2, 3, 4
FULL_SPEED = 2
FREE = 4  # the state of a socket in which nothing is
STALLED, RESET = -32, -104  # EPIPE, ECONNRESET
HEAD_BYTES = 48
OUT, IN = 0, 1


def free_sockets() -> list[int]:
    """The numbers of the USB 2 sockets in which nothing is plugged, and that the kernel has seen empty.

    Who plugs in sooner (nobody can by hand) is taken for the one that was there: vhci_hcd leaves its port enabled.
    """
    rows = [row.split() for row in (HOST / "status").read_text(encoding="ascii").splitlines()[1:]]
    free = [int(row[1]) for row in rows if row[0] == "hs" and int(row[2]) == FREE]
    return [number for number in free if not (_bus() / _device(number)).exists()]


def has_port(number: int) -> bool:
    """The kernel has made a serial port of what is plugged in there."""
    return any((_bus() / _device(number)).glob("*/ttyUSB*"))


def place(number: int) -> str:
    """The gateway's name for a socket."""
    return f"usb-{_device(number)}"


def _device(number: int) -> str:
    return f"{_bus().name.removeprefix('usb')}-{number + 1}"


def _bus() -> Path:
    (bus,) = (hub for hub in HOST.glob("usb[0-9]*") if (hub / "speed").read_text(encoding="ascii").strip() == "480")
    return bus


class Plugged:
    """A chip in a socket, from now until `unplug`."""

    def __init__(self, chip: Chip | Scanner, number: int) -> None:
        self.chip = chip
        self.number = number
        self._reads: list[tuple[int, int]] = []  # (number of the request, bytes) that wait for data
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            words = f"{number} {theirs.fileno()} {0x10001 + number} {FULL_SPEED}"
            fd = os.open(HOST / "attach", os.O_WRONLY)
            try:
                os.write(fd, words.encode())
            finally:
                os.close(fd)
        self._ours = ours
        self._writer: asyncio.StreamWriter | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._task = asyncio.create_task(self._live())

    @property
    def is_read(self) -> bool:
        """The host has the port open."""
        return bool(self._reads)

    def unplug(self) -> None:
        self._task.cancel()
        if self._tick is not None:
            self._tick.cancel()
        self._ours.close() if self._writer is None else self._writer.close()

    def feed(self, is_due: bool = False) -> None:
        """Answer the reads that wait, as far as the chip has something to say."""
        while self._reads and (data := self.chip.packets(self._reads[0][1], is_due)):
            self._submitted(self._reads.pop(0)[0], 0, data, len(data))
        if self._tick is None and self._reads and self.chip.waiting_bytes:
            loop, latency_s = asyncio.get_running_loop(), self.chip.latency_ms / 1000
            self._tick = loop.call_later(latency_s - loop.time() % latency_s, self._ticked)

    def _ticked(self) -> None:
        self._tick = None
        self.feed(is_due=True)

    async def _live(self) -> None:
        reader, self._writer = await asyncio.open_connection(sock=self._ours)
        try:
            while True:
                await self._request(await reader.readexactly(HEAD_BYTES), reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            self._writer.close()  # the kernel has let go of it

    async def _request(self, head: bytes, reader: asyncio.StreamReader) -> None:
        command, number, _, direction, endpoint = struct.unpack_from(">5I", head)
        if command == UNLINK:
            (victim,) = struct.unpack_from(">I", head, 20)
            left = [read for read in self._reads if read[0] != victim]
            status, self._reads = (RESET if len(left) < len(self._reads) else 0), left
            self._answer(struct.pack(">5Ii", UNLINKED, number, 0, 0, 0, status) + bytes(24))
            return
        (length,) = struct.unpack_from(">i", head, 24)
        sent = await reader.readexactly(length) if direction == OUT and length > 0 else b""
        if endpoint == 0:
            self._control(number, direction, length, head[40:48])
        elif direction == IN:
            self._reads.append((number, length))
        else:
            self.chip.heard += sent
            self._submitted(number, 0, b"", length)
        self.feed()

    def _control(self, number: int, direction: int, length: int, setup: bytes) -> None:
        told = self.chip.control(setup)
        if told is None:
            self._submitted(number, STALLED, b"", 0)
        else:
            self._submitted(number, 0, told if direction == IN else b"", len(told) if direction == IN else length)

    def _submitted(self, number: int, status: int, data: bytes, count: int) -> None:
        self._answer(struct.pack(">5I5i", SUBMITTED, number, 0, 0, 0, status, count, 0, 0, 0) + bytes(8) + data)

    def _answer(self, data: bytes) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(data)
