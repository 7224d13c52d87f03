"""Serial adapters that are plugged in now, and where."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from serial.tools.list_ports_linux import SysFS, comports

FOUND = "found.json"  # in the runtime folder: who was understood at which place
HOT = ("/dev/ttyUSB", "/dev/ttyACM")  # what comes and goes; a board's own UART is pinned, or not ours


@dataclass(frozen=True, slots=True)
class Plug:
    """`place` is the socket and stays the same whatever name the kernel gives; `adapter` is what is in it.

    Adapters' own serial numbers are not used: twins have the same (systemd/systemd#30574).
    """

    path: str
    place: str
    adapter: str = ""


class Plugs:
    """Call it for what is plugged in, by path. /sys is read only where /dev has changed."""

    def __init__(self) -> None:
        self._nodes: list[tuple[str, int]] = []
        self._found: tuple[Plug, ...] = ()

    def __call__(self) -> tuple[Plug, ...]:
        nodes = sorted((entry.path, entry.inode()) for entry in os.scandir("/dev") if entry.path.startswith(HOT))
        if nodes != self._nodes:
            found = [plug_of(port) for port in comports() if port.device.startswith(HOT)]
            self._nodes, self._found = nodes, tuple(sorted(found, key=lambda plug: plug.path))
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
