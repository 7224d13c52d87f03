"""The file of results: one JSON object a line, a line for each driver that was fuzzed."""

from __future__ import annotations

import ast
import hashlib
import json
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.fuzz.corpus import ROOT
from tests.fuzz.life import Tally

FUZZER = [ROOT / "tests" / "fuzz" / f"{name}.py" for name in ("corpus", "mend", "feed", "life", "judge")]
FILE = ROOT / "docs" / "evidence" / "fuzz.jsonl"


def digest(paths: Iterable[Path]) -> str:
    whole = hashlib.sha256()
    for path in sorted(paths):
        whole.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()[:12]


def code() -> str:
    """All drivers there are."""
    return digest([*(ROOT / "drivers").rglob("*.py"), ROOT / "drivers" / "codes.csv"])


def tried(driver_id: str) -> str:
    """One driver, what it imports, and what tries it: another driver's change does not make this one's line stale."""
    mine = imported(ROOT / "drivers" / "devices" / f"{driver_id}.py", set())
    return digest([*mine, *FUZZER, ROOT / "drivers" / "codes.csv"])


def imported(path: Path, seen: set[Path]) -> set[Path]:
    """A module of drivers/ and all of drivers/ that it imports."""
    if path in seen or not path.exists():
        return seen
    seen.add(path)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [f"{node.module}.{alias.name}" for alias in node.names] if isinstance(node, ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
        for name in names:
            if name.startswith("drivers."):
                imported(ROOT / f"{name.replace('.', '/')}.py", seen)
    return seen


def done(path: Path, driver_id: str, seed: int, size: int) -> bool:
    """Whether this driver as it is now went through this seed before."""
    wanted = (driver_id, seed, tried(driver_id))
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return any(
        (one["driver"], one["seed"], one["tried"]) == wanted and one["bytes"] >= size for one in map(json.loads, lines)
    )


def line(driver_id: str, seed: int, tally: Tally, captures: list[str]) -> dict[str, Any]:
    outside = sum(found.outside for found in tally.failures)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "campaign": "fuzz",
        "driver": driver_id,
        "seed": seed,
        "bytes": tally.bytes,
        "short_bytes": tally.short_bytes,
        "seconds": round(tally.seconds, 1),
        "exceptions": len(tally.failures) - outside,
        "outside": outside,
        "growth_bytes": tally.growth_bytes,
        "held_bytes": tally.held_bytes,
        "slowest_ms": round(tally.slowest_ms, 1),
        "frames": tally.frames,
        "bad": tally.bad,
        "said": tally.said,
        "failures": [f"{found.life}/{found.step} {found.error}" for found in tally.failures],
        "captures": captures,
        "tried": tried(driver_id),
        "code": code(),
        "machine": f"{platform.machine()} Linux {platform.release()} Python {platform.python_version()}",
    }


def write(path: Path, one: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(one) + "\n")
