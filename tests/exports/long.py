"""Seventy-two hours of twelve leads at 500 Hz: how much memory and time an export takes.

`python -m tests.exports.long --hours 72 --formats wfdb,parquet --out docs/evidence/exports-long.jsonl`. The signal is
one minute, said again and again: what is measured is the way, not the heart. Each export runs in a process of its own,
whose peak is measured. Ends with 1 where one takes more memory than it may.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from centre.counts import Counts
from centre.gate import Gate
from centre.ingest import Ingest
from centre.store import Store
from tests.exports.rig import UTC, Truth, arrival_t, catalogue, url_of
from tests.sealed import CENTRE, Bedside
from wire import codec
from wire.records import Anchor, Block

RATE = 500
MINUTE_SECONDS = 60
MEMORY_LIMIT_MIB = 400
GAP_EVERY_S = 5000  # a second is lost
LEADS = [f"ecg.{lead}" for lead in ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")]
CHILD = """
import resource, sys
from pathlib import Path
from centre.export import formats
from centre.export.plan import Wish
done = formats.to_folder(sys.argv[1], sys.argv[2], sys.argv[3], Wish(epoch=1), Path(sys.argv[4]))
used = resource.getrusage(resource.RUSAGE_SELF)
print(done.size_bytes, used.ru_maxrss // 1024, round(used.ru_utime + used.ru_stime, 1))
"""


def feed(url: str, hours: float) -> str:
    """One block a second, sixty an envelope."""
    t = np.arange(RATE * MINUTE_SECONDS) / RATE
    rng = np.random.default_rng(1)
    beat = 900 * np.exp(-(((t % 0.85) - 0.3) ** 2) / 0.0004) + 120 * np.exp(-(((t % 0.85) - 0.55) ** 2) / 0.004)
    lines = [np.rint(beat * (0.4 + 0.1 * row) + rng.normal(0, 6, len(t))) for row in range(len(LEADS))]
    values = np.array(lines, np.int32)
    encoder = codec.Encoder()
    coded = [encoder.encode(np.ascontiguousarray(values[:, s * RATE : (s + 1) * RATE])) for s in range(MINUTE_SECONDS)]
    bedside, store = Bedside("long"), Store(url)
    ingest = Ingest(store, Gate({bedside.gateway: "north"}), (CENTRE,), Counts())
    truth = Truth("long", Fraction(RATE), values, LEADS)
    seconds = int(hours * 3600)
    anchors = [
        Anchor(arrival_t(s * RATE, truth.rate), UTC + arrival_t(s * RATE, truth.rate), 20_000, "ntp")
        for s in range(0, seconds, 900)
    ]
    ingest.take([bedside.grant(), bedside.vital(catalogue(truth), *anchors)])
    for minute in range(0, seconds, MINUTE_SECONDS):
        some = [
            Block(arrival_t((s + 1) * RATE - 1, truth.rate), 0, len(LEADS), s * RATE, RATE, coded[s % MINUTE_SECONDS])
            for s in range(minute, min(minute + MINUTE_SECONDS, seconds))
            if s % GAP_EVERY_S != GAP_EVERY_S - 1
        ]
        ingest.take([bedside.wave(*some)])
    store.close()
    return bedside.gateway


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.exports.long", description=__doc__)
    parser.add_argument("--hours", type=float, default=72)
    parser.add_argument("--formats", default="wfdb,edf,parquet")
    parser.add_argument("--folder", type=Path, help="where there is room; default: the system's")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory(prefix="wardlink-long-", dir=args.folder) as name:
        url = url_of(Path(name))
        gateway = feed(url, args.hours)
        for form in args.formats.split(","):
            folder = Path(name) / form
            began = time.monotonic()
            child = [sys.executable, "-c", CHILD, url, gateway, form, str(folder)]
            said = subprocess.run(child, capture_output=True, text=True, check=True).stdout.split()
            seconds = time.monotonic() - began
            shutil.rmtree(folder)
            samples = int(args.hours * 3600 * RATE * len(LEADS))
            lines.append(
                {
                    "format": form,
                    "hours": args.hours,
                    "samples": samples,
                    "bytes": int(said[0]),
                    "peak_mib": int(said[1]),
                    "seconds": round(seconds, 1),
                    "cpu_seconds": float(said[2]),
                }
            )
            print(json.dumps(lines[-1]), flush=True)
    if args.out:
        args.out.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return 1 if any(one["peak_mib"] > MEMORY_LIMIT_MIB for one in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
