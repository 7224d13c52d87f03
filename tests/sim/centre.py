"""The centre of a simulated world: the real ingest, ledger, store and receipts, with a broker that is a list.

What `centre.intake` does on its thread is done here at moments of virtual time: gather, commit, acknowledge, tell.
A killed centre loses what it had not committed, and what it had committed and not acknowledged comes again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, event

from centre import receipts
from centre.asking import HOLE_LEAST_S, Asking
from centre.counts import Counts
from centre.gate import Gate
from centre.ingest import Arrival, Ingest
from centre.receipts import Schedule
from centre.store import Store, StoreError
from wire import moment, topics
from wire.keys import RecipientSecret
from wire.moment import Moment
from wire.topics import TopicError

GATHER_S = 0.05
CLOCK_ERROR_US = 2_000
GROUP_LIMIT_COUNT = 200


_ENGINES: list[Engine] = []


def _share_statements(engine: Engine) -> None:
    """Building SQL takes longer than running it, and a process plays thousands of stories: build it once."""
    _ENGINES.append(engine)
    engine.dialect = _ENGINES[0].dialect
    engine._compiled_cache = _ENGINES[0]._compiled_cache
    del _ENGINES[1:]


class Centre:
    """`utc_us` is the true time."""

    def __init__(self, stage, secret: RecipientSecret, signer: Ed25519PrivateKey, file: Path) -> None:
        self._timeline, self._broker, self._address = stage.timeline, stage.broker, stage.address
        self._count, self._tell = stage.count, stage.tell
        self._random = stage.random("centre")
        self._nonce = stage.random("receipts").randbytes
        self._secret, self._signer = secret, signer
        self._url = f"sqlite:///{file}"
        self.utc_us: Callable[[], int] = lambda: 0
        self._commit_s = self._random.choice((0.01, 0.3, 1.0))
        self.is_up = False
        self.refuses_for = 0  # statements until the database fails; 0: it does not
        self.counts = Counts()
        self.received: list[bytes] = []  # receipts it signed, for an intruder to replay
        self.commanded: list[bytes] = []  # commands, the same
        self.commits = 0

    def start(self) -> None:
        self.is_up = True
        self._life = object()
        self.store = Store(self._url, self.counts)
        _share_statements(self.store._engine)
        event.listen(self.store._engine, "connect", self._connected)
        self.store.enrol([(self._address, "bed 1")])
        self.store.all_offline()
        self._ingest = Ingest(
            self.store, Gate({self._address.gateway: self._address.site}), [self._secret], self.counts
        )
        self._schedule = Schedule()
        self._asking = Asking()
        self._soon(self._ask, HOLE_LEAST_S)
        self._group: list[tuple[int, Arrival]] = []
        self._gathers = False
        self._connection = 0
        self._come()
        if self._ingest.behind:
            self._soon(self._commit, 0.0)

    def _connected(self, connection: sqlite3.Connection, _record: object) -> None:
        connection.set_progress_handler(self._strain, 50)

    def _strain(self) -> int:
        """Asked by SQLite now and then: 1 makes the statement under way fail."""
        if self.refuses_for == 0:
            return 0
        self.refuses_for -= 1
        return int(self.refuses_for % 40 == 0)

    def _soon(self, work: Callable[[], None], delay_s: float) -> None:
        life = self._life

        def act() -> None:
            if self._life is life and self.is_up:
                work()

        self._timeline.after(delay_s, act)

    def _come(self) -> None:
        """Connect to the broker, now or later."""
        if self._broker.is_up:
            self._connection += 1
            self._broker.welcome(self)
        else:
            self._soon(self._come, self._random.uniform(1, 4))

    def disconnected(self) -> None:
        if self.is_up:
            self._connection += 1
            self._soon(self._forget_presence, 0.01)
            self._soon(self._come, self._random.uniform(1, 4))

    def _forget_presence(self) -> None:
        try:
            self._ingest.disconnected()
            self._asking.all_gone()
        except StoreError:
            self._soon(self._forget_presence, 1.0)

    def delivered(self, mid: int, topic: str, data: bytes) -> None:
        if not self.is_up:
            return
        try:
            address, word = topics.parse(topic)
        except TopicError:
            self._broker.settled(mid)
            return
        self._group.append((mid, Arrival(address, word, data, self.utc_us())))
        self._gather()

    def asked(self, topic: str, data: bytes) -> None:
        """What time is it?"""
        if self.is_up:
            address = topics.parse(topic)[0]
            now = self.utc_us()
            answer = moment.sign(self._signer, address.gateway, Moment(data, now, now, CLOCK_ERROR_US))
            self._broker.say(address.topic("time"), answer, retain=False)

    def _gather(self) -> None:
        if not self._gathers:
            self._gathers = True
            self._soon(self._commit, GATHER_S + self._commit_s)

    def _commit(self) -> None:
        group = self._group[:GROUP_LIMIT_COUNT]
        try:
            outcome = self._ingest.take([arrival for _, arrival in group])
        except StoreError:
            self._count("centre's database refuses")
            self._soon(self._commit, self._random.uniform(1, 3))
            return
        del self._group[: len(group)]
        self.commits += 1
        self._tell(f"centre commits {len(group)}", b"")
        connection = self._connection
        self._soon(lambda: self._acknowledge(connection, [mid for mid, _ in group]), 0.001)
        self._schedule.touch(outcome.touched)
        self._schedule.hurry(outcome.online)
        now_s = self._timeline.now / 1e9
        self._asking.heard(outcome.touched | outcome.online, now_s)
        self._asking.present(outcome.starts, now_s)
        self._asking.gone(outcome.offline)
        self._gathers = False
        if self._group or self._ingest.behind:
            self._gather()
        self._receipts()

    def _acknowledge(self, connection: int, mids: list[int]) -> None:
        if connection == self._connection:
            for mid in mids:
                self._broker.settled(mid)

    def _receipts(self) -> None:
        now_s = self._timeline.now / 1e9
        for address in self._schedule.due(now_s):
            held = self.store.receipt(address.gateway)
            data = receipts.made(self._signer, address.gateway, self.utc_us(), self._nonce(8), held)
            self.received.append(data)
            self._broker.say(address.topic("receipt"), data)
        wait_s = self._schedule.wait_s(now_s)
        if wait_s is not None:
            self._soon(self._receipts, wait_s + 0.001)

    def _ask(self) -> None:
        """Look for holes that last, as the product's intake does where nothing is on its way."""
        now_s = self._timeline.now / 1e9
        for address in self._asking.due(now_s) if not self._group and not self._ingest.behind else ():
            holes = self.store.holes(address.gateway)
            wanted = self._asking.look(address, holes, now_s)
            if wanted:
                self._count("centre asks")
                data = self._asking.made(self._signer, address, holes, self.utc_us(), wanted)
                self.commanded.append(data)
                self._broker.say(address.topic("command"), data, retain=False)
        self._soon(self._ask, HOLE_LEAST_S)

    @property
    def is_idle(self) -> bool:
        return self.is_up and not self._group and not self._ingest.behind and self._schedule.wait_s(0.0) is None

    def kill(self) -> None:
        """What is not committed is gone from here; the broker still has what was not acknowledged."""
        if self.is_up:
            self.is_up = False
            self._broker.goodbye()
            self.store.close()
