"""What the spool costs a disk: `spool_figures.py [--seconds 60]`.

One bed with 12 leads at 500 Hz: 3.7 kB of waves and about 90 bytes of vitals a second, a manifest a minute, commits
each second, acknowledgements saved each 10 s, at real pace: the journal of ext4 works by the clock, so a faster run
would not show it. The segments are recycled ones. Device bytes are the kernel's, journal and metadata included.

Prints `name value unit` lines. Exit 1 when a bar is missed, 2 when it could not be measured (loop devices need root).
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agent.spool import Disk, Spool, Stored
from bench.card import Card, Traffic, card
from bench.results import Figure, verdict
from bench.scratch import HarnessError
from wire.topics import Class

MIB = 1 << 20
WAVE_BYTES, WAVE_SPREAD = 3700, 0.03
VITAL_BYTES = (62, 120)
MANIFEST_BYTES, MANIFEST_EVERY = 250, 60
ACKS_EVERY = 10
SETTLING_S = 6.0  # a journal commit, so that what came before is not counted
SECONDS = 60.0
SEGMENT_BYTES = 4 * MIB
QUOTAS = dict.fromkeys(Class, 2 * SEGMENT_BYTES)  # two segments: recycled soon
MOUNTS = {"": "noatime,commit=60", ".default_mount": "noatime"}
COMMAND = "python bench/spool_figures.py"
BARS = {"spool.disk_per_sealed": 1.6, "spool.syncs_per_commit": 1.02}


class Counted(Disk):
    """A disk that counts its syncs."""

    def __init__(self) -> None:
        super().__init__()
        self.syncs = 0

    def fdatasync(self, fd: int) -> None:
        self.syncs += 1
        super().fdatasync(fd)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of some seconds: bytes sealed, written by the program and by the device; commits of single classes, syncs."""

    sealed_bytes: int
    program_bytes: int
    commits: int
    syncs: int
    seconds: float
    device: Traffic


class Bed:
    """Seals nothing: envelopes of the right sizes, appended and committed as the gateway does it."""

    def __init__(self, folder: Path) -> None:
        self.disk = Counted()
        self.spool = Spool.open(folder, QUOTAS, self.disk)
        self._random = random.Random(12)
        self._next = dict.fromkeys(Class, 0)
        self.beats = self.commits = self.sealed_bytes = 0

    def beat(self) -> None:
        """One second. All is held at once, so that segments are recycled."""
        sizes = {Class.VITAL: self._random.randint(*VITAL_BYTES)}
        sizes[Class.WAVE] = round(self._random.gauss(WAVE_BYTES, WAVE_BYTES * WAVE_SPREAD))
        if self.beats % MANIFEST_EVERY == 0:
            sizes[Class.KEY] = MANIFEST_BYTES
        for cls, size in sizes.items():
            self.spool.append(Stored(cls, self.spool.epoch, 0, self._next[cls], os.urandom(size)))
        self.spool.commit()
        self.commits += len(sizes)
        self.sealed_bytes += sum(sizes.values())
        for cls in sizes:
            self.spool.held(cls, self.spool.epoch, [(self._next[cls], self._next[cls])])
            self._next[cls] += 1
        self.beats += 1
        if self.beats % ACKS_EVERY == 0:
            self.spool.save_acks()
        while self.spool.wants_spare:
            self.spool.make_spare()

    def warm_up(self) -> None:
        """Until waves and vitals go into segments that were used before."""
        for cls in (Class.VITAL, Class.WAVE):
            while self.spool.stat().classes[cls].segments * SEGMENT_BYTES < QUOTAS[cls]:
                self.beat()

    def cost(self, at: Card, seconds: float) -> Cost:
        """At real pace."""
        time.sleep(SETTLING_S)
        device, program, syncs = at.traffic(), self.disk.written_bytes, self.disk.syncs
        commits, sealed = self.commits, self.sealed_bytes
        began = time.monotonic()
        for second in range(round(seconds)):
            self.beat()
            time.sleep(max(0.0, began + second + 1 - time.monotonic()))
        return Cost(
            self.sealed_bytes - sealed,
            self.disk.written_bytes - program,
            self.commits - commits,
            self.disk.syncs - syncs,
            time.monotonic() - began,
            at.traffic().since(device),
        )


def measured(options: str, seconds: float) -> Cost:
    with card(options) as at:
        bed = Bed(at.folder / "spool")
        bed.warm_up()
        try:
            return bed.cost(at, seconds)
        finally:
            bed.spool.close()


def of_disk(seconds: float = SECONDS) -> Iterator[Figure]:
    """All mounts at once, each a card of its own. Raises HarnessError."""
    command = f"{COMMAND} --seconds {seconds:g}"
    with ThreadPoolExecutor(len(MOUNTS)) as threads:
        costs = dict(zip(MOUNTS, threads.map(lambda mount: measured(mount, seconds), MOUNTS.values()), strict=True))
    for suffix, cost in costs.items():
        value = cost.device.written_bytes / cost.sealed_bytes
        yield Figure(f"spool.disk_per_sealed{suffix}", round(value, 3), "B/B", command)
        yield Figure(f"spool.flushes{suffix}", round(cost.device.flushes / cost.seconds, 2), "1/s", command)
    cost = costs[""]
    acks_syncs = round(cost.seconds) // ACKS_EVERY
    yield Figure("spool.written_per_sealed", round(cost.program_bytes / cost.sealed_bytes, 3), "B/B", command)
    yield Figure("spool.syncs_per_commit", round((cost.syncs - acks_syncs) / cost.commits, 3), "1", command)
    yield Figure("spool.sealed", round(cost.sealed_bytes / cost.seconds), "B/s", command)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="at real pace; the journal needs 60")
    args = parser.parse_args()
    try:
        figures = list(of_disk(args.seconds))
    except (HarnessError, OSError) as problem:
        print(f"error: {problem}\nhint: loop devices and mounts need root", file=sys.stderr)
        return 2
    for figure in figures:
        print(figure.line(), flush=True)
    return verdict(figures, BARS)


if __name__ == "__main__":
    sys.exit(main())
