"""How a configured port is opened."""

from __future__ import annotations

from collections.abc import Callable

from agent.config import Port
from agent.ports.line import Cable
from config.load import ConfigError
from drivers.contract import Driver, Keyboard, Serial

KEYBOARDS = "/dev/input/"
UNSET = Serial(0)  # what has no line settings


def line_of(kind: type[Driver], port: Port) -> Serial:
    """How to open the port: the driver's first serial claim, at the speed the engineer pinned."""
    if port.path.startswith(KEYBOARDS):
        if not any(isinstance(claim, Keyboard) for claim in kind.info.claims):
            raise ConfigError(f"port {port.path}: {kind.info.id} does not read keyboards")
        return UNSET
    claims = [claim for claim in kind.info.claims if isinstance(claim, Serial)]
    if not claims:
        raise ConfigError(f"port {port.path}: {kind.info.id} is not found on serial ports")
    first = next((claim for claim in claims if claim.baud == port.baud), claims[0])
    return Serial(port.baud or first.baud, first.bits, first.parity, first.stop, first.dtr, first.rts)


def opener_of(port: Port, open_line: Callable[[str, Serial], Cable]) -> Callable[[str, Serial], Cable]:
    """Who opens the port; `open_line` does it for serial lines. Raises ConfigError."""
    if port.path.startswith(KEYBOARDS):
        from agent.ports.keyboard_port import opener  # noqa: PLC0415  few beds have one

        return opener(port.options.get("layout", "us"))
    return open_line
