"""What a wish names: strips of waves and sittings of readings, each of one device, one count and one person.

A strip is what one count of samples covers: streams of one device and one rate that the gateway counted together. A gap
of known size is a hole in it; a gap of unknown size, a new start of the gateway and another person at the bed end it.
So a format needs no guess: index i of all its streams is the same instant, and i + 1 the next one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from centre import rows
from centre.export.archive import Archive
from centre.export.segments import Segment, present, together
from centre.mapping import FLOOR_UTC_US, Mapping, Moment
from centre.pace import Pace
from centre.web.covering import Hole, causes

T_END = 1 << 52
SEGMENTS_LIMIT_COUNT = 100_000
PROVEN = ("validated", "corrected")


class RefusedError(Exception):
    """It cannot be exported so without a change or a guess; `hint` says what can."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Wish:
    """Of one gateway: from `begin` up to, not with, `end` (microseconds since 1970), or an `epoch` as a whole."""

    begin: int | None = None
    end: int | None = None
    epoch: int | None = None
    channels: frozenset[str] = frozenset()  # none: all


@dataclass(frozen=True, slots=True)
class Strip:
    """Samples `first` up to, not with, `last` of `streams`, which share one count and one rate."""

    site: str
    epoch: int
    part: int  # counts strips of the same first stream
    streams: tuple[rows.Stream, ...]
    bands: tuple[rows.Band, ...]
    bound: rows.Bound
    segments: tuple[Segment, ...]
    holes: tuple[tuple[int, Hole], ...]  # row, what is missing of it
    pace: Pace
    measured_hz: float | None
    mapping: Mapping = field(repr=False)

    @property
    def first(self) -> int:
        return self.segments[0].first

    @property
    def last(self) -> int:
        return self.segments[-1].last

    @property
    def gateway(self) -> str:
        return self.streams[0].gateway

    @property
    def name(self) -> str:
        """Unique within an export, and a name in every format."""
        return f"{self.gateway}-{self.epoch}-{self.streams[0].stream}-{self.part}"

    @property
    def is_whole(self) -> bool:
        """One segment with all streams: no hole."""
        return len(self.segments) == 1 and len(self.segments[0].rows) == len(self.streams)

    def index(self, t: int) -> int:
        """The sample of the strip that was taken at `t`, or next."""
        return min(max(_index(self.pace, t), self.first), self.last - 1)

    def moment(self, index: int) -> Moment:
        """What is known about when a sample was taken."""
        return self.mapping.at(self.pace.sample_t(index))


@dataclass(frozen=True, slots=True)
class Sitting:
    """Readings and notices of one device with one person: those with `first_t` <= t < `last_t`."""

    site: str
    epoch: int
    session: int
    streams: tuple[rows.Stream, ...]
    bound: rows.Bound
    first_t: int
    last_t: int
    mapping: Mapping = field(repr=False)

    @property
    def name(self) -> str:
        return f"{self.streams[0].gateway}-{self.epoch}-s{self.session}-{self.first_t}"


@dataclass(frozen=True, slots=True)
class Plan:
    """`undated` are epochs that may belong to the wish, but no clock vouches for their time: ask for them by number."""

    strips: tuple[Strip, ...]
    sittings: tuple[Sitting, ...]
    undated: tuple[int, ...] = ()


def patient(bound: rows.Bound) -> str:
    """The pseudonym where a person confirmed it, else nothing: nobody's name is ever guessed."""
    return bound.pseudonym if bound.status in PROVEN else ""


def plan(archive: Archive, wish: Wish) -> Plan:
    """Raises StoreError, RefusedError."""
    strips: list[Strip] = []
    sittings: list[Sitting] = []
    undated: list[int] = []
    for epoch in archive.epochs() if wish.epoch is None else [wish.epoch]:
        mapping = archive.mapping(epoch)
        if not mapping.is_anchored and (wish.begin is not None or wish.end is not None):
            if wish.epoch is not None:
                raise RefusedError(f"no clock vouches for the time of epoch {epoch}", "leave --from and --to out")
            undated += [epoch] if _may_hold(mapping, wish) else []
            continue
        span = _span(mapping, wish)
        if span[0] < span[1]:
            strips += _strips(archive, epoch, mapping, wish, span)
            sittings += _sittings(archive, epoch, mapping, wish, span)
    return Plan(tuple(strips), tuple(sittings), tuple(undated))


