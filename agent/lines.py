"""How a configured port is opened: what the driver claims and the engineer pinned, or why that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from config.load import ConfigError
from drivers.contract import Driver, Keyboard, Serial, Tcp, Udp

if TYPE_CHECKING:
    from agent.config import Port
    from agent.ports.line import Cable
    from agent.ports.place import Place

KEYBOARDS = "/dev/input/"
UNSET = Serial(0)  # what has no line settings


def line_of(kind: type[Driver], port: Port) -> Serial:
    """How to open the port: the driver's first serial claim, at the speed the engineer pinned."""
    if is_keyboard(port):
        if not any(isinstance(claim, Keyboard) for claim in kind.info.claims):
            raise _not_found(kind, port, "keyboards")
        return UNSET
    claims = [claim for claim in kind.info.claims if isinstance(claim, Serial)]
    if not claims:
        raise _not_found(kind, port, "serial ports")
    first = next((claim for claim in claims if claim.baud == port.baud), claims[0])
    return Serial(port.baud or first.baud, first.bits, first.parity, first.stop, first.dtr, first.rts)


def is_keyboard(port: Port) -> bool:
    """Whether its path means an input device."""
    return port.path.startswith(KEYBOARDS)


def is_serial(port: Port) -> bool:
    """Whether its path means a serial line."""
    return not is_keyboard(port) and not is_network(port)


def is_network(port: Port) -> bool:
    """Whether its path means the network and not a device file."""
    return "://" in port.path


def place_of(kind: type[Driver], port: Port) -> Place:
    """Where on the network the device stands. Raises ConfigError."""
    from agent.ports import place  # noqa: PLC0415  most beds never need it

    try:
        found = place.place_of(port.path)
    except place.PlaceError as error:
        raise ConfigError(f"port {port.path}: {error}", error.hint) from error
    if not any(_fits(claim, found.scheme) for claim in kind.info.claims):
        raise _not_found(kind, port, f"{found.scheme}://")
    if port.baud:
        raise ConfigError(f"port {port.path}: baud is for serial ports", "leave it out")
    return found


def opener_of(port: Port, open_line: Callable[[str, Serial], Cable]) -> Callable[[str, Serial], Cable]:
    """Who opens the port; `open_line` does it for serial lines. Raises ConfigError."""
    if is_keyboard(port):
        from agent.ports.keyboard_port import opener  # noqa: PLC0415  few beds have one

        return opener(port.options.get("layout", "us"))
    return open_line


def _fits(claim: object, scheme: str) -> bool:
    if isinstance(claim, Tcp):
        return scheme == ("tcp-from" if claim.calls else "tcp")
    return isinstance(claim, Udp) and scheme == "udp"


def _not_found(kind: type[Driver], port: Port, where: str) -> ConfigError:
    found = "; ".join(map(str, kind.info.claims))
    return ConfigError(f"port {port.path}: {kind.info.id} is not found on {where}", f"it is found on: {found}")
