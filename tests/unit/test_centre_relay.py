"""The centre takes a dead gateway's envelopes from another one as if they came from itself, and only those."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from centre.gate import Gate
from centre.ingest import Arrival
from centre.ledger import Summary
from centre.relay import RECEIPT_LIMIT_RUNS, Carried, Debts
from tests.sealed import CATALOGUE, RECEIVED, Bedside, block, reading
from tests.unit.test_ingest import Centre, flipped
from wire.envelope import Header
from wire.ranges import Ranges
from wire.receipt import RECEIPT_LIMIT_BYTES, Held
from wire.relay import RelayError, unwrap, wrap
from wire.topics import Address, Class

START = bytes(8)
OTHER_SITE = Bedside("elsewhere")


@pytest.fixture
def dead() -> Bedside:
    return Bedside("dead")


@pytest.fixture
def bearer() -> Bedside:
    return Bedside("bearer")


@pytest.fixture
def centre(tmp_path: Path, dead: Bedside, bearer: Bedside) -> Iterator[Centre]:
    sites = {dead.gateway: "north", bearer.gateway: "north", OTHER_SITE.gateway: "south"}
    made = Centre(f"sqlite:///{tmp_path / 'centre.db'}", Gate(sites))
    yield made
    made.store.close()


def relay(bearer: Address, arrival: Arrival, gateway: str = "") -> Arrival:
    return Arrival(bearer, "relay", wrap(gateway or arrival.address.gateway, arrival.data), RECEIVED)


def carried(outcome) -> list[tuple[str, str, Class, int]]:
    return [(one.relayer.gateway, one.origin.gateway, one.header.cls, one.header.seq) for one in outcome.carried]


def test_what_is_relayed_is_stored_once_under_its_own_gateway(centre, dead, bearer) -> None:
    direct, relayed = [dead.grant(), dead.vital(CATALOGUE, reading(10))], [dead.wave(block(0)), dead.vital(reading(20))]
    centre.take(*direct)
    outcome = centre.ingest.take([relay(bearer.address, one) for one in [*relayed, direct[1]]])
    assert carried(outcome) == [
        (bearer.gateway, dead.gateway, Class.WAVE, 0),
        (bearer.gateway, dead.gateway, Class.VITAL, 1),
        (bearer.gateway, dead.gateway, Class.VITAL, 0),  # a copy is held as well
    ]
    assert outcome.touched == {dead.address, bearer.address}
    assert outcome.online == frozenset(), "nobody says that the dead one is online"
    assert centre.store.summary(dead.gateway) == Summary(held=4, duplicates=1)
    assert centre.store.summary(bearer.gateway) == Summary()
    assert [str(found.value) for found in centre.store.readings(dead.gateway, 1, 0, 10)] == ["97", "97"]
    assert centre.count("relayed") == 3


def test_what_another_start_sealed_under_the_same_names_is_held_under_its_own(centre, dead, bearer) -> None:
    """The dead gateway's card was an old image: the centre has its first start, the relayer brings the second."""
    again = Bedside("dead", start=b"restored")
    centre.take(dead.grant(), dead.vital(reading(10)))
    made = [again.grant(), again.vital(reading(77)), again.vital(reading(78)), again.manifest()]
    outcome = centre.ingest.take([relay(bearer.address, one) for one in made])
    assert {(one.header.cls, one.header.seq, one.start) for one in outcome.carried} == {
        (cls, seq, b"restored") for cls in (Class.KEY, Class.VITAL) for seq in (0, 1)
    }
    copies = centre.ingest.take([relay(bearer.address, one) for one in (made[1], dead.vital(reading(20)))])
    assert {(one.header.seq, one.start) for one in copies.carried} == {(0, b"restored"), (1, bytes(8))}
    debts = Debts()
    debts.owe(outcome.carried)
    ((_, told),) = debts.pay(bearer.address)
    assert {one.start for one in told} == {b"restored"}


def test_what_waits_for_its_grant_is_not_yet_receipted(centre, dead, bearer) -> None:
    grant, vital = dead.grant(), dead.vital(reading(10))
    assert carried(centre.take(relay(bearer.address, vital))) == []
    centre.take(relay(bearer.address, grant))
    assert centre.store.summary(dead.gateway).held == 2
    assert carried(centre.take(relay(bearer.address, vital))) == [(bearer.gateway, dead.gateway, Class.VITAL, 0)]


