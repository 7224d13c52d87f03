"""Sends what people commanded, on the ingest thread: to gateways that are there, one at a time, not too often.

A command waits in the store until its gateway is there. It is sent again, with the same nonce, until an answer comes:
the gateway does it once and answers each time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from centre.asking import Asking
from centre.store import Store
from wire.command import VERBS
from wire.topics import Address

LOOK_S = 2.0
ROLL_S = 60.0
SPACE_S = 6.0  # a gateway refuses what comes within 5 s of the last one
_LOG = logging.getLogger("wardlink.centre")


class Ordering:
    """`asking` knows who is there, and what was issued; `publish` gives a signed command to the broker."""

    def __init__(
        self, store: Store, signer: Ed25519PrivateKey, asking: Asking, publish: Callable[[Address, bytes], None]
    ) -> None:
        self._store = store
        self._signer = signer
        self._asking = asking
        self._publish = publish
        self._look_s = self._roll_s = 0.0
        self._told_s: dict[str, float] = {}

    def told(self, gateway: str, now_s: float) -> None:
        """A command went to it."""
        self._told_s[gateway] = now_s

    def may_tell(self, gateway: str, now_s: float) -> bool:
        return now_s - self._told_s.get(gateway, -SPACE_S) >= SPACE_S

    def step(self, now_s: float, utc: int) -> None:
        """Send what is due. Raises StoreError."""
        if now_s < self._look_s:
            return
        self._look_s = now_s + LOOK_S
        if now_s >= self._roll_s:
            self._roll_s = now_s + ROLL_S
            for version, state in self._store.roll(utc):
                _LOG.info("rollout version=%s %s", version, state)
        there = self._asking.there()
        for order in self._store.due_orders(utc):
            address = there.get(order.gateway)
            if address is None or not self.may_tell(order.gateway, now_s):
                continue
            start = self._asking.start(address, self._store.newest_start(order.gateway))
            if not start.name:  # it has not said yet which it is
                continue
            data = self._asking.signed(self._signer, address, start, utc, order.said, order.nonce)
            self._store.order_sent(order.nonce, utc)
            self._publish(address, data)
            self.told(order.gateway, now_s)
            _LOG.info("commands gateway=%s verb=%s", order.gateway, VERBS[type(order.said)])
