"""One cast, its senders, and what is asked of them: a steady run, a storm, the search for the limit."""

from __future__ import annotations

import os
import platform
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from bench.rig import judge, meter, rings, sender
from bench.rig.cast import Cast, Setting
from bench.rig.judge import Verdict, joined, spread_ms
from bench.rig.rings import Plan
from bench.rig.sheet import Sheet
from bench.scratch import HarnessError

DIALS_S = 400.0  # of all gateways together, at the beginning: a handshake of TLS costs both ends a millisecond
READY_LIMIT_S, MEET_LIMIT_S, REPORT_LIMIT_S = 120.0, 180.0, 60.0
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
        if not self.senders.wait(lambda: self._met(), limit_s):
            raise HarnessError(f"the gateways are not all there: {dict(self.senders.counts())}")
        return time.monotonic() - began

    def _met(self) -> bool:
        self.cast.broker.check()
        self.cast.centre.check()
        return self.senders.count("held") >= self.plan.gateways

    def use(self) -> Use:
        pids = {
            "broker": self.cast.broker.pids,
            "centre": self.cast.centre.pids,
            "store": self.cast.store_pids,
            "rig": [*self.senders.pids],
        }
        cpu = {part: meter.cpu_s(pids[part]) for part in PARTS}
        return Use(time.monotonic(), cpu, {part: meter.written_bytes(pids[part]) for part in PARTS})

    def memory(self) -> Json:
        cast, senders = self.cast, self.senders
        pids = {"broker": cast.broker.pids, "centre": cast.centre.pids, "store": cast.store_pids, "rig": senders.pids}
        return {part: meter.rss_mib(found) for part, found in pids.items()}

    def offer(self, load: Load) -> float:
        """When it begins, by the machine's monotonic clock."""
        began = time.monotonic() + 0.5
        self.senders.say("offer", began, load.rate, load.count)
        return began

    def drained(self, load: Load, limit_s: float) -> bool:
        owed = self.plan.gateways * (load.count + 1)
        return self.senders.wait(lambda: self.senders.count("held") >= owed, limit_s)


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
    """While cleaning up another SIGINT or SIGTERM waits."""
    held = (signal.SIGINT, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, held)


def steady(plan: Plan, setting: Setting, load: Load) -> Json:
    """One run: offered for so long, and waited for until the centre holds it all."""
    made_s = rings.make(plan)
    with stage(plan, setting) as here:
        met_s = here.meet()
        tell(f"{plan.gateways} gateways connected and believed in {met_s:.1f} s")
        before = here.use()
        began = here.offer(load)
        taken = here.senders.wait(lambda: time.monotonic() >= began + load.seconds, load.seconds + 5)
        assert taken, "time passes"
        offering, memory = here.use(), here.memory()
        is_drained = here.drained(load, load.drain_s)
        after = here.use()
        sheets, counts = here.senders.report(), here.senders.counts()
        shift = time.time() - time.monotonic()
        here.senders.say("end")
        stored_bytes = here.cast.store_bytes()
        verdict = judge.judge(here.cast.url, plan, load.count)
    found = {
        **asked(plan, setting, load),
        "good": verdict.good,
        "drained": is_drained,
        **rates(sheets, began, load),
        **latencies(sheets, verdict, shift),
        **_judged(verdict),
        "use": after.since(before),
        "use_offering": offering.since(before),
        "cpu_us_per_envelope": _per(after.since(before)["cpu_s"], plan.gateways * load.count),
        "memory_mib": memory,
        "store_mb": round(stored_bytes / 1e6, 1),
        "store_bytes_per_envelope": round(stored_bytes / max(1, verdict.stored)),
        "envelope_bytes": round(float(np.mean(_sizes(plan, load.count))), 1),
        "made_s": round(made_s, 1),
        "met_s": round(met_s, 1),
        "counts": dict(counts),
    }
    return found


def asked(plan: Plan, setting: Setting, load: Load) -> Json:
    """What was tried, and where."""
    return {
        "gateways": plan.gateways,
        "rate": load.rate,
        "seconds": load.seconds,
        "tls": setting.tls,
        "store": setting.store,
        "senders": plan.shards,
        "seed": plan.seed,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}",
    }


def rates(sheets: list[Sheet], began: float, load: Load) -> Json:
    """Envelopes a second, behind the grants: from the first one due to the last one offered, taken, held."""
    out = {}
    for word, name in (("due", "offered_s"), ("acked", "taken_s"), ("held", "committed_s")):
        times = joined(sheets, word)[:, 1 : load.count + 1]
        known = times[~np.isnan(times)]
        span = max(float(known.max()) - began, load.seconds) if known.size else 1.0
        out[name] = round(known.size / span, 1)
    return out


def latencies(sheets: list[Sheet], verdict: Verdict, shift: float) -> Json:
    """From when an envelope was due, in milliseconds. `shift`: 1970's clock less the monotonic one, seconds."""
    due = joined(sheets, "due")[:, 1:]
    return {
        "late_ms": spread_ms(joined(sheets, "written")[:, 1:] - due),
        "puback_ms": spread_ms(joined(sheets, "acked")[:, 1:] - due),
        "centre_ms": spread_ms(verdict.received[:, 1:] - shift - due),
        "receipt_ms": spread_ms(joined(sheets, "held")[:, 1:] - due),
    }


def _judged(verdict: Verdict) -> Json:
    words = ("offered", "stored", "lost", "doubled", "altered", "invented", "readings_off", "blocks_off", "copies")
    return {word: getattr(verdict, word) for word in words}


def _per(cpu_s: dict[str, float], count: int) -> Json:
    return {part: round(spent * 1e6 / count, 1) for part, spent in cpu_s.items()}


def _sizes(plan: Plan, count: int) -> np.ndarray[Any, Any]:
    """Of one shard's envelopes that were said, without the grants."""
    return rings.index(plan, 0)["size"].reshape(-1, plan.count + 1)[:, 1 : count + 1]


def smaller(plan: Plan, count: int) -> Plan:
    return replace(plan, count=count)
