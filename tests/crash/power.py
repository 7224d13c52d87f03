"""The power fails: the real spool on a real ext4 on a disk that logs what it is told, opened from what may be left.

A story is three lives of one disk. Each life mounts what the cut before it left, opens the spool there once or more,
and works; all of that is logged, so that the next cuts hit mounting and opening too. Each life gives forty points.
"""

from __future__ import annotations

import gzip
import json
import os
import pickle
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import NamedTuple

from agent.spool import Spool
from tests.crash.evidence import ROOT
from tests.crash.images import Cut, Disk, cuts
from tests.crash.logdisk import MARK, Entry, read_log
from tests.crash.machine import Mounts, make_ext4, mounted, repair, unmount, why_not
from tests.crash.outcome import Campaign, Outcome
from tests.crash.witness import Witness, goes_on, judge
from tests.crash.workload import Start, Story, body, heed, story

LIVES = 3
LIFE_POINTS = 40
STORY_POINTS = LIVES * LIFE_POINTS
OPEN_LIMIT_S = 5.0
KEPT = ROOT / "build/crash"  # images of points that failed


class Point(NamedTuple):
    """One cut: what is on the disk, and what was said until then. `during`: the last thing that was said."""

    number: int
    cut: Cut
    image: bytes | bytearray
    witness: Witness
    during: str


class Place:
    """The folders of this process; all of it is gone when the process ends."""

    def __init__(self) -> None:
        self.folder = Mounts().folder
        self.logged, self.work, self.crashed = (self.folder / name for name in ("logged", "work", "crashed"))
        for folder in (self.logged, self.work, self.crashed):
            folder.mkdir()

    def fresh(self, size_bytes: int) -> bytes:
        image = self.folder / f"fresh-{size_bytes}"
        if not image.exists():
            make_ext4(image, size_bytes)
        return image.read_bytes()

    def record(self, image: bytes, told: Story, life: int) -> list[Entry]:
        """One life on the image; everything that the disk was told, the mounting and the unmounting included."""
        (self.folder / "disk").write_bytes(image)
        (self.folder / "log").write_bytes(b"")
        words = [sys.executable, "-m", "tests.crash.logdisk", str(self.folder), str(self.logged)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=ROOT) as disk:
            assert disk.stdout is not None
            assert disk.stdout.read(1), "the logging disk does not start"
            try:
                with mounted(self.logged / "disk", self.work):
                    self._live(told, life)
            finally:
                unmount(self.logged)
        return read_log(self.folder / "log")

    def _live(self, told: Story, life: int) -> None:
        for start in range(Random(f"{told.seed}/{life}").randint(1, 3)):
            child = os.fork()
            if child == 0:
                _start(told, self.work, f"{told.seed}/{life}/{start}", self.logged / "mark")
            assert os.waitpid(child, 0)[1] == 0, f"the workload failed in start {start} of life {life}"


@cache
def place() -> Place:
    return Place()


