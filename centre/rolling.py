"""An update of many gateways, a few first: 1 in 100, then 1 in 10, then all. Pure: which step follows from what came.

A stage is over when nine of ten of its gateways run the new version and it has lasted long enough; more than one
failure in a hundred that were tried stops it all. Who began and never spoke again has failed, too. Who refuses (it has
no updater, or something newer) was not tried: such gateways count for nothing, but a stage of them alone never ends.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

STAGES = (Fraction(1, 100), Fraction(1, 10), Fraction(1))
FAILED_LIMIT = Fraction(1, 100)
WELL_LEAST = Fraction(9, 10)
LOST_US = 3 * 86_400_000_000  # from "begun" to the last word: a slow link, and a day's patience before the restart

Came = Literal["waits", "begun", "well", "failed", "refused", "silent"]


@dataclass(frozen=True, slots=True)
class Member:
    """A gateway that was told. `since`: microseconds since 1970 of the last word; `silent` was never reached."""

    gateway: str
    came: Came
    since: int

    def counted(self, utc: int) -> Came:
        return "failed" if self.came == "begun" and utc - self.since > LOST_US else self.came


@dataclass(frozen=True, slots=True)
class Step:
    """`tell`: gateways that are to be told now. `stage` and `state` as they are then; `why` of a stop."""

    stage: int
    state: Literal["runs", "stopped", "done"]
    tell: tuple[str, ...] = ()
    why: str = ""


def chosen(name: str, gateways: Iterable[str], stage: int) -> list[str]:
    """Those of a stage and of all before it, the same ones whenever it is asked; at least one."""
    order = sorted(gateways, key=lambda one: hashlib.sha256(f"{name} {one}".encode()).digest())
    return order[: -(-len(order) * STAGES[stage] // 1)]


def step(
    name: str, stage: int, began: int, soak_us: int, gateways: Sequence[str], members: Sequence[Member], utc: int
) -> Step:
    """What follows. `began`: when this stage did; `gateways`: all it may go to; `members`: those told so far."""
    counts = Counter(one.counted(utc) for one in members)
    tried = counts["well"] + counts["failed"]
    if counts["failed"] > tried * FAILED_LIMIT:
        return Step(stage, "stopped", why=f"{counts['failed']} of {tried} that were tried failed")
    told = {one.gateway for one in members}
    wanted = chosen(name, gateways, stage)
    missing = tuple(one for one in wanted if one not in told)
    if missing:
        return Step(stage, "runs", missing)
    least = max(Fraction(1), (len(wanted) - counts["refused"]) * WELL_LEAST)
    if counts["well"] < least or utc - began < soak_us:
        return Step(stage, "runs")
    if stage + 1 == len(STAGES):
        return Step(stage, "done")
    return Step(stage + 1, "runs", tuple(one for one in chosen(name, gateways, stage + 1) if one not in told))
