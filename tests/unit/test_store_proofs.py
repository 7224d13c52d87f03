"""The centre compares manifests with what it holds, whatever came first, and keeps what it found over a restart."""

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from centre import rows
from centre.counts import Counts
from centre.gate import Gate
from centre.ingest import Arrival, Ingest
from centre.store import Store
from tests.sealed import CENTRE, RECEIVED, reading
from wire import bundle, statement
from wire.receipt import Held
from wire.seal import Sealer
from wire.statement import Manifest, Recovered, Sealed
from wire.topics import Address, Class

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY, VITAL, WAVE = Class


class Start:
    """One start of the gateway; `nonce` is what tells it from another with the same epoch."""

    def __init__(self, epoch: int = 1, nonce: bytes = b"first...") -> None:
        self.sealer = Sealer(SIGNER, [CENTRE.recipient], epoch, nonce)
        self.address = Address("north", self.sealer.gateway)

    def arrival(self, made) -> Arrival:
        return Arrival(self.address, made[0].cls.word, made[1], RECEIVED)

    def grant(self) -> Arrival:
        return self.arrival(self.sealer.begin_hour())

    def vital(self, *t: int) -> list[Arrival]:
        return [self.arrival(self.sealer.seal(VITAL, bundle.pack_vital([reading(at)]))) for at in t]

    def manifest(self) -> Arrival:
        return self.arrival(self.sealer.manifest())


class Centre:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "centre.db"
        self.gateway = Start().sealer.gateway
        self.open()

    def open(self) -> None:
        self.counts = Counts()
        self.store = Store(f"sqlite:///{self.file}", self.counts)
        self.ingest = Ingest(self.store, Gate({self.gateway: "north"}), (CENTRE,), self.counts)

    def restart(self) -> None:
        self.store.close()
        self.open()

    def take(self, *arrivals: Arrival) -> None:
        for arrival in arrivals:
            self.ingest.take([arrival])
        while self.ingest.behind:
            self.ingest.take([])

    @property
    def bed(self) -> rows.Bed:
        (one,) = self.store.beds()
        return one

    @property
    def said(self) -> tuple[int, int, int]:
        return self.bed.unproven, self.bed.refuted, self.bed.conflicts


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path)
    yield made
    made.store.close()


def test_what_a_manifest_lists_is_proven_when_it_comes(centre: Centre) -> None:
    start = Start()
    centre.take(start.grant(), *start.vital(1, 2, 3))
    assert centre.said == (3, 0, 0)
    centre.take(start.manifest())
    assert centre.said == (0, 0, 0)
    centre.take(*start.vital(4))
    assert centre.said == (1, 0, 0)
    centre.restart()
    assert centre.said == (1, 0, 0)


def test_a_hole_keeps_its_neighbours_unproven_until_it_closes(centre: Centre) -> None:
    start = Start()
    grant, (one, two, three) = start.grant(), start.vital(1, 2, 3)
    centre.take(grant, start.manifest(), one, three)
    assert (centre.said, centre.bed.missing) == ((2, 0, 0), 1)
    centre.restart()
    assert centre.said == (2, 0, 0)
    centre.take(two)
    assert (centre.said, centre.bed.missing) == ((0, 0, 0), 0)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_in_any_order_and_any_batches_all_is_proven(tmp_path_factory, data) -> None:
    start = Start()
    arrivals = [start.grant()]
    for minute in range(4):
        arrivals += [*start.vital(*range(minute * 3, minute * 3 + 3)), start.manifest()]
    arrivals += start.vital(99)
    order = data.draw(st.permutations(arrivals))
    centre = Centre(tmp_path_factory.mktemp("centre"))
    while order:
        size = data.draw(st.integers(1, len(order)))
        centre.ingest.take(order[:size])
        order = order[size:]
        if data.draw(st.booleans()):
            centre.restart()
    centre.take()
    assert centre.said == (1, 0, 0)
    with sqlite3.connect(centre.file) as database:
        assert database.execute("select first, last from proven").fetchall() == [(0, 11)], "one range, however it came"
        assert database.execute("select count(*) from proof").fetchone() == (0,)
    centre.store.close()


