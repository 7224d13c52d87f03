"""Serial adapters that are plugged in now, and where."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from serial.tools.list_ports_linux import SysFS, comports

FOUND = "found.json"  # in the runtime folder: who was understood at which place
LOOKS_LIMIT = 5  # at one a second; a machine whose /sys never tells is believed then
CHANGES = 0x004 | 0x100 | 0x200  # IN_ATTRIB, IN_CREATE, IN_DELETE
CHANGES_BYTES = 65536
HOT = ("/dev/ttyUSB", "/dev/ttyACM")  # what comes and goes; a board's own UART is pinned, or not ours


@dataclass(frozen=True, slots=True)
class Plug:
    """`place` is the socket and stays the same whatever name the kernel gives; `adapter` is what is in it.

    Adapters' own serial numbers are not used: twins have the same (systemd/systemd#30574).
    """

    path: str
    place: str
    adapter: str = ""


class Bell:
    """Rings when something in /dev comes, goes, or may be opened by others: udev gives rights after the name.

    Costs nothing while nothing changes. Where the system has no inotify to give it stays silent: whoever waits looks
    once a second anyhow.
    """

    def __init__(self, ring: Callable[[], None], dev: Path = Path("/dev")) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._ring = ring
        self._fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd >= 0 and libc.inotify_add_watch(self._fd, os.fsencode(dev), CHANGES) >= 0:
            asyncio.get_running_loop().add_reader(self._fd, self._heard)

    def _heard(self) -> None:
        os.read(self._fd, CHANGES_BYTES)
        self._ring()

    def close(self) -> None:
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)


class Plugs:
    """Call it for what is plugged in, by path. /sys is read only where /dev has changed, and while it lags behind: an
    adapter whose place it does not tell yet is left out, for LOOKS_LIMIT looks.
    """

    def __init__(self, dev: Path = Path("/dev"), ports: Callable[[], list[SysFS]] = comports) -> None:
        self._dev = dev
        self._ports = ports
        self._nodes: list[tuple[str, int]] = []
        self._found: tuple[Plug, ...] = ()
        self._looks = 0

    def __call__(self) -> tuple[Plug, ...]:
        found = ((entry.name, entry.inode()) for entry in os.scandir(self._dev))
        nodes = sorted(node for node in found if f"/dev/{node[0]}".startswith(HOT))
        if nodes != self._nodes:
            self._nodes, self._looks = nodes, LOOKS_LIMIT
        if self._looks:
            try:
                ports = [port for port in self._ports() if port.device.startswith(HOT)]
            except (OSError, TypeError, ValueError):  # an adapter left while pyserial read about it: at the next look
                return self._found
            placed = [port for port in ports if port.location]
            self._looks = 0 if len(placed) == len(nodes) else self._looks - 1
            told = placed if self._looks else ports
            self._found = tuple(sorted(map(plug_of, told), key=lambda plug: plug.path))
        return self._found


def socket_of(name: str, root: Path) -> str:
    """Which of an adapter's sockets, where one interface has several and the kernel numbers them."""
    try:
        number = (root / name / "device" / "port_number").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    return f"-port{number}" if number not in ("", "0") else ""


def plug_of(port: SysFS, root: Path = Path("/sys/class/tty")) -> Plug:
    place = f"usb-{port.location}{socket_of(port.name, root)}" if port.location else port.name
    words = (port.manufacturer, port.product)
    return Plug(port.device, place, " ".join(word for word in words if word))
