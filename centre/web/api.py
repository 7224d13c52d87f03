"""The JSON interface: what is stored, as sent, with what is missing said as plainly as what is there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache, partial
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import PlainTextResponse
from pydantic import StringConstraints

from centre import fhir, rows
from centre.access import rights
from centre.boots import mapping_of
from centre.mapping import Mapping
from centre.pace import longest
from centre.web import covering, models, past, telling
from centre.web.patients import Asked, PatientAsked, Patients, Status, StatusAsked, span
from centre.web.plain import plain
from centre.web.sources import Counted, Store
from centre.web.taken import Clocks
from centre.whose import Chart

SAMPLES_LIMIT = 200_000  # of one answer
RANGES_LIMIT = 64
ROWS_LIMIT = 5_000
DEFAULT_RANGE_SECONDS = 10
PACE_SPAN_US = 86_400_000_000
_INDEX_LIMIT = 2**53 - 1  # what a JSON number holds exactly
_BLOCK_LIMIT_SAMPLES = 100_000  # a range may begin and end within blocks that the store reads whole

GatewayPath = Annotated[str, Path(pattern="^[a-z0-9-]{1,24}$", description="Gateway id")]
Count = Annotated[int, Query(ge=0, le=_INDEX_LIMIT)]
EpochAsked = Annotated[int | None, Query(ge=0, le=_INDEX_LIMIT, description="Default: the newest with a catalogue")]
SinceAsked = Annotated[
    int | None,
    Query(ge=0, le=_INDEX_LIMIT, description="From this `t` of the epoch on, the first `limit`; else the newest"),
]
LimitAsked = Annotated[int, Query(ge=1, le=ROWS_LIMIT, description="At most so many rows")]
RangeAsked = Annotated[str, StringConstraints(pattern=r"^\d{1,15}\.\d{1,15}\.\d{1,15}$")]  # stream.first.last
PROBLEMS: dict[int | str, dict[str, Any]] = {
    404: {"model": models.Problem, "description": "There is no such bed, epoch or stream"},
    503: {"model": models.Problem, "description": "The store does not answer"},
    422: {"model": models.Problem, "description": "The question cannot be read"},
}


class Around(NamedTuple):
    """What all ranges of an epoch share."""

    gaps: list[rows.Gap]
    mapping: Mapping
    asks: Asked


class NotThereError(Exception):
    """What was asked for is not stored. `hint` says where to look."""

    def __init__(self, error: str, hint: str) -> None:
        super().__init__(error)
        self.hint = hint


def bed_of(store: Store, gateway: str) -> rows.Bed:
    """Raises NotThereError."""
    if (bed := store.bed(gateway)) is None:
        raise NotThereError(f"no bed has the gateway {gateway}", "see /api/beds")
    return bed


class Interface:
    """One method per path. `now` is the centre's clock in microseconds since 1970."""

    def __init__(self, store: Store, now: Callable[[], int]) -> None:
        self._store = store
        self._now = now

    def router(self) -> APIRouter:
        router = APIRouter(responses=PROBLEMS)
        bed = "/api/beds/{gateway}"
        router.add_api_route("/api/beds", self.beds, summary="All beds")
        router.add_api_route(f"{bed}/streams", self.streams, summary="The catalogue of an epoch")
        router.add_api_route(f"{bed}/samples", self.samples, summary="A range of a wave")
        router.add_api_route(f"{bed}/ranges", self.ranges, summary="Ranges of several waves of an epoch")
        router.add_api_route(f"{bed}/pace", self.pace, summary="The measured rate of a wave")
        router.add_api_route(f"{bed}/numerics", self.numerics, summary="Readings")
        router.add_api_route(f"{bed}/patients", self.patients, summary="Whose the data are")
        router.add_api_route(f"{bed}/notices", self.notices, summary="Alarms and states, as said by the device")
        device = "The gateway as a FHIR Device, with the quality of its time"
        router.add_api_route(f"{bed}/device", self.device, summary=device, response_model_exclude_none=True)
        router.add_api_route(f"{bed}/ledger", self.ledger, summary="What came, twice, or not at all")
        router.add_api_route("/healthz", self.healthz, summary="Whether pages and store answer")
        router.add_api_route("/metrics", self.metrics, summary="Counters", response_class=PlainTextResponse)
        return router

    def beds(self, request: Request) -> models.Beds:
        """Every gateway this centre has heard of or waits for, of the sites of whoever asks."""
        beds = sorted(self._store.beds(), key=lambda b: (b.site, b.bed, b.gateway))
        person = request.scope.get("person")
        if person is not None:
            beds = [b for b in beds if rights.at(person, b.site)]
            beds = beds if rights.sees_patients(person) else [dataclasses.replace(b, pseudonym="") for b in beds]
        return models.Beds(now=self._now(), beds=[telling.bed(b) for b in beds])

    def streams(self, gateway: GatewayPath, epoch: EpochAsked = None) -> models.Streams:
        """What the integers and readings of an epoch mean, and which device said them."""
        bed_of(self._store, gateway)
        found = sorted(self._store.streams(gateway, epoch), key=lambda s: s.stream)
        return models.Streams(
            now=self._now(),
            gateway=gateway,
            epoch=found[0].epoch if found else epoch,
            epochs=sorted(self._store.epochs(gateway)),
            streams=[telling.stream(s) for s in found],
        )

    def samples(
        self,
        gateway: GatewayPath,
        stream: Annotated[int, Query(ge=0, le=_INDEX_LIMIT, description="Number of the stream")],
        epoch: EpochAsked = None,
        first: Annotated[Count | None, Query(description="First index; default: 10 s before `last`")] = None,
        last: Annotated[Count | None, Query(description="One past the last index; default: all there is")] = None,
        patient: PatientAsked = "",
        status: StatusAsked = [],  # noqa: B006  never changed
    ) -> models.WaveRange:
        """The device's integers of a wave, at most 200 000 a call, holes said with their cause."""
        row = self._wave(gateway, epoch, stream)
        around = self._around(gateway, row.epoch, patient, status)
        return self._range(gateway, row, around, first, last, SAMPLES_LIMIT)

    def ranges(
        self,
        gateway: GatewayPath,
        epoch: Annotated[int, Query(ge=0, le=_INDEX_LIMIT, description="Of all of them")],
        wanted: Annotated[list[RangeAsked], Query(alias="range", max_length=RANGES_LIMIT, description="Of each wave")],
        patient: PatientAsked = "",
        status: StatusAsked = [],  # noqa: B006  never changed
    ) -> past.WaveRanges:
        """As `/samples` says each; at most 200 000 samples in all, and what they share is read once."""
        here = {row.stream: row for row in self._store.streams(gateway, epoch) if row.rate > 0}
        around = self._around(gateway, epoch, patient, status)
        found: list[models.WaveRange] = []
        left = SAMPLES_LIMIT
        for one in wanted:
            stream, first, last = map(int, one.split("."))
            row = here.get(stream) or self._wave(gateway, epoch, stream)
            found.append(self._range(gateway, row, around, first, last, left))
            left -= found[-1].last - found[-1].first
        return past.WaveRanges(now=self._now(), waves=found)

    def _around(self, gateway: str, epoch: int, patient: str, status: list[Status]) -> Around:
        """Raises NotThereError."""
        bed_of(self._store, gateway)
        gaps = self._store.gaps(gateway, epoch)
        return Around(gaps, self._mapping(gateway, epoch), self._asked(gateway, patient, status))

    def _range(
        self, gateway: str, row: rows.Stream, around: Around, first: int | None, last: int | None, most: int
    ) -> models.WaveRange:
        stream, mapping = row.stream, around.mapping
        end = self._store.last_index(gateway, row.epoch, stream) or 0
        asked = end if last is None else min(last, end)
        begin = max(0, asked - int(row.rate * DEFAULT_RANGE_SECONDS)) if first is None else min(first, asked)
        stop = min(asked, begin + most)
        limit_samples = stop - begin + 2 * _BLOCK_LIMIT_SAMPLES
        found = self._store.samples(gateway, row.epoch, stream, begin, stop, limit_samples)
        gaps = [gap for gap in around.gaps if gap.stream == stream]
        runs, holes = covering.cover(found, gaps, row.rate, begin, stop)
        runs, others = covering.parted(runs, row.rate, around.asks)
        holes = sorted([*holes, *others], key=lambda hole: hole.first)
        return models.WaveRange(
            now=self._now(),
            mapping=mapping.version,
            wave=telling.stream(row),
            first=begin,
            last=stop,
            end=end,
            next=stop if stop < asked else None,
            runs=[telling.wave(run, mapping) for run in runs],
            holes=[models.Hole(stream=stream, first=h.first, last=h.last, cause=plain(h.cause)) for h in holes],
        )

    def pace(
        self,
        gateway: GatewayPath,
        stream: Annotated[int, Query(ge=0, le=_INDEX_LIMIT, description="Number of the stream")],
        epoch: EpochAsked = None,
    ) -> models.PaceNow:
        """The rate that the device states, and the one it has by our clock, of the newest day."""
        row = self._wave(gateway, epoch, stream)
        found = self._store.arrivals(gateway, row.epoch, stream, PACE_SPAN_US)
        return telling.paced(self._now(), row, longest(found))

    def numerics(
        self,
        gateway: GatewayPath,
        epoch: EpochAsked = None,
        since: SinceAsked = None,
        limit: LimitAsked = 1000,
        patient: PatientAsked = "",
        status: StatusAsked = [],  # noqa: B006  never changed
    ) -> models.Numerics:
        """Readings as the device said them; absent ones have a reason. Without `since` the newest of each stream."""
        asked = self._epoch(gateway, epoch)
        mapping = self._mapping(gateway, asked)
        found = self._store.readings(gateway, asked, since, limit)
        times = Clocks(self._store, gateway, asked, mapping).times(found)
        told = sorted(zip(found, times, strict=True), key=lambda pair: (pair[0].t, pair[0].stream))
        asks = self._asked(gateway, patient, status)
        said = [telling.reading(r, mapping, known) for r, known in told if asks(r.epoch, r.t)]
        return models.Numerics(now=self._now(), mapping=mapping.version, epoch=asked, numerics=said)

    def notices(
        self,
        gateway: GatewayPath,
        epoch: EpochAsked = None,
        since: SinceAsked = None,
        limit: LimitAsked = 1000,
        patient: PatientAsked = "",
        status: StatusAsked = [],  # noqa: B006  never changed
    ) -> models.Notices:
        """What the devices announced themselves. No notice does not mean no alarm."""
        asked = self._epoch(gateway, epoch)
        mapping = self._mapping(gateway, asked)
        found = sorted(self._store.notices(gateway, asked, since, limit), key=lambda n: n.t)
        asks = self._asked(gateway, patient, status)
        found = [notice for notice in found if asks(notice.epoch, notice.t)]
        return models.Notices(
            now=self._now(), mapping=mapping.version, epoch=asked, notices=[telling.notice(n, mapping) for n in found]
        )

    def patients(self, gateway: GatewayPath) -> Patients:
        """Who lay in this bed, by pseudonym, and how sure that is. What was corrected is as it was corrected."""
        bed_of(self._store, gateway)
        dated = cache(partial(self._mapping, gateway))
        spans = Chart(self._store.associations(gateway)).spans
        return Patients(now=self._now(), gateway=gateway, patients=[span(one, dated) for one in spans])

    def device(self, gateway: GatewayPath) -> fhir.Device:
        """FHIR R4 Device with MDC_TIME_SYNC_PROTOCOL and MDC_TIME_SYNC_ACCURACY, as HL7 PHD has it of a gateway."""
        bed = bed_of(self._store, gateway)
        return fhir.device(gateway, bed.source, bed.error)

    def ledger(self, gateway: GatewayPath, epoch: EpochAsked = None) -> models.Ledger:
        """Envelopes of all epochs, and the declared gaps of one."""
        bed = bed_of(self._store, gateway)
        asked = epoch if epoch is not None else next((s.epoch for s in self._store.streams(gateway)), None)
        mapping = Mapping([]) if asked is None else self._mapping(gateway, asked)
        gaps = [] if asked is None else sorted(self._store.gaps(gateway, asked), key=lambda g: g.t)
        return models.Ledger(
            now=self._now(),
            gateway=gateway,
            epoch=asked,
            mapping=None if asked is None else mapping.version,
            missing=bed.missing,
            lost=bed.lost,
            duplicates=bed.duplicates,
            unproven=bed.unproven,
            refuted=bed.refuted,
            conflicts=bed.conflicts,
            gaps=[telling.gap(g, mapping) for g in gaps],
        )

    def healthz(self) -> models.Health:
        """Reads the store, so that an answer means both work."""
        return models.Health(state="ok", beds=len(self._store.beds()))

    def metrics(self) -> PlainTextResponse:
        """Counters of the store and of the ledger, in the text format of Prometheus."""
        beds = self._store.beds()
        counts: dict[str, float] = {"beds": len(beds), "beds_online": sum(b.online for b in beds)}
        told = ("missing", "lost", "duplicates", "unproven", "refuted", "conflicts")
        counts |= {f"envelopes_{name}": sum(getattr(b, name) for b in beds) for name in told}
        if isinstance(self._store, Counted):
            counts |= {**self._store.counters(), **self._store.standing()}
        return PlainTextResponse("".join(f"wardlink_centre_{name} {value}\n" for name, value in sorted(counts.items())))

    def _asked(self, gateway: str, patient: str, statuses: list[Status]) -> Asked:
        return Asked(lambda: self._store.associations(gateway), patient, statuses)

    def _mapping(self, gateway: str, epoch: int) -> Mapping:
        return mapping_of(epoch, self._store.datings(gateway, epoch))

    def _epoch(self, gateway: str, epoch: int | None) -> int:
        bed_of(self._store, gateway)
        if epoch is not None:
            return epoch
        if not (streams := self._store.streams(gateway)):
            raise NotThereError(f"{gateway} has said no catalogue yet", "ask again once a device is connected")
        return streams[0].epoch

    def _wave(self, gateway: str, epoch: int | None, stream: int) -> rows.Stream:
        asked = self._epoch(gateway, epoch)
        for row in self._store.streams(gateway, asked):
            if row.stream == stream and row.rate > 0:
                return row
        raise NotThereError(f"epoch {asked} of {gateway} has no wave {stream}", f"see /api/beds/{gateway}/streams")