def test_what_is_not_what_was_listed_is_said_and_stays_said(centre: Centre) -> None:
    """Whoever may open can make an envelope that opens; only the gateway can sign the list of the true ones."""
    start = Start()
    centre.take(start.grant(), *start.vital(1, 2, 3))
    header, said = statement.read(start.sealer.gateway, start.manifest().data)
    assert isinstance(said, Manifest)
    wrong = Manifest(
        said.previous, [Sealed(one.cls, one.first, one.count, bytes(32)) for one in said.sealed], said.nonce
    )
    forged = statement.sign(SIGNER, start.sealer.gateway, header, wrong)
    centre.take(start.arrival((header, forged)))
    assert centre.said == (3, 3, 0)
    centre.restart()
    assert centre.said == (3, 3, 0)


def test_the_recovery_of_a_tail_proves_it(centre: Centre) -> None:
    start, later = Start(), Start(epoch=2)
    made = start.vital(1, 2) if centre.take(start.grant()) is None else []
    centre.take(*made)
    digest = hashlib.sha256(b"".join(hashlib.sha256(one.data).digest() for one in made)).digest()
    ended = later.sealer.ended([(1, 1, 2)], [Recovered(1, bytes(32), [Sealed(1, 0, 2, digest)])])
    centre.take(later.arrival(ended))
    assert centre.said == (0, 0, 0)


def test_two_starts_under_one_number_are_told_apart_and_kept_apart(centre: Centre) -> None:
    """A card put back to an older image: the same epoch, another nonce, another data key."""
    first, second = Start(), Start(nonce=b"restored")
    centre.take(first.grant(), *first.vital(1, 2), first.manifest())
    again = [second.grant(), *second.vital(50, 60, 70)]
    centre.take(*again)
    assert centre.said == (0, 0, 4), "also the third, whose number was free: its epoch is another"
    assert centre.counts.snapshot()["conflicts"] == 4
    assert [r.t for r in centre.store.readings(centre.gateway, 1, 0, 10)] == [1, 2], "nothing was written over or mixed"
    centre.restart()
    centre.take(*again)
    assert centre.said == (0, 0, 4), "what is kept apart is kept once"
    with sqlite3.connect(centre.file) as database:
        kept = {bytes(data) for (data,) in database.execute("select data from conflict")}
    assert kept == {arrival.data for arrival in again}


def by_name(said: list[Held]) -> list[Held]:
    return sorted(said, key=lambda one: (one.start, one.cls))


def test_each_of_two_starts_under_one_number_is_told_of_its_own(centre: Centre) -> None:
    first, second = Start(), Start(nonce=b"restored")
    grant, made, more = second.grant(), second.vital(50, 60, 70), second.manifest()
    centre.take(first.grant(), *first.vital(1, 2))
    centre.take(grant, *made, more)
    wanted = [
        Held(1, b"first...", Class.KEY, [(0, 0)]),
        Held(1, b"first...", Class.VITAL, [(0, 1)]),
        Held(1, b"restored", Class.KEY, [(0, 1)]),  # its manifest, though the first start has none of this number
        Held(1, b"restored", Class.VITAL, [(0, 2)]),
    ]
    assert by_name(centre.store.receipt(centre.gateway)) == by_name(wanted)
    assert centre.bed.missing == 0, "what one start sealed is no hole of another"
    centre.restart()
    assert by_name(centre.store.receipt(centre.gateway)) == by_name(wanted)
    centre.take(*second.vital(80), *first.vital(3))
    told = {(one.start, one.cls): one.ranges for one in centre.store.receipt(centre.gateway)}
    assert told[b"restored", Class.VITAL] == [(0, 3)]
    assert told[b"first...", Class.VITAL] == [(0, 2)]


def test_a_statement_that_names_no_start_is_refused(centre: Centre) -> None:
    start = Start()
    header, said = statement.read(start.sealer.gateway, start.grant().data)
    for wrong in (b"", bytes(7), bytes(9)):
        unnamed = statement.sign(SIGNER, start.sealer.gateway, header, msgspec.structs.replace(said, nonce=wrong))
        centre.take(start.arrival((header, unnamed)))
    assert centre.counts.snapshot()["refused_bounds"] == 3
    assert centre.store.receipt(centre.gateway) == []


def test_a_flipped_copy_of_what_is_held_is_refused_and_no_conflict(centre: Centre) -> None:
    start = Start()
    grant, (one,) = start.grant(), start.vital(1)
    centre.take(grant, one, one._replace(data=one.data[:-1] + bytes([one.data[-1] ^ 1])))
    assert centre.said == (1, 0, 0)
    assert centre.counts.snapshot()["refused_altered"] == 1
