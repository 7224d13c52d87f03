"""`python -m bench.history [--hours 72] [--store URL]`: any window of a long 12-lead recording, drawn in how long?

Makes the recording (a minute of twelve leads, again and again; 500 Hz; a hole an hour), has the outlines made, and asks
for windows of every width at random places, all twelve leads, 1500 columns. Prints JSON; exit code 1 over the bar.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from centre.store import Batch, Entry, Store
from wire import codec
from wire.envelope import Header
from wire.records import Block
from wire.topics import Address, Class

LEADS, RATE, COLUMNS = 12, 500, 1500
BAR_MS = 300
WINDOWS_S = (2, 10, 60, 180, 200, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 72 * 3600)
TRIES = 8
ADDRESS = Address("north", "gw-a1")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=72)
    parser.add_argument("--store", default="")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(args.store or f"sqlite:///{Path(folder) / 'centre.db'}")
        begun = time.process_time()
        _fill(store, args.hours * 3600)
        filled = time.process_time() - begun
        begun = time.process_time()
        stretches = 0
        while made := store.outlines.draft(1 << 60):
            stretches += made
        drafted = time.process_time() - begun
        found = {f"{window} s": _asked(store, window, args.hours * 3600) for window in WINDOWS_S}
        store.close()
    worst = max(times[-1] for times in found.values())
    said = {
        "hours": args.hours,
        "fill_cpu_s": round(filled, 1),
        "draft_cpu_s": round(drafted, 1),
        "stretches": stretches,
        "median_ms": {window: times[len(times) // 2] for window, times in found.items()},
        "worst_ms": {window: times[-1] for window, times in found.items()},
        "bar_ms": BAR_MS,
        "good": worst <= BAR_MS,
    }
    print(json.dumps(said, indent=2))
    return 0 if said["good"] else 1


def _fill(store: Store, seconds: int) -> None:
    dice = np.random.default_rng(1)
    walks = [dice.integers(-9, 10, (LEADS, RATE)).cumsum(axis=1).astype(np.int32) for _ in range(60)]
    coded = [codec.encode(walk) for walk in walks]
    entries: list[Entry] = []
    for second in range(seconds):
        if second % 3600 < 20:
            continue
        block = Block(second * 1_000_000, 0, LEADS, second * RATE, RATE, coded[second % 60])
        header = Header(1, Class.WAVE, second, 0)
        entries.append(Entry(ADDRESS, header, 0, 100, second.to_bytes(32, "big"), bytes(8), blocks=[block]))
        if len(entries) == 1000 or second == seconds - 1:
            store.write(Batch(entries=entries, heard={ADDRESS: 0}))
            entries = []


def _asked(store: Store, window_s: int, seconds: int) -> list[float]:
    """Milliseconds of processor of each try, sorted."""
    dice, times = random.Random(window_s), []
    for _ in range(TRIES):
        first = dice.randrange(max(1, (seconds - window_s) * RATE + 1))
        begun = time.process_time()
        for lead in range(LEADS):
            store.outlines.columns(ADDRESS.gateway, 1, lead, first, first + window_s * RATE, COLUMNS)
        times.append(round((time.process_time() - begun) * 1000, 1))
    return sorted(times)


if __name__ == "__main__":
    sys.exit(main())
