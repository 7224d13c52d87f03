"""With `confirm = "broker"` an acknowledgement of the broker frees what was imported, as it does with our own."""

from __future__ import annotations

import asyncio
import random
import time

from agent import imported
from agent.keeping import Keeping
from agent.relaying import Relaying
from agent.spool import Spool
from agent.uplink.flow import Limits
from agent.uplink.uplink import Origin, Seams, Uplink
from agent.world import spool_thread
from tests.moving import QUOTAS, exported, fill, imported_at
from tests.sealed import Bedside
from tests.system.bell import Bell
from tests.system.uplink_rig import ADDRESS, centre_of, running, worlds
from wire.relay import unwrap


def test_what_the_broker_has_is_not_kept(tmp_path) -> None:
    made = fill(tmp_path / "dead", Bedside("dead"))
    imported_at(tmp_path / "b", exported(tmp_path / "dead", tmp_path / "stick"))

    async def story(world) -> list[bytes]:
        keeping = Keeping(spool_thread(), lambda: Spool.open(tmp_path / "b" / "spool", QUOTAS))
        relaying = Relaying(keeping, ADDRESS.gateway, tmp_path / "b" / "imported", lambda path: Spool.open(path, {}))
        await relaying.look()
        centre, heard = await centre_of(world), []
        centre.client.on_message = lambda _c, _d, m: heard.append((m.topic, m.payload))
        seams = Seams(world.bell.ring, world.bell.ring, time.monotonic_ns, random.Random(7).uniform)
        origin = Origin(ADDRESS, keeping.spool.epoch, keeping.spool.nonce)
        up = Uplink(origin, world.at(), None, relaying, seams, Limits(look_every_s=0.2), relaying.places)
        async with running(up):
            await Bell().until(lambda: not imported.waiting(tmp_path / "b" / "imported"))
        await relaying.close()
        await keeping.close()
        centre.stop()
        return [data for topic, data in heard if topic == ADDRESS.topic("relay")]

    with worlds(tmp_path) as build:
        sent = asyncio.run(story(build()))
    assert sorted(unwrap(data)[1] for data in sent) == sorted(made), "each once, by the topic of relays"
