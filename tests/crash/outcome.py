"""What every campaign is: numbered points, in parts that can be tried alone, and what came of them."""

from __future__ import annotations

import struct
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from agent.spool import SpoolError

BUGS = (ArithmeticError, AssertionError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)


@dataclass
class Outcome:
    """`failures` are (point, what was wrong); `counts` is whatever the campaign finds worth counting."""

    points: int = 0
    lost: int = 0  # what was accepted and is neither there nor named
    failures: list[tuple[int, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    slowest_open_s: float = 0.0

    def add(self, other: Outcome) -> None:
        self.points += other.points
        self.lost += other.lost
        self.failures += other.failures
        self.counts.update(other.counts)
        self.slowest_open_s = max(self.slowest_open_s, other.slowest_open_s)

    @contextmanager
    def trying(self, point: int) -> Iterator[None]:
        """What is raised is a failure of this point, and the others go on."""
        try:
            yield
        except (SpoolError, struct.error, *BUGS) as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.failures.append((point, f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"))

    def fail(self, point: int, problems: Iterable[str]) -> None:
        """A failure, where there are problems."""
        text = "; ".join(problems)
        if text:
            self.failures.append((point, text))


def _able() -> str:
    return ""


@dataclass(frozen=True)
class Campaign:
    """`attempt(seed, points)` tries some points of one part, in a process of its own. Same seed, same points."""

    points: int  # how many there are, or are asked for unless told otherwise
    part_points: int
    attempt: Callable[[int, range], Outcome]
    why_not: Callable[[], str] = _able  # what this machine lacks
    exhaustive: bool = False  # there are no more points than `points`
