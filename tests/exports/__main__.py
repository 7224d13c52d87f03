"""Every record through the real wire into a centre's store, and out again in every format that takes it.

`WARDLINK_RECORDS=FOLDER python -m tests.exports --out docs/evidence/exports.jsonl`: a line for each record and format:
samples that were said, that came back equal, and otherwise; or why it was refused. The last record has fifty gaps.
Ends with 1 where a sample is lost, altered or made up.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from centre.export import formats
from centre.export.plan import RefusedError, Wish
from tests.exports import readers
from tests.exports.compare import compare
from tests.exports.records import records
from tests.exports.rig import Truth, feed, url_of

READERS = {
    "wfdb": (readers.wfdb, "wfdb"),
    "wfdb-flac": (readers.wfdb, "wfdb"),
    "edf": (readers.edf, "pyedflib, mne"),
    "edf-parts": (readers.edf, "pyedflib, mne"),
    "dicom": (readers.dicom, "pydicom"),
    "aecg": (readers.aecg, "lxml"),
    "csv": (readers.csv, "pandas"),
    "parquet": (readers.parquet, "pyarrow"),
    "fhir-r4": (readers.fhir, "fhir.resources R4B"),
    "fhir-r5": (readers.fhir_r5, "fhir.resources R5"),
    "hl7": (readers.hl7, "hl7"),
}
GAPS = 50
ROOT = Path(__file__).parents[2]


def code() -> str:
    """A short hash of what is tried and what tries it."""
    digest = hashlib.sha256()
    for folder in ("centre/export", "tests/exports"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def with_gaps(truth: Truth, seed: int = 1, gaps: int = GAPS) -> Truth:
    """Gaps of 1 to 200 samples, one in six of one row alone."""
    rng = np.random.default_rng(seed)
    count = truth.values.shape[1]
    for number, at in enumerate(np.linspace(count // 60, count - count // 30, gaps).astype(int)):
        rows = [int(rng.integers(len(truth.held)))] if number % 6 == 5 else list(range(len(truth.held)))
        truth.held[rows, at : at + 1 + int(rng.integers(min(200, count // 120)))] = False
    truth.name += f"+{gaps}-gaps"
    return truth


def taken(folder: Path, only: str, limit_samples: int | None) -> Iterator[Truth]:
    longest = None  # of those with the most rows
    for truth in records(folder):
        if only in truth.name:
            truth.values, truth.held = truth.values[:, :limit_samples], truth.held[:, :limit_samples]
            longest = max((longest or truth, truth), key=lambda one: one.values.shape)
            yield truth
    if longest is not None:
        yield with_gaps(
            Truth(
                longest.name,
                longest.rate,
                longest.values,
                longest.channels,
                longest.units,
                longest.gains,
                longest.offsets,
            )
        )


def line(truth: Truth, url: str, gateway: str, name: str, folder: Path) -> dict[str, Any]:
    read, reader = READERS[name]
    said: dict[str, Any] = {
        "record": truth.name,
        "rows": len(truth.channels),
        "rate_hz": float(truth.rate),
        "format": name,
    }
    began = time.monotonic()
    try:
        done = formats.to_folder(url, gateway, name, Wish(), folder)
    except RefusedError as error:
        return said | {"refused": str(error), "hint": error.hint}
    wanted = narrowed(truth, folder)
    found = compare(wanted, read(folder))
    said |= {"left_out": left} if (left := int(truth.held.sum() - wanted.held.sum())) else {}
    said |= {
        "reader": reader,
        "samples": found.samples,
        "equal": found.equal,
        "other": found.other,
        "extra": found.extra,
    }
    return said | {"bytes": done.size_bytes, "seconds": round(time.monotonic() - began, 2), "good": found.good}


def narrowed(truth: Truth, folder: Path) -> Truth:
    """Without what the export itself says it left out."""
    left = folder / "left-out.json"
    if left.exists():
        held = truth.held.copy()
        for one in json.loads(left.read_text()):
            if one["channel"]:
                held[truth.channels.index(one["channel"])] = False
        truth = Truth(truth.name, truth.rate, truth.values, truth.channels, held=held)
    return truth


def total(lines: list[dict[str, Any]], limit_samples: int) -> dict[str, Any]:
    """The last line: all of it, and what ran where."""
    names = dict.fromkeys(one["format"] for one in lines)
    equal = {name: sum(one.get("equal", 0) for one in lines if one["format"] == name) for name in names}
    return {
        "records": len({one["record"] for one in lines}),
        "bad": sum(not one.get("good", True) for one in lines),
        "refused": sum("refused" in one for one in lines),
        "equal": equal,
        "samples_of_a_row": limit_samples or "all",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "code": code(),
        "machine": f"{platform.machine()} Linux {platform.release()} Python {platform.python_version()}",
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.exports", description=__doc__)
    parser.add_argument("--records", type=Path, default=os.environ.get("WARDLINK_RECORDS") or None)
    parser.add_argument("--only", default="", help="records whose name has this in it")
    parser.add_argument("--formats", default=",".join(READERS))
    parser.add_argument("--samples", type=int, default=0, help="of each row, from the first on; 0: all")
    parser.add_argument("--out", type=Path, help="write the lines to this file too")
    args = parser.parse_args()
    if args.records is None:
        parser.error("WARDLINK_RECORDS names no folder")
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    lines = []
    for truth in taken(Path(args.records), args.only, args.samples or None):
        with tempfile.TemporaryDirectory(prefix="wardlink-exports-") as name:
            url = url_of(Path(name))
            gateway = feed(url, truth)
            for form in args.formats.split(","):
                lines.append(line(truth, url, gateway, form, Path(name) / form))
                print(json.dumps(lines[-1]), flush=True)
    lines.append(total(lines, args.samples))
    print(json.dumps(lines[-1]))
    if args.out:
        args.out.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return 1 if lines[-1]["bad"] or not lines[:-1] else 0


if __name__ == "__main__":
    sys.exit(main())
