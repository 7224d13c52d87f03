"""A cast and its senders, together: started, met, watched, and ended whatever comes."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.rig import judge, meter, sender
from bench.rig.cast import Cast, Setting
from bench.rig.judge import Verdict
from bench.rig.rings import Plan
from bench.rig.sheet import Sheet
from bench.scratch import HarnessError

DIALS_S = 400.0  # of all gateways together, at the beginning: a handshake of TLS costs both ends a millisecond
READY_LIMIT_S, MEET_LIMIT_S, REPORT_LIMIT_S = 300.0, 300.0, 60.0
LOOK_S = 0.05
PARTS = ("broker", "centre", "store", "rig")
Json = dict[str, Any]


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Load:
    """`rate`: envelopes a second of each gateway; `drain_s`: how long after the last one is waited for it."""

    rate: float
    seconds: float
    drain_s: float = 120.0

    @property
    def count(self) -> int:
        """Of each gateway."""
        return max(1, round(self.rate * self.seconds))

    @property
    def lasts_s(self) -> float:
        """Until the last one is due."""
        return self.count / self.rate


@dataclass(frozen=True, slots=True)
class Use:
    """Seconds of processor of each part, and bytes written to the disk, up to a moment."""

    at: float
    cpu_s: dict[str, float]
    written: dict[str, int]

    def since(self, before: Use) -> Json:
        passed = self.at - before.at
        return {
            "passed_s": round(passed, 2),
            "cpu_s": {part: round(self.cpu_s[part] - before.cpu_s[part], 2) for part in PARTS},
            "written_mb": {part: round((self.written[part] - before.written[part]) / 1e6, 1) for part in PARTS},
        }


class Senders:
    """The processes of the simulated gateways. What they show last is in `shown`."""

    def __init__(self, plan: Plan, cast: Cast) -> None:
        context = get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        self._sheets: dict[int, Sheet] = {}
        self.shown: list[Json] = [{} for _ in range(plan.shards)]
        for shard in range(plan.shards):
            here, there = context.Pipe()
            post = sender.Post(plan, shard, cast.port, cast.trust, DIALS_S / plan.shards)
            process = context.Process(target=sender.run, args=(post, there), name=f"rig-{shard}", daemon=True)
            process.start()
            there.close()
            self._pipes.append(here)
            self._processes.append(process)

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes if process.pid]

    def say(self, *words: object) -> None:
        for pipe in self._pipes:
            pipe.send(words)

    def count(self, word: str) -> int:
        return sum(one.get(word, 0) for one in self.shown)

    def counts(self) -> Counter[str]:
        """All of them, added up."""
        total: Counter[str] = Counter()
        for one in self.shown:
            total.update({key: value for key, value in one.items() if key != "pid"})
        return total

    def wait(self, condition: Callable[[], bool], limit_s: float) -> bool:
        """Whether it came about in time; what they show is read meanwhile."""
        end = time.monotonic() + limit_s
        while True:
            self._read()
            if condition():
                return True
            if time.monotonic() > end:
                return False
            time.sleep(LOOK_S)

    def report(self) -> list[Sheet]:
        self._sheets.clear()
        self.say("report")
        if not self.wait(lambda: len(self._sheets) == len(self._pipes), REPORT_LIMIT_S):
            raise HarnessError("a sender gives no account")
        return [self._sheets[shard] for shard in range(len(self._pipes))]

    def end(self) -> None:
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            if process.is_alive():
                pipe.send(("end",))
            process.join(10)
            if process.is_alive():
                process.kill()
                process.join()

    def _read(self) -> None:
        for shard, pipe in enumerate(self._pipes):
            if not self._processes[shard].is_alive():
                raise HarnessError(f"sender {shard} ended by itself")
            while pipe.poll():
                word, said = pipe.recv()
                if word == "report":
                    self._sheets[shard] = said
                else:
                    self.shown[shard] = said


class Stage:
    """Cast and senders together, all gateways connected and believed."""

    def __init__(self, plan: Plan, cast: Cast, senders: Senders) -> None:
        self.plan, self.cast, self.senders = plan, cast, senders

    def meet(self) -> float:
        """Seconds until every gateway is connected and has the receipt of its grant."""
        began = time.monotonic()
        self.senders.say("dial")
        limit_s = MEET_LIMIT_S + self.plan.gateways / DIALS_S
        if not self.senders.wait(self._met, limit_s):
            raise HarnessError(f"the gateways are not all there: {dict(self.senders.counts())}")
        return time.monotonic() - began

    def _met(self) -> bool:
        self.cast.check()
        return self.senders.count("held") >= self.plan.gateways

    def use(self) -> Use:
        pids = self._pids()
        cpu = {part: meter.cpu_s(pids[part]) for part in PARTS}
        return Use(time.monotonic(), cpu, {part: meter.written_bytes(pids[part]) for part in PARTS})

    def memory(self) -> Json:
        return {part: meter.rss_mib(found) for part, found in self._pids().items()}

    def _pids(self) -> dict[str, list[int]]:
        cast = self.cast
        found = (cast.broker.pids, cast.centre_pids, cast.store_pids, self.senders.pids)
        return dict(zip(PARTS, found, strict=True))

    def offer(self, load: Load) -> float:
        """When it begins, by the machine's monotonic clock."""
        began = time.monotonic() + 0.5
        self.senders.say("offer", began, load.rate, load.count)
        return began

    def judged(self, load: Load) -> Verdict:
        """What the store has, when all is over."""
        cast = self.cast
        if cast.is_hollow:
            cast.end_centres()
            return judge.judge(judge.taken(cast.taken), self.plan, load.count)
        return judge.judge(judge.stored(cast.url), self.plan, load.count)

    def pass_until(self, moment: float) -> None:
        """By the machine's monotonic clock; what the senders show is read meanwhile."""
        self.senders.wait(lambda: time.monotonic() >= moment, moment - time.monotonic())

    def drained(self, load: Load) -> bool:
        owed = self.plan.gateways * (load.count + 1)
        return self.senders.wait(lambda: self.senders.count("held") >= owed, load.drain_s)


@contextmanager
def stage(plan: Plan, setting: Setting) -> Iterator[Stage]:
    """Everything runs; afterwards nothing does, and nothing is left."""
    with tempfile.TemporaryDirectory(prefix="wardlink-rig-") as name:
        cast = Cast(Path(name), plan, setting)
        senders: Senders | None = None
        try:
            cast.start()
            senders = Senders(plan, cast)
            if not senders.wait(lambda: all(senders.shown), READY_LIMIT_S):
                raise HarnessError("the senders are not ready")
            yield Stage(plan, cast, senders)
        finally:
            with _undisturbed():
                if senders is not None:
                    senders.end()
                cast.end()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """While cleaning up, whatever else would end us waits."""
    held = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, held)
