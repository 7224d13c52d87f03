"""What the centre lost it gets again: the real gateway, a real broker with our access list, and the real centre."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from agent.config import load
from agent.gateway import Gateway
from agent.spool import check_folder, read_folder
from agent.uplink import commands
from centre import asking, ordering
from centre.config import Config
from centre.config import Gateway as Enrolled
from centre.ledger import Place
from centre.run import run
from centre.store import Store
from tests.system.gateway_rig import SITE, free_port, scene
from wire.topics import Class

Name = tuple[int, int, int]  # (class, epoch, seq)
FIRST: set[Name] = {(cls, 1, seq) for cls in Class for seq in range(2)}
SECOND: set[Name] = {(cls, 2, seq) for cls in Class for seq in range(2)}
HOLE_S, COMMAND_S = 0.4, 0.2


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "HOLE_LEAST_S", HOLE_S)
    monkeypatch.setattr(commands, "COMMAND_LEAST_S", COMMAND_S)
    monkeypatch.setattr(ordering, "SPACE_S", COMMAND_S)


class Hospital:
    """A gateway, its broker and its centre in this process; the centre's store is a file that may be lost."""

    def __init__(self, folder: Path, rig, port: int) -> None:
        rig.config.write_text(rig.config.read_text().replace('"broker"\n', '"receipt"\ninterval_s = 0.25\n'))
        self.rig = rig
        self.me = rig.ring.gateway_id
        self.file = folder / "centre.db"
        self.config = Config(
            broker=f"mqtt://127.0.0.1:{port}",
            keys=str(rig.ring.centre),
            store=f"sqlite:///{self.file}",
            listen=f"127.0.0.1:{free_port()}",
            gateways=(Enrolled(self.me, SITE),),
        )

    @contextmanager
    def centre(self) -> Iterator[None]:
        Store(self.config.store).close()  # two that make the tables at once would be in each other's way
        stop = threading.Event()
        thread = threading.Thread(target=run, args=(self.config, stop))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(20)
            assert not thread.is_alive()

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[Gateway]:
        stop, whole = asyncio.Event(), Gateway(load(self.rig.config))
        running = asyncio.create_task(whole.run(stop))
        try:
            yield whole
        finally:
            stop.set()
            await running

    def forget(self) -> None:
        for file in self.file.parent.glob("centre.db*"):
            file.unlink()

    def stored(self) -> set[Name]:
        return {(s.cls, s.epoch, s.seq) for s in read_folder(self.rig.spool)}

    def lacks(self, names: set[Name]) -> set[Name]:
        store = Store(self.config.store)
        try:
            return {n for n in names if not store.holds(Place(self.me, n[1], Class(n[0])), n[2])}
        finally:
            store.close()

    async def until_whole(self, least: set[Name]) -> set[Name]:
        """The centre holds all that is in the spool by now, these among them; what that is."""
        while True:
            names = await asyncio.to_thread(self.stored)
            while await asyncio.to_thread(self.lacks, names):
                continue
            if names >= least:
                return names


def test_what_the_centre_lost_it_gets_again(tmp_path) -> None:
    """A store that is wiped, then one that is an old copy; two starts of the gateway."""

    async def story() -> None:
        async with scene(tmp_path) as (rig, _, mosquitto):
            here = Hospital(tmp_path, rig, mosquitto.port)
            with here.centre():
                async with here.gateway():
                    await here.until_whole(FIRST)
            shutil.copy(here.file, tmp_path / "copy")
            async with here.gateway() as whole:
                with here.centre():
                    before = await here.until_whole(FIRST | SECOND)
                here.forget()
                with here.centre():
                    after = await here.until_whole(before)
                assert whole.uplink.stat().sent_again >= len(before)
                assert not whole.keeping.spool.undeclared()
                here.forget()
                (tmp_path / "copy").rename(here.file)
                with here.centre():
                    await here.until_whole(after)
                stat = whole.uplink.stat()
                assert (stat.absent, dict(stat.commands_refused)) == (0, {})
                assert stat.commands_taken >= 3
            assert check_folder(rig.spool) == []

    asyncio.run(asyncio.wait_for(story(), 50))
