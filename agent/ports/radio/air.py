"""What the radio asks of a Bluetooth stack: BlueZ on a gateway, Bumble in a test. Addresses are identity addresses.

Whoever implements this says every failure as an AirError. No call waits for ever: each is bounded by its caller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class AirError(Exception):
    """The stack, the adapter or the device refused, in words."""


class AbsentError(AirError):
    """The device was heard, and did not answer."""


class BondError(AirError):
    """The device did not prove the bond that is kept here, or would not be bonded."""


class LackError(AirError):
    """The device does not have what was asked for; that is no fault."""


class NoAdapterError(AirError):
    """There is nothing to hear with."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One advertisement. `kind` is public or random; `rssi` dBm, None where the stack does not say."""

    address: str
    kind: str
    name: str
    services: frozenset[str]
    rssi: int | None
    bonded: bool


class Contact(Protocol):
    """A connected device."""

    @property
    def address(self) -> str:
        """Its identity address, once it is bonded: before, it may show another one each quarter of an hour."""

    @property
    def lost(self) -> str:
        """Why it is connected no more, empty while it is."""

    async def prove(self) -> bool:
        """Whether this connection is encrypted with the bond kept here. Never makes a bond."""

    async def pair(self, passkey: str) -> None:
        """Make a bond: with this passkey, or, if it is empty, without one. Raises AirError."""

    async def characteristics(self) -> frozenset[str]:
        """What it offers, in full, lower case. Raises AirError."""

    async def subscribe(self, characteristic: str, heard: Callable[[bytes], None]) -> None:
        """Raises AirError; LackError where it notifies nothing."""

    async def read(self, characteristic: str) -> bytes:
        """Its value now. Raises AirError; LackError where it does not tell it."""

    async def write(self, characteristic: str, data: bytes) -> None: ...

    async def disconnect(self) -> None: ...


class Air(Protocol):
    """One adapter and its stack."""

    async def scan(self, seen: Callable[[Seen], None]) -> None:
        """Listen from now on, afresh where we listened already. Raises AirError."""

    async def connect(self, address: str, stirred: Callable[[], None]) -> Contact:
        """`stirred` is called when the contact is lost. Raises AirError; BondError where a bond kept here fails."""

    async def remove(self, address: str) -> None:
        """Forget what the stack knows of it, the bond too."""

    async def power(self) -> None:
        """Switch the adapter off and on."""

    async def restart(self) -> None:
        """Start the stack's daemon again."""

    async def replug(self) -> None:
        """Take the adapter's power away for a moment."""

    async def close(self) -> None: ...


class NoAir:
    """An Air where there is none, and why."""

    def __init__(self, words: str) -> None:
        self._words = words

    async def _fail(self) -> None:
        raise NoAdapterError(self._words)

    async def scan(self, seen: Callable[[Seen], None]) -> None:
        await self._fail()

    async def connect(self, address: str, stirred: Callable[[], None]) -> Contact:
        raise NoAdapterError(self._words)

    async def remove(self, address: str) -> None:
        await self._fail()

    power = restart = replug = _fail

    async def close(self) -> None:
        """There is nothing."""
