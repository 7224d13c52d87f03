"""The uplink's one spool: our own backlog first, then what was imported; freed by receipts of the old gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import imported
from agent.keeping import Keeping
from agent.relaying import Relaying
from agent.spool import Spool
from agent.uplink.lanes import Lane, Lanes, Parcel
from agent.uplink.receipts import Receipts
from agent.uplink.relay import ours, theirs
from agent.world import spool_thread
from tests.moving import OWN, QUOTAS, exported, fill, imported_at
from tests.sealed import Bedside, reading
from tests.told import OneStart, held, told
from wire.envelope import header_of
from wire.receipt import sign
from wire.relay import unwrap
from wire.topics import Class

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(32))


def nothing(_cls: int, _epoch: int, _seq: int) -> bool:
    return False


@pytest.fixture
def dead(tmp_path: Path) -> tuple[Bedside, list[bytes]]:
    """A dead gateway whose backlog was imported here, and what it sealed."""
    bedside = Bedside("dead")
    made = fill(tmp_path / "dead", bedside)
    imported_at(tmp_path / "b", exported(tmp_path / "dead", tmp_path / "stick"))
    return bedside, made


def at_b(tmp_path: Path, story: Callable[[Keeping, Relaying], Awaitable[None]]) -> None:
    """One start of the gateway that imports."""

    async def work() -> None:
        keeping = Keeping(spool_thread(), lambda: Spool.open(tmp_path / "b" / "spool", QUOTAS))
        relaying = Relaying(keeping, OWN.gateway, tmp_path / "b" / "imported", lambda path: Spool.open(path, {}))
        await relaying.look()
        await story(keeping, relaying)
        await relaying.close()
        await keeping.close()

    asyncio.run(work())


def test_places_are_kept_apart_and_found_again() -> None:
    for place in (0, 1, 2, 16):
        for epoch in (0, 1, (1 << 32) - 1):
            assert theirs(ours(place, epoch)) == (place, epoch)
            assert (ours(place, epoch) < 0) == (place > 0)


def test_ours_goes_first_and_then_theirs_wrapped(tmp_path, dead) -> None:
    bedside, made = dead

    async def story(keeping: Keeping, relaying: Relaying) -> None:
        own = Bedside("relayer", keeping.spool.epoch)
        for arrival in (own.grant(), own.vital(reading(1))):
            keeping.append(header_of(arrival.data), arrival.data)
        await keeping.keep([], [], 0)
        found = await relaying.backlog(1 << 20, nothing)
        assert [(one.cls, one.epoch) for one in found] == [(0, 1), (1, 1)]
        assert await relaying.held(0, 1, [(0, 0)]) == 1
        assert await relaying.held(1, 1, [(0, 0)]) == 1
        found = await relaying.backlog(1 << 20, nothing)
        assert [unwrap(one.data) for one in found] == [
            (bedside.gateway, data) for data in sorted(made, key=lambda data: data[1])
        ]
        assert {theirs(one.epoch) for one in found} == {(1, 1)}
        assert [one.seq for one in await relaying.backlog(1 << 20, lambda c, e, s: c != 1 or (e < 0 and s < 3))] == [
            3,
            4,
        ]

    at_b(tmp_path, story)


def test_what_is_held_is_not_offered_again_after_a_restart_and_the_last_frees_the_folder(tmp_path, dead) -> None:
    bedside, _ = dead

    async def first(_: Keeping, relaying: Relaying) -> None:
        assert await relaying.held(1, ours(1, 1), [(0, 3), (9, 9)]) == 4
        [now] = await relaying.look()
        assert (now.gateway, now.waiting_envelopes, now.held_envelopes) == (bedside.gateway, 6, 4)

    async def second(_: Keeping, relaying: Relaying) -> None:
        found = await relaying.backlog(1 << 20, nothing)
        assert [(one.cls, one.seq) for one in found] == [(0, 0), (0, 1), (1, 4), (2, 0), (2, 1), (2, 2)]
        assert await relaying.held(0, ours(1, 1), [(0, 1)]) == 2
        assert await relaying.held(2, ours(1, 1), [(0, 2)]) == 3
        assert len(imported.waiting(tmp_path / "b" / "imported")) == 1
        assert await relaying.held(1, ours(1, 1), [(4, 4)]) == 1
        assert imported.waiting(tmp_path / "b" / "imported") == []
        [now] = await relaying.look()
        assert (now.waiting_envelopes, now.held_envelopes, now.problem) == (0, 6, "")
        assert relaying.places() == {1: bedside.gateway}, "late receipts are still understood"

    async def third(_: Keeping, relaying: Relaying) -> None:
        assert await relaying.look() == []
        assert await relaying.backlog(1 << 20, nothing) == []

    for story in (first, second, third):
        at_b(tmp_path, story)


def test_a_second_gateways_backlog_is_found_while_we_run_and_not_mixed_up(tmp_path, dead) -> None:
    async def story(_: Keeping, relaying: Relaying) -> None:
        fill(tmp_path / "other", Bedside("other"))
        imported_at(tmp_path / "b", exported(tmp_path / "other", tmp_path / "stick-2"))
        assert {one.waiting_envelopes for one in await relaying.look()} == {10}
        (place,) = (one for one, name in relaying.places().items() if name == Bedside("other").gateway)
        assert await relaying.held(1, ours(place, 1), [(0, 100)]) == 5
        assert {one.gateway: one.waiting_envelopes for one in await relaying.look()} == {
            Bedside("dead").gateway: 10,
            Bedside("other").gateway: 5,
        }
        small = await relaying.backlog(1, nothing)
        assert len(small) == 1
        assert len(await relaying.backlog(1 << 20, nothing)) == 15

    at_b(tmp_path, story)


def test_a_folder_that_cannot_be_used_is_told_and_stops_nothing(tmp_path, dead) -> None:
    [(_, path)] = imported.waiting(tmp_path / "b" / "imported")
    segment = next(path.glob("1-*.seg"))
    segment.write_bytes(segment.read_bytes()[:4].ljust(4, b"\0") + b"\x09" * 4092)

    async def story(keeping: Keeping, relaying: Relaying) -> None:
        own = Bedside("relayer", keeping.spool.epoch).grant()
        keeping.append(header_of(own.data), own.data)
        await keeping.keep([], [], 0)
        assert len(await relaying.backlog(1 << 20, nothing)) == 1
        await relaying.held(0, 1, [(0, 0)])
        found = await relaying.backlog(1 << 20, nothing)
        assert {one.cls for one in found} == {0, 2}, "the other classes are whole"
        for cls in (0, 2):
            await relaying.held(cls, ours(1, 1), [(0, 9)])
        [now] = await relaying.look()
        assert (now.lost_envelopes, now.problem) == (5, "5 envelopes could not be read here")
        assert "import the file again" in now.hint

    at_b(tmp_path, story)
    assert imported_at(tmp_path / "b", tmp_path / "stick").envelopes == 5


def test_a_folder_that_does_not_open_is_told_with_a_hint(tmp_path, dead) -> None:
    [(_, path)] = imported.waiting(tmp_path / "b" / "imported")
    (path / "lock").mkdir()

    async def story(_: Keeping, relaying: Relaying) -> None:
        [now] = await relaying.look()
        assert "cannot be opened" in now.problem
        assert now.hint
        (path / "lock").rmdir()
        [now] = await relaying.look()
        assert (now.problem, now.waiting_envelopes) == ("", 10)

    at_b(tmp_path, story)


def test_a_receipt_of_a_relayed_gateway_is_told_from_ours() -> None:
    starts = OneStart({ours(2, 8): b"another."})
    receipts = Receipts([SIGNER.public_key()], OWN.gateway, starts, lambda: {1: "dead", 2: "other", 3: "other"})
    said = told(0, [held(7, 1, [(0, 3)])])
    assert receipts.take(sign(SIGNER, OWN.gateway, said)) == [held(7, 1, [(0, 3)])]
    assert receipts.take(sign(SIGNER, "other", said)) == [held(ours(2, 7), 1, [(0, 3)]), held(ours(3, 7), 1, [(0, 3)])]
    another = told(0, [held(8, 1, [(0, 3)])])
    assert receipts.take(sign(SIGNER, "other", another)) == [held(ours(3, 8), 1, [(0, 3)])], "only that start's folder"
    assert starts.used_epochs == [], "the numbers of others are not ours"
    assert receipts.take(sign(SIGNER, "stranger", said)) == []
    assert receipts.take(sign(Ed25519PrivateKey.generate(), "dead", said)) == []
    assert (receipts.good, receipts.refused["signature"]) == (3, 2)


def test_what_is_relayed_sorts_behind_all_of_ours() -> None:
    lanes = Lanes()
    mixed = [
        (Class.KEY, ours(1, 9)),
        (Class.WAVE, 1),
        (Class.WAVE, ours(2, 3)),
        (Class.KEY, 1),
        (Class.VITAL, ours(1, 8)),
    ]
    lanes.refill(Parcel(Lane.BACKFILL, cls, epoch, 0, 0, b"x") for cls, epoch in mixed)
    order = [lanes.take() for _ in mixed]
    assert [(one.cls, theirs(one.epoch)) for one in order] == [
        (Class.KEY, (0, 1)),
        (Class.WAVE, (0, 1)),
        (Class.KEY, (1, 9)),
        (Class.VITAL, (1, 8)),
        (Class.WAVE, (2, 3)),
    ]
