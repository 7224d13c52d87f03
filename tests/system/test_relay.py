"""A gateway dies with its backlog; another one of the site delivers it under the old name, once."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from agent.cli import entry
from centre.store import Store
from tests.system.bell import Bell
from tests.system.relay_rig import NOT_AUTHORIZED, Intruder, Site, site
from wire.relay import wrap
from wire.topics import Address

LIMIT = 10**6


def export(scene: Site) -> Path:
    file = scene.folder / "stick"
    assert entry.main(["spool", "export", "--config", str(scene.a.config), str(file)]) == 0
    return file


def imported(scene: Site, file: Path) -> int:
    return entry.main(["spool", "import", "--config", str(scene.b.config), str(file)])


def wave(store: Store, gateway: str) -> list[int]:
    """The samples of the pleth, in the order of epochs."""
    out: list[int] = []
    for epoch in sorted(store.epochs(gateway)):
        for stream in store.streams(gateway, epoch):
            if stream.channel == "pleth":
                for run in store.samples(gateway, epoch, stream.stream, 0, LIMIT, LIMIT):
                    out += run.values.tolist()
    return out


async def a_dies(scene: Site) -> list[bytes]:
    """All that it sealed, by class and number; nobody has any of it."""
    await Bell().until(lambda: len(scene.oximeter.said) > 150)
    await scene.oximeter.fall_silent()
    await Bell().until(lambda: len([data for data in scene.a.sealed() if data[1] == 2]) > 1)
    scene.a.end(signal.SIGKILL)
    return sorted(scene.a.sealed())


async def a_thief_tries(scene: Site, grant: bytes, last: bytes) -> None:
    """The access list keeps an enrolled gateway to its own topics, and the centre to what the old one really sealed."""
    own = scene.third.gateway_id
    thief = Intruder(scene.port, scene.third)
    a, mine = Address("north", scene.a.id), Address("north", own)
    for word in ("key", "wave", "relay", "receipt"):
        assert await thief.publish(a.topic(word), last) == NOT_AUTHORIZED
    assert await thief.publish(mine.topic("relay"), wrap(scene.a.id, grant)) == 0  # genuine: two gateways may relay
    await Bell().until(lambda: scene.counted("relayed") == 1)
    forgeries = [
        (mine, wrap(scene.a.id, last[:-1] + bytes([last[-1] ^ 1])), "refused_altered"),
        (mine, wrap(scene.b.id, grant), "refused_signature"),
        (mine, wrap("nobody", last), "refused_foreign_gateway"),
        (Address("south", own), wrap(scene.a.id, last), "refused_foreign_gateway"),
        (mine, wrap(own, last), "refused_relay_of_own"),
        (mine, wrap(scene.a.id, wrap(scene.a.id, last)), "refused_relay_body"),
    ]
    for address, data, counter in forgeries:
        before = scene.counted(counter)
        assert await thief.publish(address.topic("relay"), data) == 0
        await Bell().until(lambda c=counter, n=before: scene.counted(c) == n + 1)
    assert scene.counted("relayed") == 1
    thief.close()


def test_a_dead_gateways_backlog_is_delivered_by_another_one_once(tmp_path, capsys) -> None:
    async def work() -> None:
        async with site(tmp_path) as scene:
            await scene.open()
            sealed = await a_dies(scene)
            await a_thief_tries(scene, sealed[0], sealed[-1])
            file = export(scene)
            assert imported(scene, file) == 0
            scene.b.start()
            await Bell().until(lambda: scene.b.imported() == ["0001.names"], 30)
            assert scene.counted("relayed") == 1 + len(sealed)
            capsys.readouterr()
            assert imported(scene, file) == 1, "a second time"
            assert "nothing new" in capsys.readouterr().err
            assert scene.b.imported() == ["0001.names"]
            await scene.b.says(f"relay delivered gateway={scene.a.id} held={len(sealed)} lost=0")
            scene.b.end()
            scene.centre.end()
            store = Store(scene.store)
            summary = store.summary(scene.a.id)
            assert (summary.held, summary.missing, summary.lost, summary.duplicates) == (len(sealed), 0, 0, 1)
            got = wave(store, scene.a.id)
            assert len(got) > 100
            assert got == scene.oximeter.said[: len(got)], "what was not yet on its card died with it"
            assert wave(store, scene.b.id) == []
            store.close()

    asyncio.run(asyncio.wait_for(work(), 60))
