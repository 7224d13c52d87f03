"""When a gateway is to die: drawn from a seed, weighted towards the moments that matter."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from random import Random

LATEST_S = 0.5
EXEC_LATEST_S = 1.2  # a program that is loaded from its files first
TRIGGER_LIMIT_S = 2.0
FLOOD_FRAMES = 4000  # more than the kernel keeps for a line


@dataclass
class Phase:
    """What a gateway is doing, as its witness says."""

    last: str = ""
    shutdown: bool = False
    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def note(self, word: str, at: float) -> None:
        self.last = word
        self.times[word].append(at)

    @property
    def is_open(self) -> bool:
        return bool(self.times["opened"])

    @property
    def name(self) -> str:
        """Where it is now."""
        named = {"": "start", "opening": "recovery", "opened": "begin", "commit": "commit", "spare": "spare"}
        where = named.get(self.last, "running")
        return f"shutdown, {where}" if self.shutdown else where


@dataclass
class Plan:
    """`trigger`: the word of the witness and which of them; `delay_s` after it, or after the start. `term_first_s`: how
    long before the kill it is asked to end."""

    delay_s: float
    trigger: tuple[str, int] | None = None
    term_first_s: float | None = None
    flood: int = 0
    execs: bool = False

    def wait_s(self, phase: Phase, began: float, now: float) -> float:
        """How long until it is due; 0: now. Much, while the trigger has not come."""
        since = began
        if self.trigger is not None and now < began + TRIGGER_LIMIT_S:
            word, nth = self.trigger
            if len(phase.times[word]) < nth:
                return TRIGGER_LIMIT_S
            since = phase.times[word][nth - 1]
        return max(0.0, since + self.delay_s - now)


def draw(rng: Random, execs: bool) -> Plan:
    """The next death. Those of programs loaded from files have no trigger: such a program tells nothing."""
    if execs:
        return Plan(
            rng.uniform(0, EXEC_LATEST_S), term_first_s=rng.choice((None, None, rng.uniform(0, 0.1))), execs=True
        )
    flood = FLOOD_FRAMES if rng.random() < 0.02 else 0
    kind = rng.random()
    if kind < 0.4:
        return Plan(rng.expovariate(1 / 0.003), ("commit", rng.choice((1, 2, 2, 3))), flood=flood)
    if kind < 0.5:
        return Plan(rng.expovariate(1 / 0.002), (rng.choice(("kept", "opening", "opened")), 1))
    if kind < 0.58:
        return Plan(rng.expovariate(1 / 0.003), ("spare", rng.choice((1, 2))), flood=flood)
    if kind < 0.72:
        return Plan(rng.uniform(0, 0.08))
    if kind < 0.85:
        return Plan(rng.uniform(0.03, 0.4), term_first_s=rng.uniform(0, 0.05), flood=flood)
    return Plan(rng.uniform(0, LATEST_S), flood=flood)
