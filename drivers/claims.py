"""Where a driver says that its devices may be found, and what it may send there. Part of the contract (DESIGN 5)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Serial:
    """A claim: line settings at which this driver may be found. Parity N, E, O; dtr/rts are levels to set."""

    baud: int
    bits: int = 8
    parity: str = "N"
    stop: int = 1
    dtr: bool = True
    rts: bool = True

    def __str__(self) -> str:
        return f"{self.baud} {self.bits}{self.parity}{self.stop}"


@dataclass(frozen=True, slots=True)
class Ble:
    """A claim: advertised service and, where the service is anybody's, the beginning of the name."""

    service: str
    name: str = ""

    def __str__(self) -> str:
        return f"BLE {self.service} {self.name}".strip()


@dataclass(frozen=True, slots=True)
class Tcp:
    """A claim: the device listens at this port of TCP, or, where `calls` is set, it calls the gateway there."""

    port: int
    calls: bool = False

    def __str__(self) -> str:
        return f"TCP {self.port}, {'the device calls' if self.calls else 'the gateway calls'}"


@dataclass(frozen=True, slots=True)
class Udp:
    """A claim: the device answers at this port of UDP."""

    port: int

    def __str__(self) -> str:
        return f"UDP {self.port}"


@dataclass(frozen=True, slots=True)
class Keyboard:
    """A claim: a USB device that types what it reads, as a keyboard does. A line ends with a line feed."""

    def __str__(self) -> str:
        return "USB keyboard"


Claim = Serial | Ble | Tcp | Udp | Keyboard


@dataclass(frozen=True, slots=True)
class Masked:
    """Bytes that may be sent with any value where `free` has bits set: a record number, an echoed counter."""

    data: bytes
    free: bytes

    def __post_init__(self) -> None:
        assert len(self.data) == len(self.free), "a mask is as long as its bytes"
        assert not any(byte & free for byte, free in zip(self.data, self.free, strict=True)), "free bits are 0 in data"

    def fits(self, data: bytes) -> bool:
        """Whether these bytes differ from ours in free bits only."""
        return len(data) == len(self.data) and all(
            byte & ~free & 0xFF == mine for byte, free, mine in zip(data, self.free, self.data, strict=True)
        )
