"""A driver lives through a story: its words are judged, its memory is weighed; a life that fails can be lived again."""

from __future__ import annotations

import gc
import os
import resource
import sys
import time
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from drivers import capture, registry
from drivers.contract import Driver, Output, Wave
from tests.fuzz import corpus
from tests.fuzz.feed import Feed, Step
from tests.fuzz.judge import Judged, OutsideError, must

GROWTH_LIMIT_BYTES = 5 << 20
SHORT_BYTES = 4_000  # of a short life; all of them hear a tenth of what the long one does
SHORT_SHARE = 10
DEAF_LIMIT_BYTES = 70_000  # a frame that claims to be the largest may eat as much
GOOD_FRAMES = 3
WAKES_LIMIT_COUNT = 50
CHECKPOINTS = 40
LARGE_BYTES = 1000  # a step that is timed
FAILURES_LIMIT_COUNT = 5
PAGE_BYTES = resource.getpagesize()
NOT_THE_DRIVERS = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType)


@dataclass(frozen=True, slots=True)
class Failure:
    """`step`: the number of the step in the life `life` at which it happened."""

    life: str
    step: int
    error: str

    @property
    def outside(self) -> bool:
        return self.error.startswith(OutsideError.__name__)


@dataclass(slots=True)
class Tally:
    bytes: int = 0
    short_bytes: int = 0
    steps: int = 0
    frames: int = 0
    bad: int = 0
    said: int = 0
    seconds: float = 0.0
    growth_bytes: int = 0
    held_bytes: int = 0
    slowest_ms: float = 0.0
    failures: list[Failure] = field(default_factory=list)


def born(driver_id: str, feed: Feed) -> Judged:
    driver = registry.driver(driver_id)({"name": "fuzz"})
    driver.reached = feed.mark()
    return Judged(driver)


def live(judged: Judged, step: Step) -> list[Output]:
    """What a host does: opens, wakes the driver where its time has passed, then gives it the bytes."""
    driver, said = judged.driver, [] if judged.is_open else judged.open(step.now)
    wakes = 1 if step.late else WAKES_LIMIT_COUNT
    while driver.wake_at is not None and driver.wake_at < step.now and wakes:
        wakes -= 1
        said += judged.time(step.now if step.late or not wakes else driver.wake_at + 1)
    must(wakes or driver.wake_at is None or driver.wake_at >= step.now, "asks to be woken for ever")
    return said + judged.bytes(step.data, step.now, step.source)


