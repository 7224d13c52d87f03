"""When to tell a gateway what is held, and the receipt itself. Pure: time and the ledger's words come in."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wire import receipt
from wire.receipt import Held
from wire.topics import Address

INTERVAL_MIN_S = 2.0


class Schedule:
    """Which gateways are due. A gateway that just came online is due at once."""

    def __init__(self) -> None:
        self._last: dict[Address, float] = {}
        self._waiting: dict[Address, None] = {}

    def touch(self, addresses: Iterable[Address]) -> None:
        """Something of these gateways was committed, or came again."""
        self._waiting.update(dict.fromkeys(addresses))

    def hurry(self, addresses: Iterable[Address]) -> None:
        """These gateways just came online."""
        for address in addresses:
            self._waiting[address] = None
            self._last.pop(address, None)

    def due(self, now_s: float) -> list[Address]:
        """Take those that are due; they count as told from now on."""
        ready = [a for a in self._waiting if now_s - self._last.get(a, now_s - INTERVAL_MIN_S) >= INTERVAL_MIN_S]
        for address in ready:
            del self._waiting[address]
            self._last[address] = now_s
        return ready

    def wait_s(self, now_s: float) -> float | None:
        """Seconds until the next is due; None where none waits."""
        return min(
            (max(0.0, self._last.get(a, -INTERVAL_MIN_S) + INTERVAL_MIN_S - now_s) for a in self._waiting), default=None
        )


def made(signer: Ed25519PrivateKey, gateway: str, utc: int, nonce: bytes, held: list[Held]) -> bytes:
    """The signed receipt; `nonce`: 8 bytes that no other has."""
    data = receipt.sign(signer, gateway, receipt.made(utc, nonce, held))
    assert len(data) <= receipt.RECEIPT_LIMIT_BYTES, "the ledger bounds epochs and ranges"
    return data
