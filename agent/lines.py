"""How a configured port is opened."""

from __future__ import annotations

from agent.config import Port
from config.load import ConfigError
from drivers.contract import Driver, Serial


def line_of(kind: type[Driver], port: Port) -> Serial:
    """How to open the port: the driver's first serial claim, at the speed the engineer pinned."""
    claims = [claim for claim in kind.info.claims if isinstance(claim, Serial)]
    if not claims:
        raise ConfigError(f"port {port.path}: {kind.info.id} is not found on serial ports")
    first = next((claim for claim in claims if claim.baud == port.baud), claims[0])
    return Serial(port.baud or first.baud, first.bits, first.parity, first.stop, first.dtr, first.rts)
