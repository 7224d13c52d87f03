"""The simulated link with real sockets: what it promises is measured, and nothing of it is left behind."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from bench.links import check
from bench.links.world import FAR, LinkMissingError, World, command, inside


@pytest.fixture
def link():
    try:
        made = World("P5", "still", seed=2)
    except LinkMissingError as error:
        pytest.skip(f"no link can be simulated here: {error}")
    yield made
    made.close()


def devices(place: str) -> list[str]:
    """Network devices of a namespace."""
    said = subprocess.run(command(place, ["ip", "-j", "link"]), capture_output=True, check=True).stdout
    return [device["ifname"] for device in json.loads(said)]


def test_round_trip_and_rate_are_those_of_the_profile(link):
    seen = check.measured(link, probes=20, flood_s=2.0)
    assert len(seen.trips_s) >= 17
    assert min(seen.trips_s) > 0.59
    assert sorted(seen.trips_s)[10] < 0.85
    assert 0.8 * 256_000 < seen.flood_bit_s < 1.05 * 256_000


def test_a_cut_says_nothing_and_ends(link):
    with inside(link.far):
        there = socket.create_server((FAR, 5000))
    with inside(link.near):
        here = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    here.settimeout(0.8)
    link.tell(cut=True)
    with pytest.raises(TimeoutError):
        here.connect((FAR, 5000))
    here.close()
    link.tell(profile="P0")
    with inside(link.near):
        here = socket.create_connection((FAR, 5000), 5)
    began = time.monotonic()
    here.sendall(b"x")
    taken, _ = there.accept()
    assert taken.recv(1) == b"x"
    assert time.monotonic() - began < 1
    for sock in (taken, here, there):
        sock.close()


def test_nothing_is_left_when_the_simulator_is_killed(link):
    assert "link0" in devices(link.near)
    assert "link0" not in [device.name for device in Path("/sys/class/net").iterdir()]
    pid = int(link.near.split("/")[2])
    os.kill(pid, signal.SIGKILL)
    link._process.wait(5)
    assert not Path(link.near).exists()
    assert b"link0" not in subprocess.run(["ip", "-o", "link"], capture_output=True, check=True).stdout
