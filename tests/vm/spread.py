"""How figures are told."""

from __future__ import annotations

from typing import Any


def spread(seconds: list[float]) -> dict[str, Any]:
    """Count, p50, p95 and worst."""
    if not seconds:
        return {"count": 0}
    ordered = sorted(seconds)
    at = {"p50_s": 0.5, "p95_s": 0.95}
    found = {name: round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 2) for name, part in at.items()}
    return {"count": len(ordered), **found, "max_s": round(ordered[-1], 2)}