def long_life(driver_id: str, seed: int, size: int, tally: Tally) -> None:
    """One driver hears it all; after a failure another one goes on from there, a few times."""
    name = f"{seed} long"
    feed = Feed(driver_id, name)
    for other in registry.ids():  # what the story itself needs is there before anything is weighed
        corpus.of(other)
    warm(driver_id)
    judged = born(driver_id, feed)
    gc.collect()
    gc.freeze()  # what is there already is not looked through again at each weighing
    at_first, next_weighing = resident_bytes(), 0
    for number, step in enumerate(feed.steps()):
        if tally.bytes >= next_weighing:
            weigh(judged.driver, at_first, tally)
            next_weighing += max(1, size // CHECKPOINTS)
        if tally.bytes >= size or len(tally.failures) >= FAILURES_LIMIT_COUNT:
            break
        tally.bytes += len(step.data)
        tally.steps += 1
        began = time.thread_time() if len(step.data) >= LARGE_BYTES else 0.0
        try:
            live(judged, step)
        except Exception as error:  # noqa: BLE001  whatever it is, it is what we look for
            tally.failures.append(Failure(name, number, said_of(error)))
            add(judged, tally)
            judged = born(driver_id, feed)
        if began:
            tally.slowest_ms = max(tally.slowest_ms, (time.thread_time() - began) * 1000)
    add(judged, tally)
    gc.unfreeze()


def add(judged: Judged, tally: Tally) -> None:
    tally.frames += judged.driver.counts.frames
    tally.bad += judged.driver.counts.bad
    tally.said += judged.said


def short_lives(driver_id: str, seed: int, size: int, tally: Tally) -> None:
    """Fresh drivers, each of which hears a little; and a twin hears the same bytes in other pieces, and must agree."""
    number = 0
    while tally.short_bytes < size and len(tally.failures) < FAILURES_LIMIT_COUNT:
        name = f"{seed} short {number}"
        number += 1
        steps = list(story(driver_id, name))
        tally.short_bytes += sum(len(step.data) for step in steps)
        if found := failure(driver_id, name, steps):
            tally.failures.append(found)


def story(driver_id: str, name: str) -> Iterator[Step]:
    """The first SHORT_BYTES of a life; the host is never late, so that it can be written as a capture."""
    told = 0
    for step in Feed(driver_id, name).steps():
        yield step._replace(late=False)
        told += len(step.data)
        if told >= SHORT_BYTES:
            return


def failure(driver_id: str, name: str, steps: Iterable[Step]) -> Failure | None:
    """What goes wrong when a fresh driver lives through these steps, and a twin through them in single bytes."""
    number = 0
    feed = Feed(driver_id, name)
    mark = feed.mark()
    one, twin = (Judged(registry.driver(driver_id)()) for _ in range(2))
    one.driver.reached = twin.driver.reached = mark
    told: list[Output] = []
    echo: list[Output] = []
    step = Step(0, b"", "", False)
    is_stream = corpus.of(driver_id).is_stream
    try:
        for number, step in enumerate(steps):  # noqa: B007  where it happened
            told += live(one, step)
            for part in single(step) if is_stream else (step,):
                echo += live(twin, part)
        agree(told, echo)
        must(one.driver.counts == twin.driver.counts, f"{one.driver.counts}, in single bytes {twin.driver.counts}")
        deaf = deaf_bytes(one, driver_id, step.now)
        must(deaf <= DEAF_LIMIT_BYTES, f"deaf for {deaf} bytes of its own captures")
    except Exception as error:  # noqa: BLE001  whatever it is, it is what we look for
        return Failure(name, number, said_of(error))
    return None


def deaf_bytes(judged: Judged, driver_id: str, now: int) -> int:
    """How much of its own captures goes by before a driver that heard all this takes some good frames again."""
    fed, wanted = 0, judged.driver.counts.frames + GOOD_FRAMES
    while fed <= DEAF_LIMIT_BYTES:
        for segment in (one for run in corpus.of(driver_id).runs for one in run):
            now += segment.wait + 1
            at = 0
            for size in segment.sizes if segment.source else (len(segment.data),):
                live(judged, Step(now, segment.data[at : at + size], segment.source, late=False))
                at += size
            fed += len(segment.data)
            if judged.driver.counts.frames >= wanted:
                return fed
    return fed


def single(step: Step) -> Iterator[Step]:
    """A stream in pieces of one byte, a notification whole."""
    if step.source or len(step.data) < 2:
        yield step
    else:
        yield from (step._replace(data=step.data[k : k + 1]) for k in range(len(step.data)))


def agree(told: list[Output], echo: list[Output]) -> None:
    """The same words, channel by channel, with neighbouring waves joined."""
    one, other = streams(told), streams(echo)
    for name in one.keys() | other.keys():
        mine, its = one.get(name, []), other.get(name, [])
        if mine != its:
            at = next((k for k, (a, b) in enumerate(zip(mine, its, strict=False)) if a != b), min(len(mine), len(its)))
            raise OutsideError(f"{name} depends on the pieces: at {at} {mine[at : at + 2]}, else {its[at : at + 2]}")


def streams(said: Iterable[Output]) -> dict[str, list[object]]:
    """What was said, by channel; waves as their samples, with their marks beside them."""
    out: dict[str, list[object]] = {}
    for output in said:
        if isinstance(output, Wave):
            stream = out.setdefault(f"wave {output.channel} {output.scale}", [])
            start = len(stream)
            stream.extend(output.samples)
            if output.marks:
                marks = out.setdefault(f"marks {output.channel}", [])
                marks.extend((start + mark.at, mark.kind, mark.count) for mark in output.marks)
        else:
            out.setdefault(type(output).__name__ + getattr(output, "channel", ""), []).append(output)
    return out


def said_of(error: BaseException) -> str:
    """One line: what and where."""
    frames = []
    trace = error.__traceback__
    while trace:
        path = Path(trace.tb_frame.f_code.co_filename)
        if "drivers" in path.parts:
            frames.append(f"{path.name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__name__}: {' '.join(str(error).split())[:400]} ({' '.join(frames[-2:])})"


def warm(driver_id: str) -> None:
    """All of the driver's modules and tables are there once it has heard its own captures."""
    for path in sorted((corpus.CAPTURES / driver_id).glob("*.cap")):
        capture.transcript(registry.driver(driver_id)(), capture.parse(path.read_text(encoding="utf-8")))


def weigh(driver: Driver, at_first: int, tally: Tally) -> None:
    """Growth is what the whole process holds more than before the first byte: caches, buffers and C's heap too."""
    tally.growth_bytes = max(tally.growth_bytes, resident_bytes() - at_first)
    tally.held_bytes = max(tally.held_bytes, held_bytes(driver))


def resident_bytes() -> int:
    gc.collect()
    return int(Path(f"/proc/{os.getpid()}/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES


def held_bytes(driver: Driver) -> int:
    """All that hangs on this driver alone."""
    seen: set[int] = set()
    waiting: list[object] = [vars(driver)]
    total = 0
    while waiting:
        thing = waiting.pop()
        if id(thing) not in seen and not isinstance(thing, NOT_THE_DRIVERS):
            seen.add(id(thing))
            total += sys.getsizeof(thing)
            waiting += gc.get_referents(thing)
    return total


def again(driver_id: str, found: Failure) -> list[Step]:
    """The steps that led to it."""
    if " short " in found.life:
        return list(story(driver_id, found.life))[: found.step + 1]
    return list(islice(Feed(driver_id, found.life).steps(), found.step + 1))
