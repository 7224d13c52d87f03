"""What the fuzzer starts from: the captures, cut where the driver itself found a frame to end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

from drivers import capture, registry
from drivers.contract import Ble, Driver, Subscribe

ROOT = Path(__file__).parents[2]
CAPTURES = ROOT / "tests" / "captures"


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes up to the end of a frame. `sizes`: how they came, where they are notifications; `wait` ns before them."""

    data: bytes
    source: str
    sizes: tuple[int, ...]
    wait: int
    frames: int


@dataclass(frozen=True, slots=True)
class Corpus:
    """One driver's captures. `runs`: the segments of each, in order."""

    driver_id: str
    runs: tuple[tuple[Segment, ...], ...]
    marks: tuple[str, ...]  # what hosts had of a device's memory

    @property
    def segments(self) -> list[Segment]:
        return [segment for run in self.runs for segment in run]

    @property
    def is_stream(self) -> bool:
        """Whether its bytes may come in any pieces; of a radio alone they come as notifications."""
        claims = registry.driver(self.driver_id).info.claims
        return any(not one.source for one in self.segments) or not all(isinstance(claim, Ble) for claim in claims)

    @property
    def sources(self) -> list[str]:
        """The characteristics of the captures, and those that the driver subscribes to."""
        opened = registry.driver(self.driver_id)().on_open(0)
        wanted = {output.characteristic for output in opened if isinstance(output, Subscribe)}
        return sorted({*wanted, *(segment.source for segment in self.segments)})


@cache
def of(driver_id: str) -> Corpus:
    stories = [capture.parse(path.read_text(encoding="utf-8")) for path in sorted((CAPTURES / driver_id).glob("*.cap"))]
    kind = registry.driver(driver_id)
    runs = tuple(tuple(segments(kind(), story)) for story in stories)
    return Corpus(driver_id, runs, tuple(sorted({"", *(story.header.get("reached", "") for story in stories)})))


def segments(driver: Driver, story: capture.Capture) -> Iterator[Segment]:
    driver.reached = story.header.get("reached", "")
    list(driver.on_open(0))
    last = 0
    for source, group in groupby(story.notified(), key=lambda one: one[2]):
        held, sizes, frames, began = bytearray(), [], driver.counts.frames, None
        for at, piece in pieces(group):
            began = at if began is None else began
            while driver.wake_at is not None and driver.wake_at < at:
                list(driver.on_time(driver.wake_at + 1))
            list(driver.on_bytes(piece, at, source))
            held += piece
            sizes.append(len(piece))
            if driver.counts.frames > frames:
                yield Segment(bytes(held), source, tuple(sizes), max(0, began - last), driver.counts.frames - frames)
                held, sizes, frames, last, began = bytearray(), [], driver.counts.frames, at, None
        if held:
            yield Segment(bytes(held), source, tuple(sizes), 0, 0)


def pieces(group: Iterator[tuple[int, bytes, str]]) -> Iterator[tuple[int, bytes]]:
    """A stream byte by byte; a notification is one piece by its nature."""
    for at, data, source in group:
        if source:
            yield at, data
        else:
            yield from ((at, data[k : k + 1]) for k in range(len(data)))
