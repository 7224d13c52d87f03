"""Whose each door of the bed is: by the folder that it is made in, for the gateway's unit may not give files away."""

import asyncio
import os
import stat
from pathlib import Path

import pytest

from agent.bed_doors import Doors
from agent.binding.terms import ADT_SOCKET, BED_SOCKET

PAGE, ADT = 4711, 4712


def opened(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    """Group and mode of each door, with chown(2) refused as the unit's filter does."""

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "chown", refused)

    async def story() -> dict[str, tuple[int, int]]:
        doors = Doors(runtime, lambda: pytest.fail("nobody came"))
        await doors.open()
        found = {name: (runtime / name).stat() for name in (BED_SOCKET, ADT_SOCKET)}
        assert all(stat.S_ISSOCK(told.st_mode) for told in found.values())
        doors.close()
        assert not (runtime / BED_SOCKET).exists()
        return {name: (told.st_gid, told.st_mode & 0o777) for name, told in found.items()}

    return asyncio.run(story())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to make folders of other groups")
def test_each_door_has_the_group_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, group in ((BED_SOCKET, PAGE), (ADT_SOCKET, ADT)):
        folder = tmp_path / f"{name}.d"
        folder.mkdir()
        os.chown(folder, -1, group)
        folder.chmod(0o2710)
    want = {BED_SOCKET: (PAGE, 0o660), ADT_SOCKET: (ADT, 0o660)}
    assert opened(tmp_path, monkeypatch) == want


def test_without_such_folders_they_are_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = (tmp_path.stat().st_gid, 0o660)
    assert opened(tmp_path, monkeypatch) == {BED_SOCKET: ours, ADT_SOCKET: ours}
