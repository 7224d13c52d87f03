"""The simulator's process: two network namespaces joined by two TUN devices, and this between them.

The namespaces have no name: they live as long as a process is in them or holds them open, so nothing is left behind,
however this ends. It is told what to do by JSON lines on stdin and ends with it; it answers each on stdout.

    {"profile": "P1", "weather": "calm"}   another link from now on      {"cut": true}   nothing passes, nothing is said
    {"set": {"loss": 0.2}}                 both ways                     {"counts": 1}   what passed since the last link
    {"rebind": 1}                          flows lose their address
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import json
import os
import struct
import subprocess
import sys
from dataclasses import replace
from typing import Any

from bench.links.pipe import Pipe, Sky
from bench.links.profiles import PROFILES, Profile
from bench.links.rebind import Translator

NEAR, FAR = "10.77.0.1", "10.77.0.2"  # gateway, broker
CONGESTION = "cubic"  # what Debian has; the machine of a bench may have another
_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 1, 0x1000
_BATCH_PACKETS = 64
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def namespace(address: str, peer: str, mtu_bytes: int) -> tuple[int, int]:
    """(the namespace, its TUN device) as file descriptors. OSError without root or /dev/net/tun."""
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    _check(_libc.unshare(_CLONE_NEWNET), "a network namespace of its own")
    try:
        space = os.open("/proc/self/ns/net", os.O_RDONLY)
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH", b"link0", _IFF_TUN | _IFF_NO_PI))
        for words in (
            f"address add {address} peer {peer}/32 dev link0",
            f"link set link0 up mtu {mtu_bytes}",
            "link set lo up",
            f"route replace {peer}/32 dev link0 congctl {CONGESTION}",
            f"route add default via {peer} dev link0 congctl {CONGESTION}",
        ):
            subprocess.run(["ip", *words.split()], check=True)
        return space, tun
    finally:
        _check(_libc.setns(before, _CLONE_NEWNET), "back to the first namespace")
        os.close(before)


class Simulator:
    """Both pipes on the event loop."""

    def __init__(self, profile: Profile, seed: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._seed = seed
        self._translator = Translator(bytes(map(int, NEAR.split("."))))
        self.near, near_tun = namespace(NEAR, FAR, profile.mtu_bytes)
        self.far, far_tun = namespace(FAR, NEAR, profile.mtu_bytes)
        self._rebinding: asyncio.TimerHandle | None = None
        self._take(profile)
        self._loop.add_reader(near_tun, self._read, near_tun, far_tun, True)
        self._loop.add_reader(far_tun, self._read, far_tun, near_tun, False)

    def _take(self, profile: Profile) -> None:
        now = self._loop.time()
        self._sky = Sky(profile.weather, self._seed, now)
        self._up, self._down = (
            Pipe(profile.up, self._sky, self._seed + 1),
            Pipe(profile.down, self._sky, self._seed + 2),
        )
        if self._rebinding is not None:
            self._rebinding.cancel()
        self._rebinding = self._loop.call_later(profile.rebind_s, self._rebind, profile) if profile.rebind_s else None

    def _rebind(self, profile: Profile) -> None:
        self._translator.rebind()
        self._rebinding = self._loop.call_later(profile.rebind_s, self._rebind, profile)

    def _read(self, source: int, to: int, is_up: bool) -> None:
        pipe = self._up if is_up else self._down
        for _ in range(_BATCH_PACKETS):
            try:
                packet = os.read(source, 65536)
            except BlockingIOError:
                return
            if packet[0] >> 4 == 4:
                for at in pipe.enter(len(packet), self._loop.time()):
                    self._loop.call_at(at, self._write, to, packet, is_up)

    def _write(self, to: int, packet: bytes, is_up: bool) -> None:
        seen = self._translator.outward(packet) if is_up else self._translator.inward(packet)
        if seen is not None:
            os.write(to, seen)

    def obey(self, said: dict[str, Any]) -> dict[str, Any]:
        if "profile" in said:
            self._take(PROFILES[said["profile"]].in_weather(said.get("weather", "whole")))
        if "cut" in said:
            self._sky.cut = bool(said["cut"])
        if "set" in said:
            for pipe in (self._up, self._down):
                pipe.way = replace(pipe.way, **said["set"])
        if "rebind" in said:
            self._translator.rebind()
        return {"up": self._up.counts.told(), "down": self._down.counts.told()}


async def main(name: str, weather: str, seed: int) -> None:
    simulator = Simulator(PROFILES[name].in_weather(weather), seed)
    pid = os.getpid()
    print(
        json.dumps({"near": f"/proc/{pid}/fd/{simulator.near}", "far": f"/proc/{pid}/fd/{simulator.far}"}), flush=True
    )
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(simulator.obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