@pytest.mark.parametrize(
    ("forge", "counter"),
    [
        (lambda dead, bearer, made: flipped(relay(bearer.address, made[1]), -1), "refused_altered"),
        (lambda dead, bearer, made: flipped(relay(bearer.address, made[0]), -1), "refused_signature"),
        (lambda dead, bearer, made: relay(bearer.address, bearer.grant()), "refused_relay_of_own"),
        (lambda dead, bearer, made: relay(bearer.address, made[0], OTHER_SITE.gateway), "refused_foreign_gateway"),
        (lambda dead, bearer, made: relay(bearer.address, bearer.grant(), dead.gateway), "refused_signature"),
        (lambda dead, bearer, made: relay(bearer.address, bearer.grant(), "never-enrolled"), "refused_foreign_gateway"),
        (lambda dead, bearer, made: relay(Address("south", bearer.gateway), made[0]), "refused_foreign_gateway"),
        (lambda dead, bearer, made: relay(Bedside("revoked").address, made[0]), "refused_foreign_gateway"),
        (
            lambda dead, bearer, made: relay(bearer.address, relay(dead.address, made[0])),
            "refused_relay_body",
        ),
        (lambda dead, bearer, made: Arrival(bearer.address, "relay", b"", RECEIVED), "refused_relay_body"),
        (lambda dead, bearer, made: Arrival(bearer.address, "relay", b"\x05a", RECEIVED), "refused_relay_body"),
        (lambda dead, bearer, made: Arrival(bearer.address, "relay", b"\x02A/" + bytes(40), 0), "refused_relay_body"),
    ],
    ids=[
        "altered", "altered statement", "its own", "of another site", "a lie about the id", "a stranger",
        "by one of another site", "by a revoked one", "a relay of a relay", "empty", "short", "no id",
    ],
)  # fmt: skip
def test_what_is_forged_is_refused_counted_and_not_receipted(centre, dead, bearer, forge, counter: str) -> None:
    centre.take(dead.grant())
    vital = dead.vital(reading(10))
    made = [dead.grant(), vital]
    bearer.grant()  # so that the next one has a number that is not held of the dead one
    outcome = centre.take(forge(dead, bearer, made))
    assert carried(outcome) == []
    assert outcome.touched == frozenset()
    assert centre.count(counter) == 1
    assert centre.count("relayed") == 0
    assert centre.store.summary(dead.gateway).held == 1


def test_where_any_genuine_gateway_is_let_in_a_relayer_must_have_proven_itself(tmp_path, dead, bearer) -> None:
    centre = Centre(f"sqlite:///{tmp_path / 'any.db'}", Gate(None))
    grant = relay(bearer.address, dead.grant())
    centre.take(grant)
    assert centre.count("refused_relayer") == 1
    centre.take(bearer.grant(), grant)
    assert centre.store.summary(dead.gateway).held == 1
    centre.store.close()


def test_a_receipt_names_all_that_was_brought_however_old_and_torn() -> None:
    bearer, dead = Address("north", "bearer"), Address("north", "dead")
    debts = Debts()
    wanted = {}
    for epoch in range(1, 101):
        for seq in range(0, 200, 2):
            debts.owe([Carried(bearer, dead, Header(epoch, Class.WAVE, seq, 0), START)])
            wanted.setdefault(epoch, Ranges()).add(seq)
    debts.owe([Carried(bearer, Address("north", "third"), Header(7, Class.KEY, 3, 0), START)])
    told = list(debts.pay(bearer))
    assert told.pop() == ("third", [Held(7, START, 0, [(3, 3)])])
    assert {gateway for gateway, _ in told} == {"dead"}
    assert len(told) == 100 * 100 / RECEIPT_LIMIT_RUNS
    said: dict[int, Ranges] = {}
    for _, held in told:
        for one in held:
            for first, last in one.ranges:
                said.setdefault(one.epoch, Ranges()).add(first, last)
    assert said == wanted
    assert list(debts.pay(bearer)) == []
    assert 32 * RECEIPT_LIMIT_RUNS < RECEIPT_LIMIT_BYTES, "each run may stand alone in its class and epoch"


def test_a_relay_is_the_envelope_and_a_name() -> None:
    assert unwrap(wrap("gw-1", b"envelope")) == ("gw-1", b"envelope")
    for wrong in (b"", b"\0envelope", b"\x19" + b"a" * 60, b"\x04gw", b"\x01\xffx", b"\x01Ax", bytes(1 << 21)):
        with pytest.raises(RelayError):
            unwrap(wrong)


def test_a_retired_gateway_is_heard_through_its_successor_only(centre, dead, bearer) -> None:
    sites = {bearer.gateway: "north"}
    centre.ingest._gate.change(sites, {dead.gateway: "north"}, ())
    grant, vital = dead.grant(), dead.vital(reading(10))
    centre.take(grant)
    assert (centre.store.summary(dead.gateway).held, centre.count("refused_foreign_gateway")) == (0, 1)
    outcome = centre.ingest.take([relay(bearer.address, grant), relay(bearer.address, vital)])
    assert len(carried(outcome)) == 2
    centre.ingest._gate.change(sites, {}, (dead.gateway,))
    centre.take(relay(bearer.address, dead.vital(reading(20))))
    assert (centre.store.summary(dead.gateway).held, centre.count("refused_foreign_gateway")) == (2, 2)