def _may_hold(mapping: Mapping, wish: Wish) -> bool:
    earliest, latest = mapping.at(0).earliest, mapping.at(T_END).latest
    before = wish.end is not None and earliest is not None and earliest >= wish.end
    return not before and not (wish.begin is not None and latest is not None and latest < wish.begin)


def _span(mapping: Mapping, wish: Wish) -> tuple[int, int]:
    """The t of an epoch that the wish names: from, up to."""

    def utc(t: int) -> int:
        return mapping.at(t).utc or FLOOR_UTC_US

    begin = 0 if wish.begin is None else bisect_left(range(T_END), wish.begin, key=utc)
    return begin, T_END if wish.end is None else bisect_left(range(T_END), wish.end, key=utc)


def _spells(bound: list[rows.Bound], span: tuple[int, int]) -> Iterator[tuple[rows.Bound, int, int]]:
    """Who was at the bed, with the t of `span` from and up to which. Another bed alone is not another person."""
    said: list[rows.Bound] = []
    for one in [rows.NOBODY, *bound]:
        if said and said[-1].person == one.person:
            said[-1] = replace(one, t=said[-1].t)
        else:
            said.append(one)
    for one, stop in zip(said, [*(other.t for other in said[1:]), T_END], strict=True):
        first, last = max(one.t, span[0]), min(stop, span[1])
        if first < last:
            yield one, first, last


def _strips(archive: Archive, epoch: int, mapping: Mapping, wish: Wish, span: tuple[int, int]) -> Iterator[Strip]:
    waves = [s for s in _wanted(archive, epoch, wish) if s.rate > 0]
    bands = archive.bands(epoch)
    cuts = {s.stream: tuple(archive.cuts(epoch, s.stream)) for s in waves}
    spells = list(_spells(archive.bound(epoch), span))
    for streams in together(waves, bands, cuts):
        numbers = {s.stream for s in streams}
        own = tuple(b for b in bands if numbers & set(range(b.stream, b.stream + b.rows)))
        runs = {band: list(present(archive.came(epoch, band))) for band in own}
        count = 0
        starts = [0, *cuts[streams[0].stream], T_END]
        for number, row in sorted(archive.parts(epoch, streams[0].stream).items()):
            pace, measured = row.pace(streams[0].rate), row.measured(streams[0].rate)
            for bound, begin, end in spells:
                limits = max(starts[number], _index(pace, begin)), min(starts[number + 1], _index(pace, end))
                segments = Segment.cover(streams, runs, limits)
                if len(segments) > SEGMENTS_LIMIT_COUNT:
                    raise RefusedError(f"{len(segments)} segments", "ask for a shorter time")
                if segments:
                    holes = tuple(_holes(archive, epoch, streams, segments))
                    hertz = None if measured is None else float(1_000_000 / measured)
                    yield Strip(archive.site, epoch, count, streams, own, bound, segments, holes, pace, hertz, mapping)
                    count += 1


def _index(pace: Pace, t: int) -> int:
    """The first sample that was not taken before `t`."""
    return max(0, pace.index - int((pace.t - t) // pace.period_us))


def _holes(
    archive: Archive, epoch: int, streams: tuple[rows.Stream, ...], segments: tuple[Segment, ...]
) -> Iterator[tuple[int, Hole]]:
    for row, stream in enumerate(streams):
        gaps = archive.gaps(epoch, stream.stream)
        at = segments[0].first
        for segment in segments:
            if row in segment.rows:
                yield from ((row, hole) for hole in causes(at, segment.first, gaps))
                at = segment.last
        yield from ((row, hole) for hole in causes(at, segments[-1].last, gaps))


def _sittings(archive: Archive, epoch: int, mapping: Mapping, wish: Wish, span: tuple[int, int]) -> Iterator[Sitting]:
    found = _wanted(archive, epoch, wish)
    for session in sorted({s.session for s in found}):
        streams = tuple(s for s in found if s.session == session)
        for bound, begin, end in _spells(archive.bound(epoch), span):
            yield Sitting(archive.site, epoch, session, streams, bound, begin, end, mapping)


def _wanted(archive: Archive, epoch: int, wish: Wish) -> list[rows.Stream]:
    return [s for s in archive.streams(epoch) if not wish.channels or s.channel in wish.channels]