def attempt(seed: int, points: range) -> Outcome:
    """Points of one story. The lives before the first of them are lived all the same.

    Timers of the kernel take part, so a life lived again is nearly the same and no more: a point that failed is kept
    as it was, and tried again from there when it is asked for alone.
    """
    out = Outcome()
    if len(points) == 1 and _kept(seed, points[0]).exists():
        out.points = 1
        _try(out, story(seed, points[0] // STORY_POINTS), _again(seed, points[0]), seed)
        return out
    number = points.start // STORY_POINTS
    told = story(seed, number)
    image, witness = place().fresh(told.image_bytes), Witness()
    for life in range(LIVES):
        first = number * STORY_POINTS + life * LIFE_POINTS
        if first >= points.stop:
            break
        with out.trying(first):
            entries = place().record(image, told, life)
            for point in _points(first, image, entries, witness, f"{told.seed}/{life}"):
                if point.number == first:
                    image, left = bytes(point.image), point.witness.copy()
                if point.number in points:
                    out.points += 1
                    with out.trying(point.number):
                        _try(out, told, point, seed)
            witness = left
    return out


def _points(first: int, image: bytes, entries: list[Entry], witness: Witness, seed: str) -> Iterator[Point]:
    """The points of one life in the order of the log; the witness goes on with them."""
    disk, heard, during = Disk(image, entries), 0, "mount"
    witness = witness.copy()
    for number, cut in sorted(enumerate(cuts(entries, LIFE_POINTS, seed), first), key=lambda one: one[1].after):
        for entry in entries[heard : cut.after]:
            if entry.kind == MARK:
                mark = json.loads(bytes(entry.data))
                during = mark[0]
                heed(witness, mark)
        heard = cut.after
        yield Point(number, cut, disk.after(cut), witness, during)


def _try(out: Outcome, told: Story, point: Point, seed: int) -> None:
    """The machine starts again: mount, open, judge, go on."""
    failed = len(out.failures)
    image = place().folder / "crash"
    image.unlink(missing_ok=True)  # should the one before still be in use, it keeps its own
    image.write_bytes(point.image)
    out.counts["writes_" + point.cut.way] += 1
    out.counts["during_" + {"opens": "opening", "mount": "mounting"}.get(point.during, "work")] += 1
    out.counts["real_size"] += told.limits.segment_bytes == 4 << 20
    with ExitStack() as mounts, out.trying(point.number):
        try:
            mounts.enter_context(mounted(image, place().crashed))
        except OSError:
            out.counts["repaired_by_fsck"] += 1
            assert repair(image), "ext4 can be neither mounted nor repaired"
            mounts.enter_context(mounted(image, place().crashed))
        _judge(out, told, point)
    if len(out.failures) > failed:
        KEPT.mkdir(parents=True, exist_ok=True)
        _kept(seed, point.number).write_bytes(gzip.compress(pickle.dumps(tuple(point)), 1))


def _kept(seed: int, number: int) -> Path:
    return KEPT / f"power-{seed}-{number}.pickle.gz"


def _again(seed: int, number: int) -> Point:
    kept = _kept(seed, number)
    print(f"from {kept.relative_to(ROOT)}: remove it to live it again", flush=True)
    return Point(*pickle.loads(gzip.decompress(kept.read_bytes())))


def _judge(out: Outcome, told: Story, point: Point) -> None:
    began = time.perf_counter()
    spool = Spool.open(place().crashed / "spool", told.quotas, None, bytes(8), told.limits)
    took = time.perf_counter() - began
    witness = point.witness.copy()
    witness.opened(spool.epoch)
    named = partial(body, told.sizes_bytes)
    found = judge(spool, witness, named)
    problems = found.problems + goes_on(spool, named)
    spool.close()
    lost = found.damaged | found.silent  # a power cut damages nothing
    problems += [f"accepted, and damaged by a power cut: {sorted(found.damaged)[:5]}"] if found.damaged else []
    problems += [f"{took:.1f} s to open"] if took > OPEN_LIMIT_S else []
    out.slowest_open_s = max(out.slowest_open_s, took)
    out.counts["frames_accepted"] += len(witness.accepted)
    out.counts["frames_there"] += len(found.there)
    out.counts["frames_evicted_and_owed"] += len(found.evicted)
    out.counts["damage_told"] += sum(not damage.torn for damage in spool.damage)
    out.lost += len(lost)
    out.fail(point.number, [f"{point.cut} during {point.during}: {problem}" for problem in problems])


def _start(told: Story, folder: Path, seed: str, mark: Path) -> None:
    """In the child, which does not come back: the disk's lock and the open files go with it."""
    code = 1
    try:
        fd = os.open(mark, os.O_WRONLY)
        Start(told, folder, Random(seed), lambda said: os.pwrite(fd, json.dumps(said).encode(), 0)).live()
        code = 0
    finally:
        if code:
            traceback.print_exc()
            sys.stderr.flush()
        os._exit(code)


CAMPAIGN = Campaign(points=10_000, part_points=STORY_POINTS, attempt=attempt, why_not=why_not)
