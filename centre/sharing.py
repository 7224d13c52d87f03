"""The ingest thread of one of several consumers: what is its own it stores, the rest it hands over (ADR 31).

A delivery is acknowledged once it is in the store, or durable for the consumer that has its gateway. So each gateway
has one that opens, books, receipts and asks, as if there were no other; before that its order comes back
(centre/sequence.py).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from centre import clock, sequence
from centre.counts import Counts
from centre.ingest import Arrival, Ingest
from centre.intake import Intake
from centre.sequence import Sequence
from centre.store import StoreError
from centre.store.handing import Handed
from centre.store.shared import Moved, SharedStore
from centre.subscriber import Delivery, Subscriber
from wire.relay import RelayError, unwrap
from wire.topics import Address

POLL_S = 0.05
SETTLE_S = 1.0
ABSENT_LIMIT_S = 10.0  # without a broker so long, its gateways are others'
HANDED_LIMIT_ROWS = 400
Tag = Delivery | Handed | Arrival
_LOG = logging.getLogger("wardlink.centre")


class SharedIntake(Intake):
    """As Intake, for the gateways that `store` says are ours."""

    def __init__(
        self,
        store: SharedStore,
        ingest: Ingest,
        subscriber: Subscriber,
        signer: Ed25519PrivateKey,
        counts: Counts,
        order_limit_s: float = sequence.LIMIT_S,
    ) -> None:
        super().__init__(store, ingest, subscriber, signer, counts)
        self._shared = store
        self._sequence: Sequence[Tag] = Sequence(store.reached, order_limit_s)
        self._presence: dict[str, Arrival] = {}
        self._again: list[Delivery] = []
        self._ids: set[int] = set()  # of what was handed to us and waits in the sequence
        self._settle_s = 0.0
        self._connected_s = clock.monotonic_s()
        self._failures = 0
        self._handed_count = 0

    def stop(self) -> None:
        """Take no more, handle what is here, and leave the gateways to the others."""
        if not self.failed:
            self._subscriber.drain()
        super().stop()

    def _step(self) -> None:
        if clock.monotonic_s() >= self._settle_s:
            self._until_done(self._settle)
            self._settle_s = clock.monotonic_s() + SETTLE_S
        super()._step()

    def _settle(self) -> None:
        """Raises StoreError."""
        now_s = clock.monotonic_s()
        if self._subscriber.is_connected:
            self._connected_s = now_s
        moved = self._shared.settle(wanted=now_s - self._connected_s < ABSENT_LIMIT_S)
        if moved:
            try:
                self._move(moved)
            except StoreError:
                self._shared.let_go()  # so that the next settling moves them again
                raise
        self._shared.publish_standings()
        self._handed_count = self._shared.handed_count()

    def _move(self, moved: Moved) -> None:
        """Raises StoreError; then nothing is ours."""
        self._begin_again(self._sequence.drain())
        gained = {address.gateway for address in moved.gained}
        self._ingest.settle(moved.lost | gained)
        self._asking.gone([at for at in self._asking.there().values() if at.gateway in moved.lost])
        self._shared.absent(gained - self._presence.keys())
        for said in (self._presence[gateway] for gateway in gained & self._presence.keys()):
            self._put(said.address.gateway, said, said)
        _LOG.info("gateways slots=%d gained=%d lost=%d", len(self._shared.slots), len(gained), len(moved.lost))

    def _disconnected(self) -> None:
        super()._disconnected()
        self._presence.clear()

    def _has_more(self) -> bool:
        return True  # what others hand over rings no bell

    def _is_quiet(self) -> bool:
        return super()._is_quiet() and not self._sequence and not self._again

    def _waiting(self) -> dict[str, float]:
        here = self._subscriber.deliveries.qsize() + len(self._sequence) + len(self._again) - len(self._ids)
        return {"waiting_envelopes": here, "handed_envelopes": self._handed_count, "slots": len(self._shared.slots)}

    def _patience_s(self) -> float:
        return min(super()._patience_s(), POLL_S)

    def _commit(self, group: list[Delivery]) -> None:
        deliveries, self._again = [*self._again, *group], []
        foreign = [delivery for delivery in deliveries if not self._keep(delivery)]
        self._hand(foreign)
        try:
            self._fetch()
            self._store_some()
            self._failures = 0
        except StoreError as error:
            self._fail(error)

    def _keep(self, delivery: Delivery) -> bool:
        """Whether it is ours, or nobody's any more."""
        arrival = delivery.arrival
        gateway = _whose(arrival)
        if arrival.word == "state":
            self._presence[gateway] = arrival
        if self._shared.mine(gateway):
            self._put(gateway, arrival, delivery)
        elif arrival.word == "state":  # each of us hears it
            self._subscriber.acknowledge(delivery)
        else:
            return False
        return True

    def _put(self, gateway: str, arrival: Arrival, tag: Tag) -> None:
        self._sequence.put(gateway, arrival.word, arrival.data, tag, clock.monotonic_s())

    def _hand(self, foreign: list[Delivery]) -> None:
        arrivals = [delivery.arrival for delivery in foreign]
        if foreign and self._until_done(lambda: self._shared.hand((_whose(one), *one) for one in arrivals)):
            self._counts.add("handed_over", len(foreign))
            for delivery in foreign:
                self._subscriber.acknowledge(delivery)

    def _fetch(self) -> None:
        """What others handed over. Raises StoreError."""
        for row in self._shared.handed(tuple(self._ids), HANDED_LIMIT_ROWS):
            self._ids.add(row.id)
            arrival = _arrival(row)
            self._put(_whose(arrival), arrival, row)

    def _store_some(self) -> None:
        """Commit those whose turn it is. Raises StoreError."""
        tags = self._sequence.take(clock.monotonic_s())
        if not tags and not self._ingest.behind:
            return
        ids = [tag.id for tag in tags if isinstance(tag, Handed)]
        try:
            outcome = self._ingest.take([_arrival(tag) for tag in tags], ids)
        except StoreError:
            self._begin_again(tags)
            raise
        self.lag.committed(map(_arrival, tags))
        self._ids.difference_update(ids)
        for tag in tags:
            if isinstance(tag, Delivery):
                self._subscriber.acknowledge(tag)
        self._follow(outcome)

    def _fail(self, error: StoreError) -> None:
        """What we had is to be looked at anew: it may be another's by now."""
        self._counts.add("store_failures")
        if self._failures == 0:
            _LOG.error("%s hint=%s", error, error.hint)
        self._begin_again(self._sequence.drain())
        self._settle_s = 0.0
        self._stop.wait(clock.retry_s(self._failures))
        self._failures += 1

    def _begin_again(self, tags: Iterable[Tag]) -> None:
        """What came to us is asked about once more; what was handed over is still in its table."""
        for tag in tags:
            if isinstance(tag, Delivery):
                self._again.append(tag)
            elif isinstance(tag, Handed):
                self._ids.discard(tag.id)

    def _tell(self, address: Address) -> None:
        """A relayer may be another's gateway: it is told here of what it brought, and elsewhere of its own."""
        if self._shared.mine(address.gateway):
            super()._tell(address)
        else:
            self._pay(address)


def _whose(arrival: Arrival) -> str:
    """The gateway whose books it concerns: of a relay the one that sealed what it brings."""
    if arrival.word == "relay":
        try:
            return unwrap(arrival.data)[0]
        except RelayError:  # its relayer's consumer refuses and counts it
            return arrival.address.gateway
    return arrival.address.gateway


def _arrival(tag: Tag) -> Arrival:
    if isinstance(tag, Delivery):
        return tag.arrival
    return tag if isinstance(tag, Arrival) else Arrival(tag.address, tag.word, tag.data, tag.received)
