"""When Chromium showed what a script had drawn, by Chromium's own record of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Event = dict[str, Any]
CATEGORIES = (
    "blink.user_timing",
    "devtools.timeline",
    "devtools.timeline.frame",
    "disabled-by-default-devtools.timeline.frame",
)


def marks(trace: Sequence[Event], name: str) -> list[int]:
    """When performance.mark(name) was called, microseconds of Chromium's clock."""
    return sorted(one["ts"] for one in trace if one.get("name") == name and one.get("cat") == "blink.user_timing")


def shown(trace: Sequence[Event], at: int, is_within: bool = False) -> int:
    """When the frame was drawn to the screen that holds what a script drew at `at`, on the clock of the marks.

    `is_within`: in a callback of the frame itself; else in a task between two frames. ValueError where the record ends
    before.
    """
    begun = [e for e in trace if e.get("name") == "BeginMainThreadFrame"]
    near = [e for e in begun if (e["ts"] <= at if is_within else e["ts"] > at)]
    if not near:
        raise ValueError("no frame was begun")
    frame = (max if is_within else min)(near, key=lambda e: int(e["ts"]))
    tree, number = frame["args"]["layerTreeId"], frame["args"]["data"]["frameId"]
    active = _first(
        trace, "ActivateLayerTree", frame["ts"], lambda args: (args["layerTreeId"], args["frameId"]) == (tree, number)
    )
    return _first(trace, "DrawFrame", active, lambda args: args["layerTreeId"] == tree)


def _first(trace: Sequence[Event], name: str, since: int, is_meant: Any) -> int:
    found = [int(e["ts"]) for e in trace if e.get("name") == name and e["ts"] >= since and is_meant(e["args"])]
    if not found:
        raise ValueError(f"no {name}")
    return min(found)
