"""From what arrived to what is held: open, verify, decode, commit, tell. One thread calls it.

Nothing that arrives raises out of it: what is refused is counted by reason, what lacks its grant is parked until the
grant comes (backfill comes newest first, so that is usual). Only the store's own failure does (StoreError), and then
nothing has happened and the same arrivals may be given again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from centre import opening, relay
from centre.counts import Counts
from centre.gate import Gate
from centre.ledger import Place, Start
from centre.live import decoded
from centre.opening import ConflictError, Openers, Reason, RefusedError
from centre.relay import Carried
from centre.showing import Showing
from centre.store import Batch, Entry, Parked, Store
from centre.store.entry import Apart, Replied
from wire import presence, reply
from wire.codec import CodecError
from wire.keys import RecipientSecret
from wire.presence import PresenceError
from wire.records import Block
from wire.reply import ReplyError
from wire.seal import NoGrantError
from wire.statement import Grant
from wire.topics import Address, Class

PARKED_CHUNK_LIMIT_ROWS = 200
EARLY_LIMIT_COUNT = 1000
_CLASSES = {cls.word: cls for cls in Class}
_Hour = tuple[str, int, int]


class Arrival(NamedTuple):
    """What a topic brought, and when (microseconds since 1970 by the centre)."""

    address: Address
    word: str
    data: bytes
    received: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Gateways to send a receipt to; those in `online` have just come and wait for one, `offline` ones have left."""

    touched: frozenset[Address]
    online: frozenset[Address]
    offline: frozenset[Address] = frozenset()
    starts: Mapping[Address, Start] = field(default_factory=dict)  # of those online, as presence says
    carried: tuple[Carried, ...] = ()  # what was relayed and is held


@dataclass(slots=True)
class _Work:
    """One batch in the making; thrown away if the store fails."""

    batch: Batch = field(default_factory=Batch)
    seen: dict[tuple[str, int, int, int], bytes] = field(default_factory=dict)  # digests
    counts: Counter[str] = field(default_factory=Counter)
    touched: set[Address] = field(default_factory=set)
    early: dict[Address, bool] = field(default_factory=dict)
    carried: list[Carried] = field(default_factory=list)
    starts: dict[Address, Start] = field(default_factory=dict)
    done: _Hour | None = None  # nothing of it waits any more


