"""A gateway's own uplink at a broker that does not know it yet: it keeps all, and delivers once it is let in."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from centre.fleet.broker import ADMIN, Site, access_text
from centre.fleet.broker_sync import Line, sync
from tests.attack.hospitals import PLUGINS
from tests.system.uplink_rig import ADDRESS, centre_of, envelope, running, uplink, worlds
from wire.topics import Class

pytestmark = pytest.mark.skipif(not PLUGINS, reason="mosquitto and its dynamic security plugin are not installed")
CENTRE = Ed25519PrivateKey.from_private_bytes(bytes(32))
COUNT = 10


@pytest.fixture
def world(tmp_path):
    held = tmp_path / "dynamic-security.json"
    held.write_text(access_text([]))
    rules = f"allow_anonymous false\nuse_username_as_clientid true\nplugin {PLUGINS[0]}\nplugin_opt_config_file {held}"
    with worlds(tmp_path) as make:
        yield make(acl=rules, given="max_inflight_messages 100\nmax_queued_messages 1000000")


def admin_of(world) -> Line:
    certificate, key = world.authority.issue(ADMIN)
    return Line("127.0.0.1", world.broker.port, Path(world.authority.path), certificate, key)


def test_a_gateway_that_is_not_known_yet_loses_nothing_and_delivers_after_the_sync(world):
    for seq in range(COUNT):
        world.shelf.put(*envelope(Class.VITAL, seq))

    async def story():
        centre = await centre_of(world, CENTRE)
        up = uplink(world.at(), world.shelf, world.bell, CENTRE.public_key(), limits={"patience_least_s": 1.0})
        async with running(up):
            await world.bell.until(lambda: up.stat().refused)
            refused, kept = dict(up.stat().refused), len(world.shelf.kept)
            known = [Site(ADDRESS.site, (ADDRESS.gateway,), ())]
            await asyncio.to_thread(sync, admin_of(world), known)
            await world.bell.until(lambda: len(centre.times()) == COUNT, 60)
            centre.receipt()
            await world.bell.until(lambda: not world.shelf.kept, 60)
        centre.stop()
        return refused, kept

    refused, kept = asyncio.run(story())
    assert refused
    assert kept == COUNT
