"""The doors of the bed, where the number of their folder is another file's by the time they open."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from agent import bed_doors
from agent.binding.terms import BED_SOCKET


def test_they_open_though_the_folders_number_was_given_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a gateway whose port was opened at that instant; only Python 3.13 and later look."""
    true, taken = bed_doors._bound, []

    def bound(runtime: Path, name: str) -> socket.socket:
        door = true(runtime, name)
        taken.append(os.open("/dev/null", os.O_RDONLY))
        return door

    monkeypatch.setattr(bed_doors, "_bound", bound)
    doors = bed_doors.Doors(tmp_path, lambda: pytest.fail("nobody came"))

    async def life() -> None:
        await doors.open()
        assert (tmp_path / BED_SOCKET).is_socket()
        doors.close()

    asyncio.run(life())
    assert not (tmp_path / BED_SOCKET).exists()
    for fd in taken:
        os.close(fd)