class Ingest:
    """`listeners` are called after each commit, in the order of arrival, once or twice for each envelope."""

    def __init__(self, store: Store, gate: Gate, secrets: Sequence[RecipientSecret], counts: Counts) -> None:
        self._store = store
        self._gate = gate
        self._counts = counts
        self._openers = Openers(secrets, store.grants, store.start)
        self._openable: dict[_Hour, None] = {}
        self._granted = True  # a grant came since it was looked what waits for one
        self._showing = Showing(store)
        self._early: dict[Address, bool] = {}  # presence of gateways that have proven nothing yet
        self.listeners = self._showing.listeners

    @property
    def behind(self) -> bool:
        """Whether parked envelopes can be opened now: call `take` again, even with nothing."""
        return self._granted or bool(self._openable)

    def take(self, arrivals: Iterable[Arrival], handled: Iterable[int] = ()) -> Outcome:
        """Commit what arrived and a chunk of what was parked; `handled` was handed over for this. Raises StoreError."""
        if self._granted:
            self._openable.update(dict.fromkeys(self._store.openable()))
            self._granted = False
        work = _Work(Batch(handled=list(handled)))
        for arrival in sorted(arrivals, key=lambda a: _CLASSES.get(a.word, Class.KEY)):  # grants first
            self._counted(work, arrival)
        hour = next(iter(self._openable), None)
        if hour is not None:
            self._unpark(work, hour)
        for address in {entry.address for entry in work.batch.entries}:
            self._showing.meet(address.gateway)  # as it was before this batch
        fresh = self._store.write(work.batch)
        self._committed(work, fresh)
        for entry in fresh:
            self._showing.tell(entry)
        online = frozenset(address for address, here in work.batch.online.items() if here)
        touched = work.touched | {entry.address for entry in work.batch.entries} | {c.relayer for c in work.carried}
        starts = {address: start for address, start in work.starts.items() if address in online}
        return Outcome(frozenset(touched), online, frozenset(work.batch.online) - online, starts, tuple(work.carried))

    def settle(self, gone: Iterable[str]) -> None:
        """Others take what these gateways say from now on; or we do, afresh. Raises StoreError."""
        gone = list(gone)
        self._showing.forget(gone)
        self._openers.forget(gone)
        self._openable, self._granted = {}, True

    def disconnected(self) -> None:
        """The broker is gone, and with it all knowledge of who is online. Raises StoreError."""
        self._store.all_offline()

    def _counted(self, work: _Work, arrival: Arrival) -> None:
        try:
            self._one(work, arrival)
        except RefusedError as refused:
            work.counts[refused.reason] += 1

    def _one(self, work: _Work, arrival: Arrival) -> None:
        if not self._gate.admits(arrival.address):
            raise RefusedError(Reason.FOREIGN)
        self._admitted(work, arrival)

    def _admitted(self, work: _Work, arrival: Arrival) -> bytes:
        """The start that sealed what is held from this commit on; empty where nothing is, or not yet."""
        if arrival.word in _CLASSES:
            return self._envelope(work, arrival)
        if arrival.word == "state":
            self._presence(work, arrival)
        elif arrival.word == "relay":
            self._relay(work, arrival)
        elif arrival.word == "reply":
            self._reply(work, arrival)
        else:
            raise RefusedError(Reason.TOPIC)
        return b""

    def _relay(self, work: _Work, arrival: Arrival) -> None:
        carried, data = relay.unwrapped(arrival.address, arrival.data, self._gate)
        if not self._gate.carries(carried.origin):
            raise RefusedError(Reason.FOREIGN)
        start = self._admitted(work, Arrival(carried.origin, carried.header.cls.word, data, arrival.received))
        if start:  # what waits for its grant is not held
            work.carried.append(carried._replace(start=start))
        work.counts["relayed"] += 1

    def _reply(self, work: _Work, arrival: Arrival) -> None:
        try:
            said = reply.read(arrival.address.gateway, arrival.data)
        except ReplyError as error:
            raise RefusedError(Reason.REPLY) from error
        work.batch.replies.append(Replied(arrival.address.gateway, said, arrival.received))
        work.counts["replies"] += 1

    def _presence(self, work: _Work, arrival: Arrival) -> None:
        try:
            said = presence.read(arrival.data)
        except PresenceError as error:
            raise RefusedError(Reason.PRESENCE) from error
        online = said.state == "online"
        if self._gate.trusts(arrival.address) or arrival.address in work.touched:
            work.starts[arrival.address] = Start(said.epoch, bytes.fromhex(said.start))
            work.batch.online[arrival.address] = online
        elif len(self._early) + len(work.early) < EARLY_LIMIT_COUNT:
            work.early[arrival.address] = online

    def _envelope(self, work: _Work, arrival: Arrival) -> bytes:
        address, data = arrival.address, arrival.data
        header = opening.header(data, _CLASSES[arrival.word])
        key = (address.gateway, header.epoch, int(header.cls), header.seq)
        place, digest = Place(address.gateway, header.epoch, header.cls), hashlib.sha256(data).digest()
        known = work.seen.get(key) or (self._store.holds(place, header.seq) and self._store.digest(place, header.seq))
        if known == digest or known is None:  # None: it is held, and by now not even its hash is kept
            work.batch.repeats[place] += 1
            work.touched.add(address)  # sent again: our receipt was lost
            return self._openers.start(address.gateway, header.epoch)
        if header.cls is not Class.KEY and not self._gate.trusts(address) and address not in work.touched:
            raise RefusedError(Reason.UNPROVEN)
        arrived = Parked(address, header, arrival.received, digest, data)
        try:
            entry = self._opened(arrived)
        except NoGrantError:
            if known:
                raise RefusedError(Reason.ALTERED) from None
            work.batch.parked.append(arrived)
            work.counts["parked"] += 1
            return b""
        except ConflictError as conflict:
            self._set_apart(work, arrived, conflict.start)
            return conflict.start
        if known:  # genuine, and other bytes than are here
            self._set_apart(work, arrived, entry.start)
        else:
            self._add(work, entry)
        return entry.start

    def _opened(self, one: Parked) -> Entry:
        opens = self._openers.statement if one.header.cls is Class.KEY else self._openers.envelope
        return opens(one.address, one.received, one.data)

    def _set_apart(self, work: _Work, one: Parked, start: bytes) -> None:
        """Its name is taken: nothing here is written over, and it is kept as it came."""
        work.batch.conflicts.append(Apart(start, one))
        work.touched.add(one.address)
        work.counts["conflicts"] += 1

    def _add(self, work: _Work, entry: Entry) -> None:
        for block in entry.blocks:  # it decodes; what comes out is not kept, as it may be 150 000 times as large
            _checked(entry.header.epoch, block)
        work.batch.entries.append(entry)
        if self._store.start(entry.place.gateway, entry.place.epoch) is None:
            work.batch.starts[entry.place.gateway, entry.place.epoch] = entry.start
        key = (entry.address.gateway, entry.header.epoch, int(entry.header.cls), entry.header.seq)
        work.seen[key] = entry.digest
        work.touched.add(entry.address)
        heard = work.batch.heard
        heard[entry.address] = max(entry.received, heard.get(entry.address, 0))
        early = {**self._early, **work.early}
        if entry.address in early:
            work.batch.online.setdefault(entry.address, early[entry.address])

    def _unpark(self, work: _Work, hour: _Hour) -> None:
        """Open a chunk of what waited for this grant; what then does not open is refused like any other."""
        found = self._store.parked(hour, PARKED_CHUNK_LIMIT_ROWS)
        for parked in found:
            before = len(work.batch.parked)
            word = parked.header.cls.word
            self._counted(work, Arrival(parked.address, word, parked.data, parked.received))
            if len(work.batch.parked) > before:  # the stored grant is not for our key of today
                del work.batch.parked[before:]
                found = []
                break
            work.batch.taken.append(parked)
        if len(found) < PARKED_CHUNK_LIMIT_ROWS:
            work.done = hour

    def _committed(self, work: _Work, fresh: Sequence[Entry]) -> None:
        self._early |= work.early
        for entry in work.batch.entries:
            self._gate.prove(entry.address)
            self._early.pop(entry.address, None)
        if work.done is not None:
            del self._openable[work.done]
        self._granted = self._granted or any(isinstance(entry.said, Grant) for entry in fresh)
        work.counts["envelopes"] += len(fresh)
        work.counts["envelope_bytes"] += sum(entry.size for entry in fresh)
        work.counts["duplicates"] += work.batch.repeats.total()
        work.counts["parked_dropped"] += work.batch.dropped
        for name, by in work.counts.items():
            self._counts.add(str(name), by)


def _checked(epoch: int, block: Block) -> None:
    try:
        decoded(epoch, block)
    except CodecError as error:
        raise RefusedError(Reason.CODEC) from error
