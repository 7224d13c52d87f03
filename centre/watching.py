"""Live pages of gateways that another consumer has: what the broker tells of them is opened here too, and only shown.

While somebody looks at such a gateway this process has a plain subscription (QoS 0) to it beside its turns, and opens
what comes with the grants of the store. Nothing of it is stored, acknowledged or receipted: its own consumer does that.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from queue import Empty, Full, Queue
from typing import NamedTuple

from centre.counts import Counts
from centre.ingest import Arrival
from centre.live import Update
from centre.opening import ConflictError, Openers, RefusedError
from centre.showing import Showing
from centre.store.engine import StoreError
from centre.store.shared import SharedStore
from centre.subscriber import Subscriber
from wire.codec import CodecError
from wire.keys import RecipientSecret
from wire.seal import NoGrantError
from wire.topics import Address

QUEUE_LIMIT_ARRIVALS = 1000
WAIT_S = 0.5


class _Look(NamedTuple):
    """Somebody begins or ends to look."""

    gateway: str
    begins: bool


class Watching:
    """`tell` shows an update. `look` may be called from any thread; the rest happens in one of our own."""

    def __init__(
        self,
        store: SharedStore,
        subscriber: Subscriber,
        secrets: Sequence[RecipientSecret],
        tell: Callable[[Update], None],
        counts: Counts,
    ) -> None:
        self._store, self._subscriber, self._counts = store, subscriber, counts
        self._openers = Openers(secrets, store.grants, store.start)
        self._showing = Showing(store)
        self._showing.listeners.append(tell)
        self._looks: Counter[str] = Counter()
        self._addresses: dict[str, Address] = {}
        self._waiting: Queue[_Look | Arrival] = Queue(QUEUE_LIMIT_ARRIVALS)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watching")
        subscriber.on_watched = self._put

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join()

    def look(self, gateway: str, begins: bool) -> None:
        """Somebody begins to look at a gateway, or ends."""
        self._put(_Look(gateway, begins))

    def _put(self, one: _Look | Arrival) -> None:
        try:
            self._waiting.put_nowait(one)
        except Full:
            self._counts.add("live_updates_dropped")

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                one = self._waiting.get(timeout=WAIT_S)
            except Empty:
                continue
            try:
                if isinstance(one, Arrival):
                    self._show(one)
                else:
                    self._turn(one)
            except StoreError:  # a page that lacks an update reads the store
                self._counts.add("live_updates_dropped")

    def _turn(self, look: _Look) -> None:
        before = self._looks[look.gateway]
        self._looks[look.gateway] += 1 if look.begins else -1
        if look.begins and not before:
            address = self._store.address(look.gateway)
            if address is not None:
                self._showing.meet(look.gateway)  # as it was before anything is heard, for that may be stored first
                self._addresses[look.gateway] = address
                self._subscriber.watch(address)
        elif not look.begins and before == 1:
            del self._looks[look.gateway]
            self._showing.forget([look.gateway])
            if address := self._addresses.pop(look.gateway, None):
                self._subscriber.unwatch(address)

    def _show(self, arrival: Arrival) -> None:
        if arrival.address.gateway not in self._addresses:
            return
        if self._store.mine(arrival.address.gateway):  # what is ours is told once it is stored
            self._showing.forget([arrival.address.gateway])
            return
        opens = self._openers.statement if arrival.word == "key" else self._openers.envelope
        try:
            self._showing.tell(opens(arrival.address, arrival.received, arrival.data))
        except (RefusedError, ConflictError, NoGrantError, CodecError):
            self._counts.add("live_updates_refused")
