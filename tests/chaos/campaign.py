"""One campaign: backlogs are made, everything runs and breaks, then all is healed and must come out even."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from agent import clock
from agent.spool import read_folder
from tests.chaos import last_receipt
from tests.chaos.backlog import Order, make
from tests.chaos.faults import Chaos, Plan
from tests.chaos.proxy import pause
from tests.chaos.rig import Bedside, Rig
from tests.chaos.verdict import Verdict, Witness, judge
from wire.ranges import Ranges
from wire.receipt import Receipt

LOOK_S = 0.25
STORED_S = 1.0  # counting a million rows takes 20 ms
TELL_S = 30.0
ALONE_LIMIT_COUNT = 5000  # fewer are made before other processes have started
LAST_LIMIT_S = 30.0
DRAIN_ROUNDS = 3
WAITING_LIMIT_COUNT = 8  # a gateway with a silent device still seals a few words a minute

Counts = dict[tuple[int, int], int]  # how many envelopes by (epoch, class)


class Campaign:
    """`envelopes` of backlog over `gateways` gateways and `epochs` epochs each; what is live comes on top."""

    def __init__(self, rig: Rig, envelopes: int, epochs: int, plan: Plan) -> None:
        self._rig = rig
        self._envelopes = envelopes
        self._epochs = epochs
        self._plan = plan
        self._chaos = Chaos(rig, rig.seed, plan)
        self._sent: dict[tuple[str, int], int] = {}  # by gateway and epoch
        self._began = clock.now()

    async def run(self) -> tuple[Verdict, dict[str, Any]]:
        """The verdict, and what else is worth writing down."""
        rig = self._rig
        times = {}
        telling = asyncio.create_task(self._tell())
        try:
            await self._make_backlogs()
            times["made_s"] = self._passed_s()
            await rig.start()
            await self._break()
            times["healed_s"] = self._passed_s()
            tell(f"healed: {self._line()}")
            counts = await self._drain()
            witnesses = [await self._witness(bed, mine) for bed, mine in zip(rig.beds, counts, strict=True)]
            times["drained_s"] = self._passed_s()
            tell(f"drained: {self._line()}")
        finally:
            telling.cancel()
            await self._chaos.stop()
            await rig.stop()
        verdict = await asyncio.to_thread(judge, rig.store, witnesses)
        verdict.crashed = self._chaos.crashes
        return verdict, {**times, "judged_s": self._passed_s(), **self._counts()}

    def _counts(self) -> dict[str, Any]:
        return {
            "sent": sum(self._sent.values()),
            "duplicates_dropped": self._rig.duplicates(),
            "gateway_epochs": len(self._sent),
            "faults": self._chaos.done.total(),
            "faults_by_kind": dict(sorted(self._chaos.done.items())),
        }

    async def _make_backlogs(self) -> None:
        rig, count = self._rig, len(self._rig.rings)
        orders = [
            Order(ring.gateway, rig.place(n) / "state", _share(self._envelopes, n, count), self._epochs, rig.seed)
            for n, ring in enumerate(rig.rings)
        ]
        if self._envelopes < ALONE_LIMIT_COUNT:
            made = await asyncio.gather(*(asyncio.to_thread(make, order) for order in orders))
        else:
            loop = asyncio.get_running_loop()
            with ProcessPoolExecutor(min(os.cpu_count() or 1, count), get_context("spawn")) as pool:
                made = await asyncio.gather(*(loop.run_in_executor(pool, make, order) for order in orders))
        tell(f"{self._passed_s():6.0f} s  {sum(made)} envelopes made for {count} gateways, {self._epochs} epochs each")

    async def _break(self) -> None:
        """Until the backlogs are through and every kind of fault was seen."""
        self._chaos.begin()
        await _until(
            lambda: self._chaos.failed() or (self._chaos.had_all and self._rig.stored() >= self._envelopes),
            self._plan.limit_s,
            STORED_S,
        )
        await self._chaos.heal()

    async def _drain(self) -> list[Counts]:
        """Nothing new, and wait until all is held; what is left when the gateways end goes in another round."""
        beds = self._rig.beds
        await asyncio.gather(*(bed.hush() for bed in beds))
        for _ in range(DRAIN_ROUNDS):
            since = time.time()
            await _until(lambda since=since: all(_is_drained(bed, since) for bed in beds), self._plan.drain_limit_s)
            await asyncio.gather(*(bed.program.end() for bed in beds))
            counts = await asyncio.to_thread(lambda: [_counts_of(bed) for bed in beds])
            if await _until(lambda counts=counts: self._has_stored(counts), LAST_LIMIT_S):
                break
            await asyncio.gather(*(bed.program.start() for bed in beds))
        return counts

    def _has_stored(self, counts: list[Counts]) -> bool:
        stored = self._rig.counts()
        return all(
            stored.get((bed.ring.gateway_id, *place), 0) >= count
            for bed, mine in zip(self._rig.beds, counts, strict=True)
            for place, count in mine.items()
        )

    async def _witness(self, bed: Bedside, counts: Counts) -> Witness:
        newest = {place: n for place, n in counts.items() if place[0] == max(epoch for epoch, _ in counts)}

        def says_all(receipt: Receipt) -> bool:
            held = {(one.epoch, one.cls): len(Ranges(one.ranges)) for one in receipt.held}
            return all(held.get(place, 0) >= count for place, count in newest.items())

        told = await last_receipt.fetch(bed.ring, self._rig.broker_port, says_all)
        return Witness(bed.ring.gateway_id, bed.state, bed.port, bed.said, told)

    async def _tell(self) -> None:
        """A line now and then."""
        told = self._began
        while True:
            await pause(STORED_S)
            self._note_sent()
            if clock.now() - told >= TELL_S * 1e9:
                told = clock.now()
                tell(self._line())

    def _note_sent(self) -> None:
        for bed in self._rig.beds:
            now = bed.status()
            if now is not None:
                self._sent[now.gateway, now.epoch] = now.link.sent_envelopes

    def _line(self) -> str:
        rig = self._rig
        waiting = sum(_waiting(bed) for bed in rig.beds)
        return (
            f"{self._passed_s():6.0f} s  sent {sum(self._sent.values())}, stored {rig.stored()}, "
            f"waiting {waiting}, duplicates dropped {rig.duplicates()}, faults {self._chaos.done.total()}"
        )

    def _passed_s(self) -> float:
        return round((clock.now() - self._began) / 1e9, 1)


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _share(whole: int, part: int, parts: int) -> int:
    return whole * (part + 1) // parts - whole * part // parts


def _waiting(bed: Bedside) -> int:
    now = bed.status()
    return 0 if now is None else sum(chain.waiting_envelopes for chain in now.spool.chains)


def _is_drained(bed: Bedside, since: float) -> bool:
    """As it says itself, later than `since`."""
    now = bed.status()
    return (
        now is not None and now.written_unix_s > since and now.link.connected and _waiting(bed) <= WAITING_LIMIT_COUNT
    )


def _counts_of(bed: Bedside) -> Counts:
    """What the spool of an ended gateway has."""
    out: Counts = Counter()
    for one in read_folder(bed.state / "spool"):
        out[one.epoch, one.cls] += 1
    return out


async def _until(condition: Callable[[], bool], limit_s: float, look_s: float = LOOK_S) -> bool:
    """Whether it came about in time."""
    began = clock.now()
    while not condition():
        if clock.now() - began > limit_s * 1e9:
            return False
        await pause(look_s)
    return True
