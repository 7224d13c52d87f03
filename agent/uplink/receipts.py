"""Receipts as the gateway takes them, and how long to wait for one. Pure; times are monotonic nanoseconds.

A receipt frees only what the start that it names has sealed. It counts until it expires, by what our own clocks surely
know: not by other receipts too, as for commands, because a centre whose clock was once a year ahead would then free
nothing until we start again. Where nobody knows the time it is taken all the same: it is cumulative, so what it says of
the start that it names was true and still is, unless the centre lost its store, which the `stale` refusal is for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.uplink.commands import is_over
from agent.uplink.lanes import Parcel
from agent.uplink.pace import SECOND_NS
from agent.uplink.relay import ours
from wire.receipt import Held, Receipt, ReceiptError, read
from wire.topics import Class

PATIENCE_LEAST_S = 30.0
PATIENCE_LIMIT_S = 3600.0
PATIENCE_DELAYS = 4
OTHERS_LIMIT_COUNT = 1024
_DOUBLINGS_LIMIT = 5
_CLASSES = frozenset(Class)

Places = Callable[[], Mapping[int, str]]


class Starts(Protocol):
    """Who sealed what is here."""

    def start(self, epoch: int) -> bytes | None:
        """The random bytes of the start that sealed what is here of an epoch (relay.py's); None: not known."""
        ...

    def used(self, epoch: int) -> None:
        """A receipt names an epoch of this gateway's, and a start which we do not know it by."""
        ...


class Receipts:
    """Verifies with the keys of the centre and counts. What is refused frees nothing.

    `relayed` gives, by place, the gateways whose envelopes we relay: their receipts come to us too.
    """

    def __init__(
        self, centres: Sequence[Ed25519PublicKey], gateway: str, starts: Starts, relayed: Places = dict
    ) -> None:
        self.centres = centres  # another list may be put here at any time
        self._gateway = gateway
        self._starts = starts
        self._relayed = relayed
        self._since = 0
        self._newest: dict[str, tuple[int, bytes]] = {}  # (utc, nonce) of the newest that was taken, by gateway
        self.utc = 0  # the latest that a receipt said it was at the centre
        self.good = 0
        self.copies = 0  # of `good`: came before, or is older than one that did
        self._refused: Counter[str] = Counter()
        self._others: set[tuple[int | bytes, ...]] = set()  # starts that receipts name and that sealed nothing here

    @property
    def refused(self) -> Counter[str]:
        """By reason; `start`: each other start under a number that we have, once."""
        return self._refused + Counter(start=len(self._others))

    def asked(self, issued: int) -> None:
        """The centre said then what it lacks: an older receipt is not true any more."""
        self._since = max(self._since, issued)

    def take(self, data: bytes, utc: int | None = None) -> list[Held]:
        """What the receipt says is held, by (epoch, known class), of starts that are those of what is here.

        Empty if it is refused. `utc`: microseconds since 1970 that have surely passed.
        """
        try:
            gateway, places, receipt = self._read(data)
            if receipt.utc < self._since:
                raise ReceiptError("stale", "the centre has asked for what it lacks since")
            if is_over(receipt.expires, utc):
                raise ReceiptError("expired", "its time is over")
        except ReceiptError as error:
            self._refused[error.reason] += 1
            return []
        self.utc = max(self.utc, receipt.utc)
        self.good += 1
        self._compare(gateway, receipt)
        known = [held for held in receipt.held if held.cls in _CLASSES]
        self._refused["class"] += len(receipt.held) - len(known)
        return [one for held in known for one in self._ours(held, places)]

    def _read(self, data: bytes) -> tuple[str, Sequence[int], Receipt]:
        """(gateway, its places, receipt). Raises ReceiptError. What is signed names its gateway, so we try: ours first,
        then the relayed."""
        try:
            return self._gateway, (0,), _read(self.centres, self._gateway, data)
        except ReceiptError as error:
            if error.reason != "signature":
                raise
            relayed = self._relayed()
            for gateway in dict.fromkeys(relayed.values()):
                try:
                    receipt = _read(self.centres, gateway, data)
                except ReceiptError as other:
                    if other.reason != "signature":
                        raise
                    continue
                return gateway, [place for place, name in relayed.items() if name == gateway], receipt
            raise

    def _ours(self, held: Held, places: Sequence[int]) -> list[Held]:
        """The same with our epochs, wherever that start's envelopes are; one that sealed nothing here is counted."""
        if places == (0,) and self._starts.start(held.epoch) == held.start:  # nearly always
            return [held]
        starts = {ours(place, held.epoch): self._starts.start(ours(place, held.epoch)) for place in places}
        found = [epoch for epoch, start in starts.items() if start == held.start]
        if not found and places == (0,):
            self._starts.used(held.epoch)
        if not found and any(starts.values()) and len(self._others) < OTHERS_LIMIT_COUNT:
            self._others.add((*places, held.epoch, held.start))
        return [Held(epoch, held.start, held.cls, held.ranges) for epoch in found]

    def _compare(self, gateway: str, receipt: Receipt) -> None:
        """A copy says nothing new, and nothing false: what a broker retains comes again with each connection."""
        said, newest = (receipt.utc, receipt.nonce), self._newest.get(gateway, (0, b""))
        self.copies += said == newest or said[0] < newest[0]
        if said[0] >= newest[0]:
            self._newest[gateway] = said


def _read(centres: Sequence[Ed25519PublicKey], gateway: str, data: bytes) -> Receipt:
    """Signed by any of these keys. Raises ReceiptError."""
    for centre in centres[:-1]:
        try:
            return read(centre, gateway, data)
        except ReceiptError as error:
            if error.reason != "signature":
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
