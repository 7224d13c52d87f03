"""Retention end to end: a spool fills, what the centre holds gives way first, then the oldest; every loss is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.config import MIB, SpoolSizes
from agent.keeping import Keeping
from agent.pulse import HOUR_NS, MANIFEST_NS, Pulse
from agent.spool import Limits, Spool
from agent.spool.terms import BLOCK_BYTES, Lost
from agent.world import spool_thread
from centre.gate import Gate
from centre.ingest import Arrival
from centre.ledger import Place
from drivers.contract import Wave
from tests.puppet import ECG, Scene
from tests.sealed import CENTRE, RECEIVED
from tests.unit.test_ingest import Centre
from wire.seal import Sealer
from wire.topics import Address, Class

SECOND_NS = 1_000_000_000
NOISE = np.random.default_rng(3).integers(-(2**31), 2**31, 60_000).tolist()


class Bed:
    """The data path of a gateway as `Gateway._beat_once` joins it, on the smallest spool; and the centre's ingest."""

    def __init__(self, folder: Path) -> None:
        self.scene = Scene()
        quotas = dict.fromkeys(map(int, Class), 8 * MIB)
        self.keeping = Keeping(spool_thread(), lambda: Spool.open(folder / "spool", quotas))
        spool = self.keeping.spool
        sealer = Sealer(Ed25519PrivateKey.generate(), [CENTRE.recipient], spool.epoch, spool.nonce)
        self.address = Address("north", sealer.gateway)
        self.pulse = Pulse(self.scene.ward, sealer, lambda: None, "bed 3")
        self.centre = Centre(f"sqlite:///{folder / 'centre.db'}", Gate({sealer.gateway: "north"}))
        self.owed: list[Lost] = []
        self.now = 0

    async def beat(self) -> None:
        """One second of noise that does not compress: about a quarter of a megabyte."""
        self.now += SECOND_NS
        self.scene.hear(self.now // 1000, Wave("ecg.i", tuple(NOISE), ECG))
        kept = await self.keeping.keep(self.pulse.beat(self.now), self.owed, self.now)
        assert kept.durable
        self.owed = kept.owed
        for lost in kept.owed:
            self.pulse.lost(self.now // 1000, lost.epoch, lost.cls, [(lost.first, lost.last)], lost.cause)

    async def beats(self, mib: int) -> None:
        start = self.keeping.spool.stat().classes[Class.WAVE].taken_bytes
        while self.keeping.spool.stat().classes[Class.WAVE].taken_bytes < start + mib * MIB:
            await self.beat()

    async def deliver(self) -> None:
        """All that waits goes to the centre, whose receipt comes back."""
        found = await self.keeping.backlog(1 << 30, lambda *_: False)
        self.centre.take(*(Arrival(self.address, Class(s.cls).word, s.data, RECEIVED) for s in found))
        for held in self.centre.store.receipt(self.address.gateway):
            await self.keeping.held(held.cls, held.epoch, held.ranges)

    async def a_new_centre(self, folder: Path) -> None:
        """It asks for everything, and gets what is left and a word about the rest."""
        gateway = self.address.gateway
        self.centre.store.close()
        self.centre = Centre(f"sqlite:///{folder / 'new.db'}", Gate({gateway: "north"}))
        asked = [await self.keeping.lacked(cls, 1, [(0, (1 << 32) - 1)]) for cls in Class]
        gone = asked[Class.WAVE][1]
        assert gone > self.evicted, "what was held and overwritten, and what was evicted"
        assert [absent for _, absent in asked] == [0, 0, gone]
        await self.beat()
        await self.beat()
        await self.deliver()
        summary = self.centre.store.summary(gateway)
        assert (summary.lost, summary.missing) == (gone, 0)
        assert summary.held >= sum(here for here, _ in asked)

    @property
    def evicted(self) -> int:
        return self.keeping.spool.stat().classes[Class.WAVE].evicted_frames


def test_held_waves_give_way_first_then_the_oldest_and_the_centre_knows_which(tmp_path: Path) -> None:
    async def story() -> None:
        bed = Bed(tmp_path)
        gateway = bed.address.gateway
        await bed.beats(4)
        await bed.deliver()
        first = bed.centre.store.summary(gateway).held
        await bed.beats(5)
        assert (bed.evicted, bed.owed) == (0, []), "what was held gave way"
        assert bed.keeping.spool.read(Class.WAVE, 1, 0, 0) == [], "and is gone"
        await bed.beats(5)
        assert bed.evicted > 0
        await bed.beat()
        await bed.deliver()
        summary = bed.centre.store.summary(gateway)
        assert (summary.lost, summary.missing) == (bed.evicted, 0)
        assert summary.held > first
        assert bed.centre.store.missing(Place(gateway, 1, Class.WAVE)) == []
        assert bed.keeping.spool.undeclared() == []
        vital = bed.keeping.spool.stat().classes[Class.VITAL]
        assert (vital.evicted_frames, vital.unheld_frames) == (0, 0), "readings have a room of their own"
        await bed.a_new_centre(tmp_path)
        bed.centre.store.close()
        await bed.keeping.close()

    asyncio.run(asyncio.wait_for(story(), 50))


def test_the_defaults_are_35_days_of_readings_and_72_hours_of_waves() -> None:
    sizes, limits = SpoolSizes(), Limits()
    used = (limits.segment_bytes - 2 * BLOCK_BYTES) / limits.segment_bytes
    hours = 35 * 24
    statements = hours * (HOUR_NS // MANIFEST_NS + 1)
    assert sizes.vital_mib * MIB * used >= hours * 3600 * BLOCK_BYTES
    assert sizes.key_mib * MIB * used >= statements * BLOCK_BYTES
    assert sizes.wave_mib * MIB * used >= 72 * 3600 * 4 * BLOCK_BYTES
