"""Rows 12 and 31: the card is stolen, the broker's memory and the wire are read. No canary and no key is there.

The whole of `python -m tests.attack.canaries`, for some seconds. What may hold plain bytes is memory alone: the
gateway's own, and the tape in its runtime folder, which is a file system in memory (`runtime` must not be put on a
card). The gateway's own key file is in its keys folder: sealing it to the board is enrolment's (`agent/enrol`).
"""

from __future__ import annotations

import asyncio
import base64
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from tests.attack import canaries, needles
from tests.attack.long import long


@long
def test_nothing_of_patients_is_left_on_the_card_at_the_broker_or_on_the_wire(tmp_path: Path) -> None:
    said = asyncio.run(canaries.story(tmp_path, 3.0))
    assert said["good"], said
    assert all(said["places"][place]["bytes"] for place in (*canaries.NEVER, *canaries.CONTROL))


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("samples", struct.pack("<24i", *needles.SAMPLES)),
        ("samples", b"x" + base64.b64encode(b"12" + bytes(needles.SAMPLES) + b"345")),
        ("patient's name", "{'name': 'Quokkasimba'}".encode("utf-16-be")),
        ("patient's number", zlib.compress(b'{"pid": "QX7-CANARY-5519", "n": 1}')),
        ("wristband", b"\0\1" + bytes.fromhex(needles.RECIPIENT)),
        ("wristband", int(needles.RECIPIENT).to_bytes(8, "little")),
    ],
)
def test_the_search_finds(name: str, left: bytes) -> None:
    assert needles.found_in(os.urandom(5000) + left + os.urandom(5000), needles.all_needles()) == [name]


def test_the_search_finds_nothing_in_noise() -> None:
    assert needles.found_in(os.urandom(1 << 20), needles.all_needles()) == []


def test_a_process_that_holds_keys_leaves_no_core_and_is_not_read_by_its_own_user() -> None:
    """`wardlink run` begins with this; a core dump of it would be a card with everything on it."""
    ask = "import asyncio, ctypes, resource; from agent import memory\n"
    ask += "async def main(): memory.begin()\n"
    ask += "asyncio.run(main())\n"
    ask += "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout
    assert said == "(0, 0) 0\n"
