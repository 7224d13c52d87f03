"""A failing life made small and written as a capture, build/fuzz/*.cap: a test before the driver is mended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from drivers.capture import brief, seconds
from tests.fuzz.corpus import ROOT
from tests.fuzz.feed import Feed, Step
from tests.fuzz.life import Failure, again, failure

FOLDER = ROOT / "build" / "fuzz"
TRIALS_LIMIT_COUNT = 2000
Fails = Callable[[Sequence[Step]], bool]


def minimised(driver_id: str, found: Failure) -> list[Step]:
    """As few steps and bytes as fail in the same way; all that led there where a fresh driver does not fail at all."""
    steps = again(driver_id, found)
    trials = 0

    def fails(tried: Sequence[Step]) -> bool:
        nonlocal trials
        trials += 1
        if trials > TRIALS_LIMIT_COUNT:
            return False
        seen = failure(driver_id, found.life, tried)
        return seen is not None and kind(seen) == kind(found)

    tail = next((steps[-(1 << n) :] for n in range(24) if 1 << n < 2 * len(steps) and fails(steps[-(1 << n) :])), None)
    if tail is None:
        return steps
    punctual = [step._replace(late=False) for step in tail]
    tail = fewer(punctual if fails(punctual) else tail, fails)
    for at in range(len(tail)):
        tail[at] = shorter(tail, at, fails)
    moved = [step._replace(now=step.now - tail[0].now) for step in tail]
    return moved if fails(moved) else tail


def kind(found: Failure) -> str:
    """The exception and where it came from; of what was said outside, the first word."""
    name, _, rest = found.error.partition(": ")
    return f"{name} {rest.split('(')[0].split(' ')[0] if found.outside else rest.rpartition('(')[2]}"


def fewer(steps: list[Step], fails: Fails) -> list[Step]:
    size = len(steps) // 2
    while size:
        at = 0
        while at < len(steps):
            tried = steps[:at] + steps[at + size :]
            if tried and fails(tried):
                steps = tried
            else:
                at += size
        size //= 2
    return steps


def shorter(steps: list[Step], at: int, fails: Fails) -> Step:
    """The step `at` with fewer bytes."""
    step = steps[at]
    size = len(step.data) // 2
    while size:
        start = 0
        while start < len(step.data):
            tried = step._replace(data=step.data[:start] + step.data[start + size :])
            if tried.data and fails([*steps[:at], tried, *steps[at + 1 :]]):
                step = tried
            else:
                start += size
        size //= 2
    return step


def write(driver_id: str, found: Failure, folder: Path = FOLDER) -> Path:
    """The capture of a failure."""
    steps = minimised(driver_id, found)
    mark = Feed(driver_id, found.life).mark()
    head = [
        f"driver: {driver_id}",
        "device: none",
        "captured: never",
        f"origin: made by the fuzzer, life {found.life}, step {found.step}",
        f"story: {found.error}" + (" (the host wakes late)" if any(step.late for step in steps) else ""),
        *([f"reached: {mark}"] if mark else []),
    ]
    body = [f"{seconds(step.now)} <{brief(step.source)} {step.data.hex().upper()}" for step in steps if step.data]
    assert all(one.now <= other.now for one, other in pairwise(steps))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{driver_id}-{found.life.replace(' ', '-')}-{found.step}.cap"
    path.write_text("\n".join([*head, "", *body]) + "\n", encoding="utf-8")
    return path
