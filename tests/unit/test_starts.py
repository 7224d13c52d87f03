"""Numbers that two starts share: what the spool writes down of its starts, who frees what, and a number of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import imported, numbering
from agent.keeping import Keeping
from agent.numbering import LEAP_LIMIT_EPOCHS, Numbering
from agent.relaying import Relaying
from agent.spool import Spool, Stored
from agent.spool.epoch import STARTS_LIMIT_COUNT, Epoch
from agent.spool.pages import Pages
from agent.spool.terms import BLOCK_BYTES
from agent.starts import starts_of
from agent.uplink.receipts import Receipts
from agent.world import spool_thread
from tests.crash.faulty import Fault, FaultyFiles
from tests.moving import OWN, QUOTAS, exported, fill, imported_at, settle
from tests.sealed import Bedside
from tests.system.bell import Bell
from tests.told import START, OneStart, held, told
from wire.receipt import LIFETIME_LIMIT_S, sign

CENTRE = Ed25519PrivateKey.generate()
UTC = 1_800_000_000_000_000
LIFE_US = LIFETIME_LIMIT_S * 1_000_000
OTHER = b"another."
FOLDER = Path("/spool")


def receipts(starts: OneStart) -> Receipts:
    return Receipts([CENTRE.public_key()], "gw-1", starts)


def signed(*said, utc: int = UTC) -> bytes:
    return sign(CENTRE, "gw-1", told(utc, list(said)))


def test_a_receipt_for_another_start_frees_nothing_and_is_counted_once() -> None:
    starts = OneStart({3: None})
    mine = receipts(starts)
    ours, theirs, gone = held(4, 1, [(0, 9)]), held(4, 1, [(0, 99)], OTHER), held(3, 1, [(0, 9)])
    for _ in range(3):
        assert mine.take(signed(theirs, ours, gone)) == [ours]
    assert mine.refused == {"start": 1}
    assert mine.good == 3
    assert set(starts.used_epochs) == {3, 4}


def test_a_receipt_counts_until_it_expires_and_where_nobody_knows_the_time() -> None:
    mine, said = receipts(OneStart()), held(1, 1, [(0, 9)])
    old = signed(said)
    assert mine.take(old, UTC + LIFE_US) == [said]
    assert mine.take(old, UTC + LIFE_US + 1) == []
    assert mine.refused == {"expired": 1}
    assert mine.take(old, None) == [said], "it is cumulative, and names the start: what it says was true and is"
    ahead = signed(said, utc=UTC + 400 * 86_400_000_000)
    assert mine.take(ahead, UTC) == [said]
    assert mine.take(old, UTC) == [said], "a centre whose clock was ahead for a while does not silence itself"


def test_copies_are_seen() -> None:
    mine, said = receipts(OneStart()), held(1, 1, [(0, 9)])
    first, second, same_moment = signed(said), signed(said, utc=UTC + 1), signed(said, utc=UTC + 1)
    for data, copies in ((first, 0), (first, 1), (second, 1), (first, 2), (same_moment, 2), (same_moment, 3)):
        assert mine.take(data) == [said]
        assert mine.copies == copies


# What the spool writes down.


def taken(files: FaultyFiles, nonce: bytes, here=(), newest: int = 0) -> Epoch:
    epoch = Epoch(files, FOLDER)
    epoch.load(files.names(FOLDER))
    epoch.take(files.names(FOLDER), newest, nonce, here)
    return epoch


def test_starts_are_written_down_while_anything_of_them_is_here() -> None:
    files = FaultyFiles()
    taken(files, b"start  1")
    taken(files, b"start  2", {1})
    assert taken(files, b"start  3", {1, 2}).starts == {1: b"start  1", 2: b"start  2", 3: b"start  3"}
    assert taken(files, b"start  4", {2}).starts == {2: b"start  2", 4: b"start  4"}


def test_as_many_starts_as_are_kept_fit_on_the_page() -> None:
    files = FaultyFiles()
    for number in range(1, STARTS_LIMIT_COUNT + 10):
        kept = taken(files, number.to_bytes(8), range(number))
    assert kept.last == STARTS_LIMIT_COUNT + 9
    assert set(kept.starts) == set(range(9, STARTS_LIMIT_COUNT + 10))


def test_a_spool_from_before_opens_and_knows_its_last_start() -> None:
    files = FaultyFiles()
    pages = Pages(files, FOLDER / "epoch", b"WLep", BLOCK_BYTES)
    pages.create([])
    pages.save((7).to_bytes(4, "little") + b"start  7")
    found = taken(files, b"start  8", {7})
    assert (found.last, found.above, found.starts) == (8, 0, {7: b"start  7", 8: b"start  8"})


@pytest.mark.parametrize("content", [b"", b"\1", bytes(11), bytes(13), bytes(17), bytes(29), b"\xff" * 27])
def test_a_page_of_any_content_is_read(content: bytes) -> None:
    files = FaultyFiles()
    pages = Pages(files, FOLDER / "epoch", b"WLep", BLOCK_BYTES)
    pages.create([])
    pages.save(content)
    epoch = Epoch(files, FOLDER)
    epoch.load(files.names(FOLDER))
    assert all(len(start) == 8 for start in epoch.starts.values())


def test_the_next_start_begins_above_whatever_was_used() -> None:
    files = FaultyFiles()
    epoch = taken(files, b"start  1")
    epoch.begin_above(40)
    epoch.begin_above(12)
    again = taken(files, b"start 41")
    assert (again.last, again.above) == (41, 40)
    files.fault = Fault(files.calls + 1, "error", forever=True)
    with pytest.raises(OSError):
        again.begin_above(50)
    files.fault = None
    assert again.above == 40
    assert taken(files, b"start 42").last == 42


def test_what_is_not_written_down_the_statements_tell(tmp_path) -> None:
    fill(tmp_path, Bedside("gw", 1, start=START))
    fill(tmp_path, Bedside("gw", 2, start=OTHER))
    spool = Spool.open(tmp_path, QUOTAS)
    wanted = {1: START, 2: OTHER, 3: spool.nonce}
    assert starts_of(spool, Bedside("gw").gateway) == wanted
    spool.numbers.starts.clear()
    assert starts_of(spool, Bedside("gw").gateway) == {1: START, 2: OTHER}
    assert starts_of(spool, Bedside("stranger").gateway) == {}, "not signed by this gateway: nothing is guessed"
    spool.close()


# A number of its own.


def test_a_gateway_whose_number_was_used_ends_and_begins_above(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(numbering, "ALIVE_LEAST_S", 0.0)
    said = []

    async def story() -> int:
        keeping = Keeping(spool_thread(), lambda: Spool.open(tmp_path, QUOTAS))
        one, stop = Numbering(keeping), asyncio.Event()
        one.audit = lambda who, what, **detail: said.append((who, what, detail))
        task = asyncio.create_task(one.run(stop))
        one.used(0)
        one.used(1 + LEAP_LIMIT_EPOCHS + 1)
        await asyncio.sleep(0)
        assert not said, "an earlier epoch, or a leap that nobody makes"
        for epoch in (5, 9, 7, 9):
            one.used(epoch)
        await stop.wait()
        task.cancel()
        await keeping.close()
        again = Spool.open(tmp_path, QUOTAS)
        again.close()
        return again.epoch

    assert asyncio.run(story()) == 10
    assert said == [("gateway", "number used before", {"epoch": "1", "greatest": "9"})]


def test_a_card_that_refuses_the_next_number_is_asked_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(numbering, "ALIVE_LEAST_S", 0.0)
    monkeypatch.setattr(numbering, "RETRY_S", 0.01)
    files = FaultyFiles()

    async def story() -> None:
        keeping = Keeping(spool_thread(), lambda: Spool.open(FOLDER, QUOTAS, files))
        one, stop = Numbering(keeping), asyncio.Event()
        files.fault = Fault(files.calls + 1, "error", forever=True)
        before = files.calls
        task = asyncio.create_task(one.run(stop))
        one.used(1)
        await Bell().until(lambda: files.calls > before + 3)
        assert not stop.is_set()
        files.fault = None
        await stop.wait()
        assert keeping.spool.numbers.above == 1
        task.cancel()
        await keeping.close()

    asyncio.run(story())


# Dead gateways.


def test_two_starts_of_a_dead_gateway_under_one_number_are_both_brought_and_freed_each_by_its_own(tmp_path) -> None:
    first, second = Bedside("dead", start=START), Bedside("dead", start=OTHER)
    made = []
    for name, bedside in (("card", first), ("image", second)):
        made += fill(tmp_path / name, bedside)
        taken = imported_at(tmp_path / "b", exported(tmp_path / name, tmp_path / f"{name}.stick"))
        assert (taken.envelopes, taken.known) == (10, 0), "the same names, and other envelopes"
        again = imported_at(tmp_path / "b", tmp_path / f"{name}.stick")
        assert (again.envelopes, again.known) == (0, 10)

    async def story() -> None:
        keeping = Keeping(spool_thread(), lambda: Spool.open(tmp_path / "b" / "spool", QUOTAS))
        relaying = Relaying(keeping, OWN.gateway, tmp_path / "b" / "imported", lambda path: Spool.open(path, {}))
        await relaying.look()
        own = Receipts([CENTRE.public_key()], OWN.gateway, relaying, relaying.places)
        everything = [held(1, cls, [(0, 99)], OTHER) for cls in range(3)]
        for said in own.take(sign(CENTRE, first.gateway, told(UTC, everything))):
            await relaying.held(said.cls, said.epoch, said.ranges)
        left = await relaying.backlog(1 << 20, lambda *_: False)
        assert len(left) == 10
        assert {data for data in made if any(one.data.endswith(data) for one in left)} == set(made[:10])
        assert len(imported.waiting(tmp_path / "b" / "imported")) == 1
        await relaying.close()
        await keeping.close()

    asyncio.run(story())


def test_a_file_without_a_statement_says_its_starts_all_the_same(tmp_path) -> None:
    """What the centre has is not exported, and it has the grants before all else."""
    bedside = Bedside("dead", start=OTHER)
    fill(tmp_path / "dead", bedside)
    settle(tmp_path / "dead", 0, 1, 0, 99)
    taken = imported_at(tmp_path / "b", exported(tmp_path / "dead", tmp_path / "stick"))
    assert taken.envelopes == 8

    async def story() -> None:
        keeping = Keeping(spool_thread(), lambda: Spool.open(tmp_path / "b" / "spool", QUOTAS))
        relaying = Relaying(keeping, OWN.gateway, tmp_path / "b" / "imported", lambda path: Spool.open(path, {}))
        await relaying.look()
        (one, *_) = await relaying.backlog(1 << 20, lambda *_: False)
        assert relaying.start(one.epoch) == OTHER
        await relaying.close()
        await keeping.close()

    asyncio.run(story())


def test_a_folder_may_have_been_opened_by_a_start_of_ours_without_a_say_in_whose_it_is(tmp_path) -> None:
    spool = Spool.open(tmp_path, QUOTAS, entropy=START)
    spool.append(Stored(1, spool.epoch, 0, 0, b"x"))
    spool.commit()
    assert starts_of(spool, "anybody", {}) == {}
    spool.close()
