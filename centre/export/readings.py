"""Readings and notices of a sitting, page by page, dated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

from centre import rows
from centre.export.archive import Archive
from centre.export.plan import RefusedError, Sitting
from centre.mapping import Moment

PAGE_ROWS = 5000


class Told(NamedTuple):
    """A reading, its stream, when it was told, and when it was taken where its device says so."""

    reading: rows.Reading
    stream: rows.Stream
    at: Moment
    taken: Moment | None


class _Timed(Protocol):
    @property
    def t(self) -> int: ...


T = TypeVar("T", bound=_Timed)


def readings(archive: Archive, sitting: Sitting) -> Iterator[Told]:
    """By t."""
    known = {s.stream: s for s in sitting.streams}
    clocks = archive.clocks(sitting.epoch, sitting.mapping)
    for page in _pages(lambda t: archive.readings(sitting.epoch, t, PAGE_ROWS), sitting):
        own = [r for r in page if r.stream in known]
        for reading, taken in zip(own, clocks.times(own), strict=True):
            yield Told(
                reading, known[reading.stream], sitting.mapping.at(reading.t), taken or _before(reading, sitting)
            )


def _before(reading: rows.Reading, sitting: Sitting) -> Moment | None:
    """Of what comes from a memory: not after it was told; of what is of now nothing besides."""
    if reading.taken is None:
        return None
    return Moment(None, None, None, sitting.mapping.at(reading.t).latest, "X")


def notices(archive: Archive, sitting: Sitting) -> Iterator[tuple[rows.Notice, Moment]]:
    """By t."""
    for page in _pages(lambda t: archive.notices(sitting.epoch, t, PAGE_ROWS), sitting):
        yield from ((n, sitting.mapping.at(n.t)) for n in page if n.session == sitting.session)


def _pages(ask: Callable[[int], Sequence[T]], sitting: Sitting) -> Iterator[list[T]]:
    """What is within the sitting, each row once: a full page is told up to its last t, which the next begins with."""
    t = sitting.first_t
    while t < sitting.last_t:
        page = ask(t)
        is_last = len(page) < PAGE_ROWS
        end = sitting.last_t if is_last else min(page[-1].t, sitting.last_t)
        if end <= t:
            raise RefusedError(f"more than {PAGE_ROWS} rows at one instant", "ask for another time")
        yield [one for one in page if one.t < end]
        t = sitting.last_t if is_last else end
