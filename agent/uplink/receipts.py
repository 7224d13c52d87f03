"""Receipts as the gateway takes them, and how long to wait for one. Pure; times are monotonic nanoseconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.uplink.lanes import Parcel
from agent.uplink.pace import SECOND_NS
from agent.uplink.relay import ours
from wire.receipt import RECEIPT_LIMIT_BYTES, SIGNATURE_BYTES, Held, Receipt, ReceiptError, read
from wire.topics import Class

PATIENCE_LEAST_S = 30.0
PATIENCE_LIMIT_S = 3600.0
PATIENCE_DELAYS = 4
_DOUBLINGS_LIMIT = 5

Places = Callable[[], Mapping[str, int]]


class Receipts:
    """Verifies with the keys of the centre and counts. What is refused frees nothing.

    `relayed` gives the gateways whose envelopes we relay, with their place: their receipts come to us too.
    """

    def __init__(self, centres: Sequence[Ed25519PublicKey], gateway: str, relayed: Places = dict) -> None:
        self.centres = centres  # another list may be put here at any time
        self._gateway = gateway
        self._relayed = relayed
        self._since = 0
        self.utc = 0  # the latest that a receipt said it was at the centre
        self.good = 0
        self.refused: Counter[str] = Counter()

    def asked(self, issued: int) -> None:
        """The centre said then what it lacks: an older receipt is not true any more."""
        self._since = max(self._since, issued)

    def take(self, data: bytes) -> list[Held]:
        """What the receipt says is held, by (epoch, known class); empty if it is refused."""
        if not SIGNATURE_BYTES < len(data) <= RECEIPT_LIMIT_BYTES:
            self.refused["size"] += 1
            return []
        try:
            utc, said = self._said(data)
        except ReceiptError as error:
            self.refused["signature" if "signature" in str(error) else "malformed"] += 1
            return []
        if utc < self._since:
            self.refused["stale"] += 1
            return []
        self.utc = max(self.utc, utc)
        known = [held for held in said if held.cls in Class.__members__.values()]
        self.refused["class"] += len(said) - len(known)
        self.good += 1
        return known

    def _said(self, data: bytes) -> tuple[int, list[Held]]:
        """Raises ReceiptError. A receipt names its gateway in what is signed, so we try: ours, then the relayed."""
        try:
            receipt = _read(self.centres, self._gateway, data)
        except ReceiptError:
            for gateway, place in self._relayed().items():
                with suppress(ReceiptError):
                    receipt = _read(self.centres, gateway, data)
                    return receipt.utc, [Held(ours(place, one.epoch), one.cls, one.ranges) for one in receipt.held]
            raise
        return receipt.utc, receipt.held


def _read(centres: Sequence[Ed25519PublicKey], gateway: str, data: bytes) -> Receipt:
    """Signed by any of these keys. Raises ReceiptError."""
    for centre in centres[:-1]:
        try:
            return read(centre, gateway, data)
        except ReceiptError as error:
            if "signature" not in str(error):
                raise
    return read(centres[-1], gateway, data)


class Patience:
    """How long a sent envelope may wait for its receipt before it is backlog again: max(30 s, 4 times the usual delay).

    One envelope at a time is watched. If it has to be sent again the delay is unknown (was it lost, or is the
    centre slow?), so patience doubles until a receipt answers in time, as TCP does (RFC 6298, Karn).
    """

    def __init__(self, least_s: float = PATIENCE_LEAST_S) -> None:
        self._least_ns = int(least_s * SECOND_NS)
        self._delay_ns: int | None = None
        self._doublings = 0
        self._watched: tuple[Parcel, int] | None = None

    @property
    def ns(self) -> int:
        usual = max(self._least_ns, PATIENCE_DELAYS * (self._delay_ns or 0))
        return min(int(PATIENCE_LIMIT_S * SECOND_NS), usual << self._doublings)

    def sent(self, parcel: Parcel, now: int) -> None:
        """The broker acknowledged `parcel`."""
        if self._watched is None:
            self._watched = (parcel, now)
            return
        watched = self._watched[0]
        if (watched.cls, watched.epoch, watched.seq) == (parcel.cls, parcel.epoch, parcel.seq):
            self._doublings = min(_DOUBLINGS_LIMIT, self._doublings + 1)
            self._watched = None
        elif now - self._watched[1] > int(PATIENCE_LIMIT_S * SECOND_NS):
            self._watched = None

    def held(self, said: Held, now: int) -> None:
        """A receipt that was verified."""
        if self._watched is None:
            return
        parcel, at = self._watched
        if (said.cls, said.epoch) != (parcel.cls, parcel.epoch):
            return
        if any(first <= parcel.seq <= last for first, last in said.ranges):
            delay = now - at
            self._delay_ns = delay if self._delay_ns is None else self._delay_ns + (delay - self._delay_ns) // 4
            self._doublings = 0
            self._watched = None
