"""From what arrived to what is held, on a real store: order, copies, forgeries, restarts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from centre.counts import Counts
from centre.gate import Gate
from centre.ingest import Arrival, Ingest, Outcome
from centre.ledger import Place, Summary
from centre.live import Update
from centre.store import Store
from tests.sealed import BOUND, CATALOGUE, CENTRE, RECEIVED, STRANGER, Bedside, block, reading, values
from wire import bundle
from wire.envelope import ENVELOPE_LIMIT_BYTES
from wire.records import Block, EnvelopeGap, MarkAt, NumericAt
from wire.topics import Address, Class

LIMIT = 10**6


class Centre:
    """A store with its ingest, which can be started again on the same database."""

    def __init__(self, url: str, gate: Gate) -> None:
        self._url = url
        self._gate = gate
        self.updates: list[Update] = []
        self._open()

    def _open(self) -> None:
        self.counts = Counts()
        self.store = Store(self._url, self.counts)
        self.ingest = Ingest(self.store, self._gate, (CENTRE,), self.counts)
        self.ingest.listeners.append(self.updates.append)

    def restart(self) -> None:
        self.store.close()
        self._open()

    def take(self, *arrivals: Arrival) -> Outcome:
        """Each in a batch of its own, then all that waited."""
        outcome = Outcome(frozenset(), frozenset())
        for arrival in arrivals:
            outcome = self.ingest.take([arrival])
        while self.ingest.behind:
            self.ingest.take([])
        return outcome

    def count(self, name: str) -> int:
        return self.counts.snapshot().get(name, 0)


@pytest.fixture
def bedside() -> Bedside:
    return Bedside()


@pytest.fixture
def centre(tmp_path: Path, bedside: Bedside) -> Iterator[Centre]:
    made = Centre(f"sqlite:///{tmp_path / 'centre.db'}", Gate({bedside.gateway: "north"}))
    yield made
    made.store.close()


def flipped(arrival: Arrival, at: int) -> Arrival:
    data = bytearray(arrival.data)
    data[at] ^= 1
    return arrival._replace(data=bytes(data))


def test_what_was_sealed_is_what_is_read(centre: Centre, bedside: Bedside) -> None:
    mark = MarkAt(1, 30, "pace")
    centre.take(
        bedside.grant(), bedside.vital(CATALOGUE, BOUND, reading(10, "97.50")), bedside.wave(block(0, marks=[mark]))
    )
    [spo2, ecg, _] = centre.store.streams(bedside.gateway)
    assert (spo2.channel, spo2.rate, ecg.rate, ecg.driver) == ("spo2", 0, 500, "nonin_9560")
    [found] = centre.store.readings(bedside.gateway, 1, None, 10)
    assert (str(found.value), found.t) == ("97.50", 10)
    [run] = centre.store.samples(bedside.gateway, 1, 2, 0, 250, LIMIT)
    assert np.array_equal(run.values, values(0, 250)[1])
    assert run.marks == (mark,)
    [bed] = centre.store.beds()
    assert (bed.bed, bed.pseudonym, bed.heard_utc, bed.epoch, bed.missing) == ("bed 12", "p-123", RECEIVED, 1, 0)


def test_a_copy_changes_nothing_but_a_counter(centre: Centre, bedside: Bedside) -> None:
    arrivals = [bedside.grant(), bedside.vital(CATALOGUE, reading(10)), bedside.wave(block(0))]
    centre.take(*arrivals)
    told = len(centre.updates)
    outcome = centre.take(*arrivals)
    assert outcome.touched == {bedside.address}  # its receipt was lost
    assert centre.store.summary(bedside.gateway) == Summary(held=3, duplicates=3)
    assert len(centre.updates) == told
    assert len(centre.store.readings(bedside.gateway, 1, 0, 10)) == 1
    assert centre.count("duplicates") == 3


def test_copies_within_one_batch(centre: Centre, bedside: Bedside) -> None:
    arrivals = [bedside.grant(), bedside.vital(reading(10))]
    centre.ingest.take([*arrivals, *arrivals])
    assert centre.store.summary(bedside.gateway) == Summary(held=2, duplicates=2)


def test_a_batch_in_any_order_is_taken_whole(centre: Centre, bedside: Bedside) -> None:
    arrivals = [bedside.grant(), bedside.vital(CATALOGUE), bedside.wave(block(0))]
    centre.ingest.take(arrivals[::-1])
    assert centre.store.summary(bedside.gateway).held == 3
    assert centre.count("parked") == 0


def test_a_wave_before_its_grant_waits(centre: Centre, bedside: Bedside) -> None:
    grant, wave = bedside.grant(), bedside.wave(block(0))
    outcome = centre.take(wave)
    assert outcome.touched == frozenset()
    assert centre.store.receipt(bedside.gateway) == []
    centre.take(grant)
    assert centre.store.last_index(bedside.gateway, 1, 1) == 250
    assert centre.store.summary(bedside.gateway) == Summary(held=2)
    assert centre.store.parked((bedside.gateway, 1, 0), 10) == []


def test_hundreds_that_wait_are_all_taken(centre: Centre, bedside: Bedside) -> None:
    grant = bedside.grant()
    waiting = [bedside.vital(reading(t)) for t in range(450)]
    centre.ingest.take(waiting)
    centre.take(grant)
    assert centre.store.summary(bedside.gateway) == Summary(held=451)


def test_a_wave_before_its_catalogue_is_read_once_that_came(centre: Centre, bedside: Bedside) -> None:
    grant, vital, wave = bedside.grant(), bedside.vital(CATALOGUE), bedside.wave(block(0))
    centre.take(grant, wave)
    assert centre.store.streams(bedside.gateway) == []
    assert centre.store.missing(Place(bedside.gateway, 1, Class.VITAL)) == []
    centre.take(vital)
    assert [s.stream for s in centre.store.streams(bedside.gateway)] == [0, 1, 2]
    assert len(centre.store.samples(bedside.gateway, 1, 1, 0, 250, LIMIT)) == 1


@pytest.mark.parametrize("at", [14, -1])
def test_a_flipped_bit_is_refused_and_the_true_one_still_taken(centre: Centre, bedside: Bedside, at: int) -> None:
    centre.take(bedside.grant())
    wave = bedside.wave(block(0))
    centre.take(flipped(wave, at))
    assert centre.count("refused_altered") == 1
    assert centre.store.last_index(bedside.gateway, 1, 1) is None
    centre.take(wave)
    assert centre.store.last_index(bedside.gateway, 1, 1) == 250


def test_a_flipped_bit_in_a_grant(centre: Centre, bedside: Bedside) -> None:
    grant = bedside.grant()
    for at in (40, 200, -1):
        centre.take(flipped(grant, at))
    assert centre.count("refused_signature") == 3
    centre.take(grant)
    assert centre.store.summary(bedside.gateway).held == 1


def test_a_forged_envelope_that_waits_does_not_keep_the_true_one_out(centre: Centre, bedside: Bedside) -> None:
    grant, wave = bedside.grant(), bedside.wave(block(0))
    centre.take(flipped(wave, -1), wave, grant)
    assert centre.count("refused_altered") + centre.count("duplicates") == 1  # whichever is opened first
    assert centre.store.parked((bedside.gateway, 1, 0), 10) == []
    assert centre.store.last_index(bedside.gateway, 1, 1) == 250


def test_a_grant_for_somebody_else(centre: Centre) -> None:
    other = Bedside(secrets=(STRANGER,))
    centre.take(other.grant(), other.wave(block(0)))
    assert centre.count("refused_grant_for_others") == 1
    assert centre.count("parked") == 1
    assert centre.store.receipt(other.gateway) == []


def test_a_foreign_gateway(centre: Centre, bedside: Bedside) -> None:
    foreign = Bedside("foreign")
    centre.take(foreign.grant(), foreign.wave(block(0)), foreign.state(b'{"state":"online","epoch":1}'))
    moved = bedside.grant()._replace(address=Address("south", bedside.gateway))
    centre.take(moved)
    assert centre.count("refused_foreign_gateway") == 4
    assert [bed.gateway for bed in centre.store.beds()] == []


def test_a_grant_of_one_gateway_on_the_topic_of_another(centre: Centre, bedside: Bedside) -> None:
    centre.take(Bedside("foreign").grant()._replace(address=bedside.address))
    assert centre.count("refused_signature") == 1


def test_what_is_no_envelope(centre: Centre, bedside: Bedside) -> None:
    grant, vital = bedside.grant(), bedside.vital(reading(1))
    junk = [b"", b"\x02" + grant.data[1:], b"\x01\x01" + bytes(5), b"\x01\x07" + bytes(40)]
    junk.append(b"\x01" + bytes(ENVELOPE_LIMIT_BYTES))
    centre.take(
        *(vital._replace(data=data) for data in junk), vital._replace(word="wave"), vital._replace(word="reply")
    )
    assert centre.count("refused_version") == 2
    assert centre.count("refused_header") == 2
    assert centre.count("refused_oversize") == 1
    assert centre.count("refused_topic") == 1
    assert centre.count("refused_reply") == 1


def test_genuine_envelopes_with_contents_that_are_none(centre: Centre, bedside: Bedside) -> None:
    centre.take(
        bedside.grant(),
        bedside.plain(Class.VITAL, b"\xff"),
        bedside.plain(Class.WAVE, bundle.pack_wave([Block(1, 1, 1, 0, 5, b"\xff\xff")])),
        bedside.vital(NumericAt(1 << 63, 0, 5)),
        bedside.vital(EnvelopeGap(1, 1, 9, 0, 5, "power")),
    )
    assert centre.count("refused_bundle") == 1
    assert centre.count("refused_codec") == 1
    assert centre.count("refused_bounds") == 2
    assert centre.store.summary(bedside.gateway) == Summary(held=1)


def test_a_restart_in_the_middle(centre: Centre, bedside: Bedside) -> None:
    grant, early, late = bedside.grant(), bedside.wave(block(0)), bedside.wave(block(250))
    next_hour, waiting = bedside.grant(), bedside.wave(block(500))
    centre.take(grant, early, waiting)
    centre.restart()
    centre.take(late, early)
    assert centre.store.last_index(bedside.gateway, 1, 1) == 500
    assert centre.store.summary(bedside.gateway) == Summary(held=3, duplicates=1)
    centre.take(next_hour)
    centre.restart()
    assert centre.store.last_index(bedside.gateway, 1, 1) == 750
    assert centre.store.summary(bedside.gateway) == Summary(held=5, duplicates=1)


def test_a_restart_between_a_grant_and_what_waited_for_it(centre: Centre, bedside: Bedside) -> None:
    grant, wave = bedside.grant(), bedside.wave(block(0))
    centre.ingest.take([wave])
    centre.ingest.take([grant])
    centre.restart()
    assert centre.ingest.behind
    centre.take()
    assert centre.store.last_index(bedside.gateway, 1, 1) == 250


def test_backfill_is_told_as_such(centre: Centre, bedside: Bedside) -> None:
    grant = bedside.grant()
    old_vital, old_wave = bedside.vital(reading(10)), bedside.wave(block(0))
    new_vital, new_wave = bedside.vital(reading(99)), bedside.wave(block(250))
    centre.take(grant, new_vital, new_wave, old_vital, old_wave)
    assert [update.live for update in centre.updates] == [True, True, False, False]
    centre.restart()
    centre.updates.clear()
    older = Bedside(epoch=0)
    centre.take(bedside.wave(block(100, 50)), bedside.vital(reading(98)), older.grant(), older.vital(reading(10**9)))
    assert [update.live for update in centre.updates] == [False, False, False]
    centre.take(bedside.wave(block(500)))
    assert [run.stream for run in centre.updates[-1].samples] == [1, 2]
    assert centre.updates[-1].live


def test_holes_are_missing_until_declared(centre: Centre, bedside: Bedside) -> None:
    centre.take(bedside.grant())
    sealed = [bedside.wave(block(250 * i)) for i in range(4)]
    centre.take(sealed[0], sealed[2])
    place = Place(bedside.gateway, 1, Class.WAVE)
    assert centre.store.missing(place) == [(1, 1)]
    centre.take(bedside.manifest())
    assert centre.store.missing(place) == [(1, 1), (3, 3)]
    centre.take(bedside.vital(EnvelopeGap(5, 1, 2, 1, 1, "storage")))
    later = Bedside(epoch=2)
    centre.take(later.ended((1, 2, 6)))
    centre.restart()
    assert centre.store.missing(place) == [(3, 5)]
    assert centre.store.summary(bedside.gateway).lost == 1
    centre.take(Bedside(epoch=3).ended((1, 2, 3)))  # the disk has lost more than it said first
    for _ in range(2):
        assert centre.store.missing(place) == []
        assert centre.store.summary(bedside.gateway).lost == 4
        centre.restart()


def test_presence_is_the_bed_s_flag_until_the_broker_goes(centre: Centre, bedside: Bedside) -> None:
    assert centre.take(bedside.state(b'{"state":"online","epoch":1}')).online == {bedside.address}
    assert centre.store.beds()[0].online
    centre.ingest.disconnected()
    assert not centre.store.beds()[0].online
    centre.take(bedside.state(b'{"state":"sleeping","epoch":1}'))
    assert centre.count("refused_presence") == 1


def test_any_genuine_gateway_proves_itself_first(tmp_path: Path) -> None:
    centre = Centre(f"sqlite:///{tmp_path / 'open.db'}", Gate(None))
    bedside = Bedside("unknown")
    grant, vital = bedside.grant(), bedside.vital(reading(5))
    centre.take(bedside.state(b'{"state":"online","epoch":1}'), vital)
    assert centre.store.beds() == []
    assert centre.count("refused_unproven_gateway") == 1
    centre.take(grant, vital)
    assert [(bed.gateway, bed.online) for bed in centre.store.beds()] == [(bedside.gateway, True)]
    assert centre.store.summary(bedside.gateway).held == 2
    centre.store.close()
