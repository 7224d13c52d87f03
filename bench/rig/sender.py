"""A process of some thousand simulated gateways on one asyncio loop; orders come by a pipe, its account goes back."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import ssl
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from agent.uplink.broker import Broker
from agent.uplink.limits import LOOK_EVERY_S
from bench.rig import rings
from bench.rig.gateway import Gateway, World
from bench.rig.rings import Plan
from bench.rig.sheet import Sheet

TELL_EVERY_S = 0.25
TURN_LEAST_S = 0.005  # so long a due envelope may wait for its turn: less costs the machine more than it tells
TURN_COUNT = 64
FILES_LIMIT = 100_000
GOLDEN = 0.6180339887498949


@dataclass(frozen=True, slots=True)
class Post:
    """What a sender is given. `trust`: the folder of certificates; None: in the clear."""

    plan: Plan
    shard: int
    port: int
    trust: Path | None
    dials_s: float  # how many of its gateways dial in a second at the beginning


def run(post: Post, pipe: Connection) -> None:
    """The process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us ends us
    more = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (more if more == resource.RLIM_INFINITY else min(more, FILES_LIMIT), more)
    )
    asyncio.run(Sender(post, pipe).run())


def phase(number: int) -> float:
    """Where in each period a gateway speaks, 0 to 1: evenly, and neighbours far apart."""
    return number * GOLDEN % 1.0


class Sender:
    """Orders: dial, offer (began, rate, count), report, end."""

    def __init__(self, post: Post, pipe: Connection) -> None:
        self._post, self._pipe = post, pipe
        plan = post.plan
        self._numbers = plan.numbers(post.shard)
        self._sheet = Sheet(len(self._numbers), plan.count + 1)
        verifier = rings.centre_signer(plan.seed).public_key()
        broker = Broker("127.0.0.1", post.port, None)
        world = World(broker, post.trust is None, verifier, plan.seed, self._sheet)
        self._gateways = [
            Gateway(world, ring, row, _tls(post.trust, ring.gateway))
            for row, ring in enumerate(rings.read(plan, post.shard))
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._over = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._pipe.fileno(), self._heard)
        gc.freeze()  # rings and gateways stay: the collector need not look at them again
        self._pipe.send(("ready", self._shown()))
        telling = [asyncio.create_task(self._tell()), asyncio.create_task(self._look())]
        await self._over.wait()
        for gateway in self._gateways:
            gateway.leave()
        for task in (*telling, *self._tasks):
            task.cancel()
        await asyncio.gather(*telling, *self._tasks, return_exceptions=True)

    def _heard(self) -> None:
        try:
            word, *said = self._pipe.recv()
        except EOFError:  # whoever gave orders is no more
            self._over.set()
            return
        if word == "dial":
            self._dial()
        elif word == "offer":
            self._tasks.append(asyncio.create_task(self._offer(*said)))
        elif word == "report":
            self._pipe.send(("report", self._sheet))
        else:
            self._over.set()

    def _dial(self) -> None:
        """All, one after another; each has its grant to say."""
        now = asyncio.get_running_loop().time()
        for row, gateway in enumerate(self._gateways):
            gateway.offer(0, now)
            self._tasks.append(asyncio.create_task(gateway.stay_connected(row / self._post.dials_s)))

    async def _offer(self, began: float, rate: float, count: int) -> None:
        """Each gateway says its envelopes 1 to `count` at its own pace, connected or not."""
        loop = asyncio.get_running_loop()
        turns = sorted((phase(n) / rate, gateway) for n, gateway in zip(self._numbers, self._gateways, strict=True))
        done = 0
        for index in range(1, count + 1):
            for wait_s, gateway in turns:
                due = began + wait_s + (index - 1) / rate
                ahead = due - loop.time()
                if ahead > 0:
                    await asyncio.sleep(max(ahead, TURN_LEAST_S))
                elif done % TURN_COUNT == 0:
                    await asyncio.sleep(0)
                gateway.offer(index, due)
                done += 1

    async def _look(self) -> None:
        """Each gateway every few seconds, in turn."""
        while True:
            for row, gateway in enumerate(self._gateways):
                gateway.look(asyncio.get_running_loop().time())
                if row % TURN_COUNT == 0:
                    await asyncio.sleep(LOOK_EVERY_S * TURN_COUNT / max(TURN_COUNT, len(self._gateways)))

    async def _tell(self) -> None:
        while True:
            self._pipe.send(("progress", self._shown()))
            await asyncio.sleep(TELL_EVERY_S)

    def _shown(self) -> dict[str, Any]:
        up = sum(gateway.is_up for gateway in self._gateways)
        return {"pid": os.getpid(), "up": up, **self._sheet.counts}


def _tls(trust: Path | None, gateway: str) -> ssl.SSLContext | None:
    """As `agent.uplink.tls` has it: TLS 1.3, our authority alone, our certificate."""
    if trust is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(trust / "ca.crt")
    context.load_cert_chain(trust / f"{gateway}.crt", trust / f"{gateway}.key")
    return context
