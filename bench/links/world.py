"""A simulated link as others use it: a process to talk to, and two places to be in."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.links.tun import FAR, NEAR
from bench.scratch import ROOT

END_S = 10
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
__all__ = ["FAR", "NEAR", "LinkMissingError", "World", "world"]


class LinkMissingError(Exception):
    """No link can be simulated here: root and /dev/net/tun are needed."""


class World:
    """One link, up until closed. `near` is where the gateway is, `far` where the broker is."""

    def __init__(self, profile: str, weather: str = "whole", seed: int = 1) -> None:
        words = [sys.executable, "-m", "bench.links.tun", profile, weather, str(seed)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(words, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        self._lock = threading.Lock()
        places = self._answer()
        self.near: str = places["near"]
        self.far: str = places["far"]

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line:
            said = self._process.stderr.read().strip().splitlines()
            raise LinkMissingError(said[-1] if said else "the simulator ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def tell(self, **said: Any) -> dict[str, Any]:
        """See bench/links/tun.py for what it understands. Returns the counts."""
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(said) + "\n")
            self._process.stdin.flush()
            return self._answer()

    def up_bytes(self) -> int:
        """What the bottleneck towards the broker carried so far."""
        return int(self.tell(counts=1)["up"]["carried_bytes"])

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(END_S)
        for end in (self._process.stdout, self._process.stderr):
            if end is not None:
                end.close()


def command(place: str, words: list[str]) -> list[str]:
    """The words, run in a place; killed when the thread that starts them ends, however it ends."""
    return ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net={place}", "--", *words]


@contextmanager
def inside(place: str) -> Iterator[None]:
    """This thread is in a place: sockets it makes belong there, and stay."""
    before, there = os.open("/proc/thread-self/ns/net", os.O_RDONLY), os.open(place, os.O_RDONLY)
    try:
        if _libc.setns(there, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "cannot enter the namespace")
        yield
    finally:
        _libc.setns(before, _CLONE_NEWNET)
        os.close(before)
        os.close(there)


@contextmanager
def world(profile: str, weather: str = "whole", seed: int = 1) -> Iterator[World]:
    """LinkMissingError where no link can be simulated."""
    made = World(profile, weather, seed)
    try:
        yield made
    finally:
        made.close()
