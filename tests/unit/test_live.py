"""What arrives, handed from the ingest thread to a loop: in order, bounded, counted."""

from __future__ import annotations

import asyncio

import pytest

from centre import live
from centre.counts import Counts
from centre.live import Live, Update
from tests.sealed import reading
from wire.topics import Address


def update(t: int) -> Update:
    return Update(Address("north", "gw"), 1, [reading(t)], [], True)


def test_updates_come_in_order_until_one_leaves() -> None:
    async def scene() -> list[int]:
        told: list[int] = []
        here = Live(Counts())
        leave = here.subscribe(lambda said: told.append(said.records[0].t))
        await asyncio.to_thread(lambda: [here.tell(update(t)) for t in range(5)])
        await asyncio.sleep(0)
        leave()
        here.tell(update(9))
        await asyncio.sleep(0)
        return told

    assert asyncio.run(scene()) == [0, 1, 2, 3, 4]


def test_a_loop_that_does_not_keep_up_loses_the_oldest_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "QUEUE_LIMIT_UPDATES", 3)
    counts = Counts()

    async def scene() -> list[int]:
        told: list[int] = []
        here = Live(counts)
        here.subscribe(lambda said: told.append(said.records[0].t))
        for t in range(5):
            here.tell(update(t))
        await asyncio.sleep(0)
        return told

    assert asyncio.run(scene()) == [2, 3, 4]
    assert counts.snapshot() == {"live_updates_dropped": 2}
