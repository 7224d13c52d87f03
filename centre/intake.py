"""The one ingest thread: gathers deliveries, commits them together, acknowledges them, sends receipts.

A thread of its own because commits block, and the network must not.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import Empty

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from centre import asking, clock, receipts
from centre.asking import Asking
from centre.counts import Counts
from centre.ingest import Ingest, Outcome
from centre.lag import Lag
from centre.ordering import Ordering
from centre.receipts import Schedule
from centre.relay import Debts
from centre.store import Store, StoreError
from centre.subscriber import Delivery, Subscriber
from wire.receipt import Held
from wire.topics import Address

GROUP_LIMIT_S = 0.05
GROUP_LIMIT_COUNT = 200
IDLE_LIMIT_S = 1.0
LAG_S = 1.0
_LOG = logging.getLogger("wardlink.centre")


class Intake:
    """`stop` ends it after the batch at hand; `failed` says that it ended by itself, which is a bug of ours."""

    def __init__(
        self, store: Store, ingest: Ingest, subscriber: Subscriber, signer: Ed25519PrivateKey, counts: Counts
    ) -> None:
        self._store = store
        self._ingest = ingest
        self._subscriber = subscriber
        self._signer = signer
        self._counts = counts
        self.lag = Lag(counts, subscriber.name)
        self._ingest.listeners.append(self.lag.hear)
        self._lag_s = 0.0
        self._schedule = Schedule()
        self._debts = Debts()
        self._asking = Asking(least_s=asking.HOLE_LEAST_S)
        self._ordering = Ordering(store, signer, self._asking, subscriber.publish_command)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest")
        self.failed = False
        self.on_failure: Callable[[], None] = self._stop.set
        self.before_batch: Callable[[], None] = lambda: None  # may raise StoreError

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        done = False
        try:
            while not self._stop.is_set():
                self._step()
            done = True
        finally:
            if not done:
                self.failed = True
                self.on_failure()

    def _step(self) -> None:
        group = self._gather()
        self._until_done(self.before_batch)
        if self._subscriber.gone.is_set():
            self._subscriber.gone.clear()
            self._disconnected()
        if group or self._has_more():
            self._commit(group)
        for address in self._schedule.due(clock.monotonic_s()):
            self._tell(address)
        self._order()
        self._tell_lag()
        if self._is_quiet():
            for address in self._asking.due(clock.monotonic_s()):
                self._ask(address)

    def _disconnected(self) -> None:
        self._until_done(self._ingest.disconnected)
        self._asking.all_gone()

    def _has_more(self) -> bool:
        """There is work even where nothing arrived."""
        return self._ingest.behind

    def _tell_lag(self) -> None:
        if clock.monotonic_s() >= self._lag_s:
            self._lag_s = clock.monotonic_s() + LAG_S
            self.lag.tell(**self._waiting())

    def _waiting(self) -> dict[str, float]:
        """What was delivered to us, and is not committed."""
        return {"waiting_envelopes": self._subscriber.deliveries.qsize()}

    def _is_quiet(self) -> bool:
        """Nothing is on its way here."""
        return self._subscriber.deliveries.empty() and not self._ingest.behind

    def _tell(self, address: Address) -> None:
        """A gateway's own receipt, and one for each dead gateway whose envelopes it brought."""
        self._subscriber.publish_receipt(address, self._signed(address.gateway, self._store.receipt(address.gateway)))
        self._pay(address)

    def _pay(self, address: Address) -> None:
        for gateway, held in self._debts.pay(address):
            self._subscriber.publish_relay_receipt(address, self._signed(gateway, held))

    def _signed(self, gateway: str, held: list[Held]) -> bytes:
        self._counts.add("receipts")
        return receipts.made(self._signer, gateway, clock.utc_us(), clock.nonce(), held)

    def _order(self) -> None:
        """Send what people commanded."""
        try:
            self._ordering.step(clock.monotonic_s(), clock.utc_us())
        except StoreError:
            self._counts.add("store_failures")

    def _ask(self, address: Address) -> None:
        """Ask the gateway for what has been missing for long, if anything is."""
        if not self._ordering.may_tell(address.gateway, clock.monotonic_s()):
            return
        try:
            holes = self._store.holes(address.gateway)
        except StoreError:  # what it cannot read now it will write later, and say so
            self._counts.add("store_failures")
            return
        wanted = self._asking.look(address, holes, clock.monotonic_s())
        if not wanted:
            return
        data = self._asking.made(self._signer, address, holes, clock.utc_us(), wanted)
        self._subscriber.publish_command(address, data)
        self._ordering.told(address.gateway, clock.monotonic_s())
        self._counts.add("asks")
        _LOG.info("asks gateway=%s ranges=%d", address.gateway, sum(len(one.ranges) for one in wanted))

    def _gather(self) -> list[Delivery]:
        """What arrives within 50 ms of the first delivery, at most 200; nothing where nothing came in time."""
        group: list[Delivery] = []
        end = clock.monotonic_s() + self._patience_s()
        while len(group) < GROUP_LIMIT_COUNT:
            try:
                group.append(self._subscriber.deliveries.get(timeout=max(0.0, end - clock.monotonic_s())))
            except Empty:
                break
            if len(group) == 1:
                end = clock.monotonic_s() + GROUP_LIMIT_S
        return group

    def _patience_s(self) -> float:
        if self._ingest.behind:
            return 0.0
        wait = self._schedule.wait_s(clock.monotonic_s())
        return IDLE_LIMIT_S if wait is None else min(wait, IDLE_LIMIT_S)

    def _commit(self, group: list[Delivery]) -> None:
        outcomes: list[Outcome] = []
        arrivals = [delivery.arrival for delivery in group]
        if not self._until_done(lambda: outcomes.append(self._ingest.take(arrivals))):
            return
        self.lag.committed(arrivals)
        for delivery in group:
            self._subscriber.acknowledge(delivery)
        for outcome in outcomes:
            self._follow(outcome)

    def _follow(self, outcome: Outcome) -> None:
        """Who is to be told, and who is to be asked."""
        self._debts.owe(outcome.carried)
        self._schedule.touch(outcome.touched)
        self._schedule.hurry(outcome.online)
        self._asking.heard(outcome.touched | outcome.online, clock.monotonic_s())
        self._asking.present(outcome.starts, clock.monotonic_s())
        self._asking.gone(outcome.offline)

    def _until_done(self, step: Callable[[], None]) -> bool:
        """Try until the store can; False where we were stopped first."""
        attempt = 0
        while True:
            try:
                step()
            except StoreError as error:
                self._counts.add("store_failures")
                if attempt == 0:
                    _LOG.error("%s hint=%s", error, error.hint)
                if self._stop.wait(clock.retry_s(attempt)):
                    return False
                attempt += 1
                continue
            if attempt:
                _LOG.info("the store works again")
            return True
