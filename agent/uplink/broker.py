"""Where the uplink goes, and what is said there for us when we vanish."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

from agent.uplink import tcp
from agent.uplink.meter import Meter


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is. `tls` None means in the clear: for tests and a broker on the same machine."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    opens: tcp.Open = tcp.direct  # raises LinkError where a proxy is in the way
    meter: Meter = field(default_factory=Meter)  # of every connection there
    keepalive_s: int = 60  # shorter than most translators of addresses remember an idle flow
    # For TCP, then for each flight of TLS: SYNs go at 0, 1, 3, 7 s, and after that too rarely.
    dial_limit_s: float = 10.0
    connect_limit_s: float = 30.0  # to the CONNACK: three round trips of 2.5 s, and each may be lost twice


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says for us when we vanish; retained."""

    topic: str
    data: bytes
