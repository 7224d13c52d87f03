"""Power cuts of the whole guest: `python -m tests.vm cuts --cuts 1000 --seconds 3600 --out docs/evidence/vm.jsonl`.

Debian boots under systemd from a disk that keeps what was written; the unit of systemd/ reads four devices at serial
lines and writes its spool on a disk of its own. At a random instant (in the boot, while the spool is opened, in a
commit, later) the machine's processes get SIGKILL: what the guest had not given to its disks is gone. The next boot
must bring the unit up, and all that was accepted must be there. Whether the disk keeps what it was given is not tried
here but in tests/crash.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import random
import select
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.vm.far import Tale, tale
from tests.vm.lasted import STORIES
from tests.vm.package import give
from tests.vm.spread import spread
from tests.vm.talk import tell
from tests.vm.uml import TREE, Machine, cut_power
from tests.vm.witnessed import Witnessed

DISK_SIZE = "2G"  # sparse
SETTING_UP_S = 180.0
UP_S = 120.0  # a boot that takes longer is a failure
LATER_S = 2.0
PIPE_BYTES = 4096
KEPT_PROBLEMS = 20
CONSOLE_LINES = 12


@dataclass(frozen=True, slots=True)
class Plan:
    """Cut `after_s` after these words were said, one after the other; without any, after the power came."""

    kind: str
    said: tuple[str, ...]
    after_s: float


LAST = Plan("last", ("up",), 0.0)  # only to see what the last cut left


def plan(rng: random.Random, boot_s: float) -> Plan:
    """`boot_s`: how long a boot takes here."""
    kinds = {
        "boot": Plan("boot", (), rng.uniform(0.2, boot_s)),
        "opening": Plan("opening", ("opening",), rng.uniform(0, 0.3)),
        "commit": Plan("commit", ("up", "commit"), rng.choice([0.0, rng.uniform(0, 0.01)])),
        "later": Plan("later", ("up",), rng.uniform(0, LATER_S)),
    }
    return kinds[rng.choices(list(kinds), [2, 1, 3, 6])[0]]


@dataclass(slots=True)
class Player:
    """A device at a serial line, which speaks whether or not anybody listens."""

    tale: Tale
    began: float
    ours: int
    number: int = 0

    def due(self) -> float:
        return self.began + self.tale.due_s(self.number)

    def speak(self) -> None:
        with suppress(BlockingIOError, BrokenPipeError):  # nobody listens
            os.write(self.ours, self.tale.piece(self.number))
        self.number += 1


class Life:
    """One boot of the machine, until its power is cut."""

    def __init__(self, machine: Machine, folder: Path, witnessed: Witnessed) -> None:
        folder.mkdir()
        self.console = folder / "console.log"
        self._witnessed = witnessed
        witnessed.began()
        self._said, said = os.pipe()
        now = time.monotonic()
        theirs, self._players = [said], []
        words = [f"ssl0=null,fd:{said}"]
        for number, story in enumerate(STORIES, start=1):
            line, ours = os.pipe()
            os.set_blocking(ours, False)
            fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            theirs.append(line)
            words.append(f"ssl{number}=fd:{line},null")
            self._players.append(Player(tale(story), now, ours))
        with self.console.open("wb") as log:
            self._guest = machine.start(folder, log, theirs, *words)
        for descriptor in theirs:
            os.close(descriptor)

    def follow(self, until: float, word: str = "") -> bool:
        """Hear and feed until then, or until it says the word; whether it said it. A dead one says nothing more."""
        before = self._witnessed.counts[word]
        while (now := time.monotonic()) < until:
            for player in self._players:
                if player.due() <= now:
                    player.speak()
            wait = min(until, *(player.due() for player in self._players)) - now
            if select.select([self._said], [], [], max(wait, 0))[0]:
                data = os.read(self._said, 65536)
                self._witnessed.hear(data)
                if not data or self._witnessed.counts[word] > before:
                    break
        return self._witnessed.counts[word] > before

    def last_lines(self) -> str:
        return " | ".join(self.console.read_text(encoding="utf-8", errors="replace").splitlines()[-CONSOLE_LINES:])

    def cut(self) -> None:
        """The power goes. Then hear what had left the machine before, to the end: nobody holds its disks any more."""
        cut_power(self._guest)
        while data := os.read(self._said, 65536):
            self._witnessed.hear(data)
        self._guest.wait()
        os.close(self._said)
        for player in self._players:
            os.close(player.ours)


class Lane:
    """One machine with its disks, cut again and again."""

    def __init__(
        self, machine: Machine, made: Sequence[Path], folder: Path, seed: str, stopping: threading.Event
    ) -> None:
        """`made`: the packages."""
        folder.mkdir()
        self._made = made
        self._folder = folder
        self._rng = random.Random(seed)
        self._stopping = stopping
        self._machine = replace(machine, layer=folder / "layer", disk=folder / "data")
        self._lives = 0
        self._boots_s: list[float] = []
        self._cycles_s: list[float] = []
        self._kinds: Counter[str] = Counter()
        self.witnessed = Witnessed()
        self.failures: list[str] = []

    def run(self, cuts: int, until: float) -> None:
        try:
            self._furnish()
            while sum(self._kinds.values()) < cuts and time.monotonic() < until and not self._stopping.is_set():
                self._turn(plan(self._rng, self._boots_s[-1] if self._boots_s else 5.0))
                if not self.is_well:
                    break
            if self.is_well:
                self._turn(LAST)
        finally:
            if not self.is_well:
                self._stopping.set()

    @property
    def is_well(self) -> bool:
        seen = self.witnessed
        return not (self.failures or seen.lost or seen.altered or seen.problems)

    def _furnish(self) -> None:
        subprocess.run(["truncate", "-s", DISK_SIZE, str(self._folder / "data")], check=True)
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", str(self._folder / "data")], check=True)
        share = self._folder / "share"
        share.mkdir()
        give(self._made, share)
        if self._machine.run(["python", "-m", "tests.vm.lasted"], share, SETTING_UP_S):
            self.failures.append("the guest could not be set up")

    def _turn(self, plan: Plan) -> None:
        """One life."""
        began = time.monotonic()
        self._lives += 1
        life = Life(self._machine, self._folder / f"life-{self._lives}", self.witnessed)
        try:
            for word in plan.said:
                if not life.follow(began + UP_S, word):
                    self.failures.append(f"life {self._lives}: no {word!r} within {UP_S} s: {life.last_lines()}")
                    return
                if word == "up":
                    self._boots_s.append(time.monotonic() - began)
            life.follow(time.monotonic() + plan.after_s)
        finally:
            life.cut()
        if plan is not LAST:
            self._kinds[plan.kind] += 1
            self._cycles_s.append(time.monotonic() - began)
        if self.is_well:
            shutil.rmtree(self._folder / f"life-{self._lives}")

    def figures(self) -> dict[str, Any]:
        return {"kinds": self._kinds, "boots_s": self._boots_s, "cycles_s": self._cycles_s}


def wish(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.vm cuts")
    parser.add_argument("--cuts", type=int, default=100, help="how many (default 100)")
    parser.add_argument("--seconds", type=float, default=2400.0, help="no more cuts after them (default 2400)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the instants (default: the time)")
    parser.add_argument("--jobs", type=int, default=1, help="machines side by side (default 1)")
    return parser.parse_args(words)


def campaign(machine: Machine, made: Sequence[Path], wish: argparse.Namespace) -> dict[str, Any]:
    """The figures of one run; `lost`, `altered` and `failed` must be 0."""
    this = code()
    stopping = threading.Event()
    until = time.monotonic() + wish.seconds
    folder = Path(tempfile.mkdtemp(prefix="wardlink-cuts-"))
    lanes = [Lane(machine, made, folder / f"lane-{n}", f"{wish.seed}/{n}", stopping) for n in range(wish.jobs)]
    shares = [wish.cuts // wish.jobs + (n < wish.cuts % wish.jobs) for n in range(wish.jobs)]
    try:
        with ThreadPoolExecutor(wish.jobs) as pool:
            runs = [pool.submit(lane.run, share, until) for lane, share in zip(lanes, shares, strict=True)]
            try:
                for run in runs:
                    run.result()
            finally:
                stopping.set()
    finally:
        if all(lane.is_well for lane in lanes):
            shutil.rmtree(folder)
        else:
            tell(f"kept: {folder}")
    return {"seed": wish.seed, "jobs": wish.jobs, **summed(lanes), "code": this}


def summed(lanes: Sequence[Lane]) -> dict[str, Any]:
    figures = [lane.figures() for lane in lanes]
    witnessed = [lane.witnessed for lane in lanes]
    kinds: Counter[str] = sum((one["kinds"] for one in figures), Counter())
    problems = [
        *(text for lane in lanes for text in lane.failures),
        *(text for one in witnessed for text in one.problems),
    ]
    return {
        "cuts": sum(kinds.values()),
        "kinds": dict(sorted(kinds.items())),
        "booted": sum(len(one["boots_s"]) for one in figures),
        "accepted": sum(len(one.accepted) for one in witnessed),
        "classes": dict(sorted(Counter(cls for one in witnessed for _, cls, _ in one.accepted).items())),
        "commits": sum(one.counts["commit"] for one in witnessed),
        "lost": sum(len(one.lost) for one in witnessed),
        "altered": sum(len(one.altered) for one in witnessed),
        "failed": len(problems),
        "failures": problems[:KEPT_PROBLEMS],
        "boot": spread([second for one in figures for second in one["boots_s"]]),
        "cycle": spread([second for one in figures for second in one["cycles_s"]]),
    }


def code() -> str:
    """A short hash of what is tried and what tries it."""
    parts = (TREE.glob(pattern) for pattern in ("agent/**/*.py", "wire/**/*.py", "systemd/**/*"))
    tried = [path for part in parts for path in part if path.is_file()]
    by = [TREE / "tests" / "vm" / name for name in ("cuts.py", "lasted.py", "lasting.py", "witnessed.py")]
    out = hashlib.sha256()
    for path in sorted([*tried, *by]):
        out.update(str(path.relative_to(TREE)).encode() + b"\0" + path.read_bytes())
    return out.hexdigest()[:12]
