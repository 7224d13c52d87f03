"""Random bits of random files of a spool, flipped: one frame lost at most, and that one named."""

from __future__ import annotations

from random import Random

from tests.crash.cuts import folder, try_one
from tests.crash.outcome import Campaign, Outcome
from tests.crash.witness import Judgement


def attempt(seed: int, points: range) -> Outcome:
    contents, witness = folder()
    used = [path for path in sorted(contents) if contents[path]]
    out = Outcome(points=len(points))
    for point in points:
        random = Random(f"{seed}/{point}")
        path = random.choice(used)
        data = bytearray(contents[path])
        at, change = random.randrange(len(data)), random.randrange(1, 256)
        data[at] ^= change
        out.counts[path.suffix[1:] or path.name] += 1
        with out.trying(point):
            found = try_one(out, path, bytes(data), witness)
            problems = [f"{path.name}+{at} ^ {change}: {problem}" for problem in found.problems + too_much(found)]
            out.fail(point, problems)
    return out


def too_much(found: Judgement) -> list[str]:
    """One byte costs one frame, and everybody knows which."""
    unnamed = sorted(found.damaged - found.named)
    return [f"{len(found.damaged)} frames lost"] * (len(found.damaged) > 1) + [f"no name for {unnamed}"] * bool(unnamed)


CAMPAIGN = Campaign(points=100_000, part_points=1000, attempt=attempt)
