"""Row 24: the disk is full, out of inodes, remounted read-only, or broken, while a gateway hears and delivers.

Each is the error that the kernel gives for it, at every call that may give it, on the real gateway: live goes on, the
status names it, and what could be written is whole. Power cuts, torn and flipped bytes: `tests/crash`.
"""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from agent.config import load
from agent.gateway import Gateway
from agent.spool import check_folder
from agent.spool.files import Disk
from agent.world import World
from tests.attack.long import long
from tests.system.bell import Bell
from tests.system.gateway_rig import Centre, scene

FAULTS = {
    "full": (errno.ENOSPC, ("pwrite", "open")),
    "no inode left": (errno.ENOSPC, ("open",)),
    "read-only": (errno.EROFS, ("pwrite", "open", "rename")),
    "broken": (errno.EIO, ("pwrite", "fdatasync")),
}


class Failing(Disk):
    """The real disk, until `code` is set."""

    def __init__(self, calls: tuple[str, ...], code: int) -> None:
        super().__init__()
        self.is_failing = False
        for name in calls:
            setattr(self, name, self._wrapped(getattr(self, name), code))

    def _wrapped(self, call, code: int):
        def act(*given, **named):
            if self.is_failing:
                raise OSError(code, errno.errorcode[code])
            return call(*given, **named)

        return act


@long
@pytest.mark.parametrize("name", FAULTS)
def test_live_goes_on_and_the_disk_is_used_again(name: str, tmp_path: Path) -> None:
    code, calls = FAULTS[name]

    async def story() -> tuple:
        async with scene(tmp_path) as (rig, oximeter, mosquitto):
            disk, stop = Failing(calls, code), asyncio.Event()
            centre = await Centre(mosquitto.port).ready()
            rig.config.write_text(f"interval_s = 0.25\n{rig.config.read_text()}")
            gateway = Gateway(load(rig.config), World(files=lambda: disk))
            running = asyncio.create_task(gateway.run(stop))
            await Bell().until(lambda: len(centre.envelopes) > 6)
            disk.is_failing = True
            count = len(centre.envelopes)
            await Bell().until(lambda: len(centre.envelopes) > count + 4)
            problem = gateway.keeping.problem
            disk.is_failing = False
            await Bell().until(lambda: not gateway.keeping.problem)
            await oximeter.fall_silent()
            stop.set()
            await running
            centre.stop()
            return problem, rig.opened(centre.envelopes).heard("pleth", str(oximeter.path)), oximeter.said, rig.spool

    problem, heard, said, spool = asyncio.run(asyncio.wait_for(story(), 50))
    if name != "no inode left":  # files are made ahead: what there is may be enough
        assert problem
    assert heard == said
    assert check_folder(spool) == []
