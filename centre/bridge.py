"""What gateways say, opened and republished as JSON on a broker inside the hospital: at least once, in order.

A centre's recipient of its own: another client at the outer broker, with a small store of its own for grants, meanings
and times (no samples, no readings). What an envelope said is handed to the inner broker first and only then entered as
held and acknowledged to the outer one; so a crash repeats, and loses nothing. Envelopes of one gateway are told in the
order they are opened. `live` is true only for what is newer than all before it and whose time is known to be within a
minute of now: what waited anywhere is the past.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from queue import Empty
from typing import Protocol

from centre import clock, rows
from centre.boots import mapping_of
from centre.counts import Counts
from centre.ingest import Ingest
from centre.lateness import Front
from centre.mapping import Mapping
from centre.store import Batch, Entry, Store, StoreError
from centre.subscriber import Delivery, Subscriber
from centre.web import models, telling
from wire import codec, records
from wire.topics import Address

LIVE_LIMIT_US = 60_000_000
GROUP_LIMIT_COUNT = 100
WAIT_S = 0.5
ROOT = "ward"
KEPT = (records.Catalogue, records.Anchor, records.Boot, records.EnvelopeGap, records.Association, records.DeviceTimeAt)
_LOG = logging.getLogger("wardlink.bridge")


class Outlet(Protocol):
    """The inner broker. `publish` returns once it has taken all; raises StoreError where it does not."""

    def publish(self, said: Sequence[tuple[str, bytes, bool]]) -> None: ...


def topic(address: Address, word: str) -> str:
    """`update`: what an envelope said; `streams`, retained: what its numbers mean."""
    return f"{ROOT}/{address.site}/{address.gateway}/{word}"


class Passing(Store):
    """A store that enters an envelope as held when its contents have left, and keeps only what others need of it."""

    def __init__(self, url: str, outlet: Outlet, now: Callable[[], int] = clock.utc_us) -> None:
        super().__init__(url)
        self._outlet, self._now = outlet, now
        self._fronts: dict[str, Front] = {}
        self._mappings: dict[tuple[str, int], Mapping] = {}

    def write(self, batch: Batch) -> list[Entry]:
        """Raises StoreError where either side does not take it; then it may be said again."""
        told = [entry for entry in batch.entries if entry.records or entry.blocks]
        self._outlet.publish([message for entry in told for message in self._messages(entry, batch.entries)])
        fresh = super().write(replace(batch, entries=[_slim(entry) for entry in batch.entries]))
        for entry in told:
            if any(isinstance(record, records.Anchor | records.Boot) for record in entry.records):
                self._mappings = {k: m for k, m in self._mappings.items() if k[0] != entry.address.gateway}
        return fresh

    def _messages(self, entry: Entry, batch: Sequence[Entry]) -> Iterator[tuple[str, bytes, bool]]:
        address = entry.address
        said = [record for record in entry.records if isinstance(record, records.Catalogue)]
        if said:
            yield topic(address, "streams"), self._streams(entry, said).model_dump_json().encode(), True
        mapping = self._mapping(entry, batch)
        for update in self._updates(entry, mapping):
            yield topic(address, "update"), update.model_dump_json().encode(), False

    def _updates(self, entry: Entry, mapping: Mapping) -> Iterator[models.UpdateSaid]:
        """What is live, and what is not."""
        front, epoch = self._fronts.setdefault(entry.address.gateway, Front()), entry.header.epoch
        fresh = {id(r) for r in entry.records if front.admits_record(epoch, r) and self._is_now(r.t, mapping)}
        new = {id(b) for b in entry.blocks if front.admits_block(epoch, b) and self._is_now(b.t, mapping)}
        for live in (True, False):
            some = [record for record in entry.records if (id(record) in fresh) is live]
            waves = [run for block in entry.blocks if (id(block) in new) is live for run in _runs(epoch, block)]
            update = self._said(epoch, some, waves, mapping, live)
            if update.waves or update.numerics or update.notices or update.holes:
                yield update

    def _is_now(self, t: int, mapping: Mapping) -> bool:
        earliest = mapping.at(t).earliest
        return earliest is not None and abs(self._now() - earliest) <= LIVE_LIMIT_US

    def _said(
        self, epoch: int, some: Sequence[records.Record], waves: Sequence[rows.Samples], mapping: Mapping, live: bool
    ) -> models.UpdateSaid:
        notices = [telling.notice_of(record, epoch) for record in some]
        return models.UpdateSaid(
            now=self._now(),
            mapping=mapping.version,
            live=live,
            catalogue=any(isinstance(record, records.Catalogue) for record in some),
            waves=[telling.wave(run, mapping) for run in waves],
            numerics=[
                telling.reading(telling.reading_of(r, epoch), mapping) for r in some if isinstance(r, records.NumericAt)
            ],
            notices=[telling.notice(notice, mapping) for notice in notices if notice is not None],
            holes=[telling.hole(record) for record in some if isinstance(record, records.StreamGap)],
        )

    def _mapping(self, entry: Entry, batch: Sequence[Entry]) -> Mapping:
        """By what is stored, and by the anchors that come with it."""
        key = entry.address.gateway, entry.header.epoch
        fresh = [e for e in batch if (e.address.gateway, e.header.epoch) == key]
        said = [_anchored(key[1], r) for e in fresh for r in e.records if isinstance(r, records.Anchor)]
        if said or key not in self._mappings:
            known = {one.epoch: one for one in self.datings(*key)}
            mine = known.get(key[1], rows.Dating(key[1], b"", (), ()))
            known[key[1]] = replace(mine, anchors=(*mine.anchors, *said))
            self._mappings[key] = mapping_of(key[1], known.values())
        return self._mappings[key]

    def _streams(self, entry: Entry, said: Sequence[records.Catalogue]) -> models.Streams:
        gateway, epoch = entry.address.gateway, entry.header.epoch
        found = {one.stream: one for one in self.streams(gateway, epoch)}
        found |= {one.stream: one for catalogue in said for one in _described(gateway, epoch, catalogue)}
        told = [telling.stream(found[number]) for number in sorted(found)]
        return models.Streams(now=self._now(), gateway=gateway, epoch=epoch, epochs=[epoch], streams=told)


class Bridge:
    """The one thread: deliveries in, updates out, acknowledgements back."""

    def __init__(self, store: Passing, ingest: Ingest, subscriber: Subscriber) -> None:
        self._store, self._ingest, self._subscriber = store, ingest, subscriber
        self._waiting: list[Delivery] = []
        self.counts = Counts()

    def run(self, ending: threading.Event) -> None:
        """Until `ending` is set."""
        attempt = 0
        while not ending.is_set():
            try:
                self.step()
                attempt = 0
            except StoreError as error:
                if attempt == 0:
                    _LOG.error("%s hint=%s", error, error.hint)
                ending.wait(clock.retry_s(attempt))
                attempt += 1

    def step(self) -> None:
        """What has come, as one batch. Raises StoreError, and then it comes again."""
        if not self._waiting and not self._ingest.behind:
            self._waiting = list(_gathered(self._subscriber))
        if self._waiting or self._ingest.behind:
            self._ingest.take([delivery.arrival for delivery in self._waiting])
            for delivery in self._waiting:
                self._subscriber.acknowledge(delivery)
            self._waiting = []


def _gathered(subscriber: Subscriber) -> Iterator[Delivery]:
    try:
        yield subscriber.deliveries.get(timeout=WAIT_S)
        for _ in range(GROUP_LIMIT_COUNT - 1):
            yield subscriber.deliveries.get_nowait()
    except Empty:
        return


def _slim(entry: Entry) -> Entry:
    return replace(entry, records=[r for r in entry.records if isinstance(r, KEPT)], blocks=())


def _anchored(epoch: int, record: records.Anchor) -> rows.Anchored:
    return rows.Anchored(epoch, record.t, record.utc, record.error, record.source)


def _runs(epoch: int, block: records.Block) -> Iterator[rows.Samples]:
    values = codec.decode(block.coded, block.rows, block.count)
    for row in range(block.rows):
        marks = tuple(mark for mark in block.marks if mark.row == row)
        yield rows.Samples(epoch, block.stream + row, block.first, block.t, values[row], marks)


def _described(gateway: str, epoch: int, said: records.Catalogue) -> Iterator[rows.Stream]:
    for one in said.streams:
        yield rows.Stream(
            gateway=gateway,
            epoch=epoch,
            stream=one.stream,
            session=said.session,
            channel=one.channel,
            mdc=one.mdc,
            unit=one.unit,
            rate=Fraction(*one.rate),
            gain=Fraction(*one.gain),
            offset=Fraction(*one.offset),
            bits=one.bits,
            filter=one.filter,
            driver=said.driver,
            integrity=said.integrity,
            maker=said.maker,
            model=said.model,
            serial=said.serial,
            port=said.port,
            firmware=said.firmware,
        )
