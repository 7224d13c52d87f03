"""The file of results: one JSON object a line, a line for each run of a campaign."""

from __future__ import annotations

import hashlib
import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.crash.outcome import Outcome

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs/evidence/crash.jsonl"
KEPT_FAILURES = 20


def code() -> str:
    """A short hash of what is tried and what tries it: results of other code do not count."""
    digest = hashlib.sha256()
    for path in sorted([*(ROOT / "agent/spool").glob("*.py"), *(ROOT / "tests/crash").glob("*.py")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def done(path: Path, name: str, seed: int) -> int:
    """How many points, from 0 on, this code has been through with this seed."""
    end = 0
    mine = [one for one in lines(path) if (one["campaign"], one.get("seed"), one.get("code")) == (name, seed, code())]
    for one in sorted(mine, key=lambda one: one["first"]):
        if one["first"] <= end:
            end = max(end, one["first"] + one["points"])
    return end


def write(path: Path, name: str, seed: int, first: int, jobs: int, seconds: float, outcome: Outcome) -> None:
    one = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "campaign": name,
        "seed": seed,
        "first": first,
        "points": outcome.points,
        "lost": outcome.lost,
        "failed": len(outcome.failures),
        "failures": sorted(outcome.failures)[:KEPT_FAILURES],
        "seconds": round(seconds, 1),
        "jobs": jobs,
        "slowest_open_s": round(outcome.slowest_open_s, 3),
        "counts": dict(sorted(outcome.counts.items())),
        "code": code(),
        "machine": f"{platform.machine()} Linux {platform.release()} Python {platform.python_version()}",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(one) + "\n")
