"""Ten seconds of twelve leads: `/api/beds/{gateway}/ecg` for the page, `/export/ecg12.pdf` for paper, true to scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple, cast

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from centre import ecg, placing, rows
from centre.ecg import Lead, Part, Run, Sheet
from centre.web import covering, drawing
from centre.web.api import PROBLEMS, GatewayPath, NotThereError, bed_of
from centre.web.drawing import Window
from centre.web.epochs import Dated, within
from centre.web.history import Drawn
from centre.web.models import Answer, Epoch, Gateway, Grade, Now, Version
from centre.web.plain import plain
from centre.web.sources import Store
from wire.grades import grade

SPAN_US = ecg.SECONDS * 1_000_000
_UTC_LIMIT = 2**53 - 1
_SAMPLES_LIMIT = 2_000_000  # of a lead: ten seconds at 32 kHz and the blocks around them
PDF = "application/pdf"
At = Annotated[int, Query(ge=0, le=_UTC_LIMIT, description="UTC of the left edge, microseconds since 1970")]


class RunSaid(Answer):
    """Samples that follow each other."""

    at: float = Field(description="When the first was there, microseconds after the left edge")
    step: float = Field(description="Microseconds from one to the next, by the device's rate")
    values: list[float] = Field(description="Millivolts: the device's integers by its own scale")


class PartSaid(Answer):
    """Something about a part of the ten seconds."""

    begin: float = Field(description="Microseconds after the left edge")
    end: float = Field(description="Microseconds after the left edge")
    words: str = Field(description="Cause of a hole, or kind of a mark")


class LeadSaid(Answer):
    """A lead, as the device sent it; none is derived."""

    name: str = Field(description="I, II, III, aVR, aVL, aVF, V1 to V6")
    sent: bool = Field(description="False: the device did not send it, and it stays empty")
    centre: float = Field(description="Millivolts at the middle of its strip")
    runs: list[RunSaid] = Field(description="In the order of time")
    holes: list[PartSaid] = Field(description="What is missing, with its cause")
    marks: list[PartSaid] = Field(description="What the device says about samples: pace, beat, lead-off ...")


class Ecg(Answer):
    """Ten seconds of twelve leads of one device."""

    now: Now
    gateway: Gateway
    epoch: Epoch
    mapping: Version
    first: int = Field(description="UTC of the left edge, microseconds since 1970")
    error: int = Field(description="Bound of its error, microseconds")
    grade: Grade
    patient: str = Field(description="Who was bound then, as the gateway said it")
    bed: str = Field(description="Site, bed and gateway")
    device: str = Field(description="Which device, as it says")
    band: str = Field(description="What is to be said of the device's filters")
    leads: list[LeadSaid] = Field(description="Always twelve, in their order")


class _Found(NamedTuple):
    """What the store has of these ten seconds."""

    one: Dated
    dated: drawing.Dated
    device: rows.Stream
    leads: list[Lead]
    bound: list[tuple[str, str, str, str]]


class Ecg12:
    """Two paths. `now` is the centre's clock in microseconds since 1970."""

    def __init__(self, store: Store, now: Callable[[], int]) -> None:
        self._store = store
        self._outlines = cast(Drawn, store).outlines
        self._now = now

    def router(self) -> APIRouter:
        router = APIRouter(responses=PROBLEMS)
        bed = "/api/beds/{gateway}"
        router.add_api_route(f"{bed}/ecg", self.ecg, summary="Ten seconds of twelve leads")
        paper: dict[int | str, dict[str, Any]] = {200: {"content": {PDF: {}}, "description": "A4, 25 mm/s, 10 mm/mV"}}
        summary = "The same as a PDF, true to scale"
        router.add_api_route(
            f"{bed}/export/ecg12.pdf", self.pdf, summary=summary, response_class=Response, responses=paper
        )
        return router

    def ecg(self, gateway: GatewayPath, at: At) -> Ecg:
        """As the device sent them; a lead that it did not send is empty. Epochs without a clock have no such time."""
        bed, found = bed_of(self._store, gateway), self._found(gateway, at)
        return Ecg(
            now=self._now(),
            gateway=gateway,
            epoch=found.one.epoch,
            mapping=found.one.mapping.version,
            first=at,
            error=found.dated.error,
            grade=grade(found.dated.error),
            patient=_patient(found.bound),
            bed=_place(bed, found.bound),
            device=_device(found.device),
            band=ecg.band({name for lead in found.leads if lead.is_sent for name in lead.filters}),
            leads=[_said(lead) for lead in found.leads],
        )

    def pdf(self, gateway: GatewayPath, at: At) -> Response:
        """One page, A4 landscape: print it at 100 %."""
        from centre import sheet  # noqa: PLC0415 - the library takes memory that a centre without prints need not have

        bed, found = bed_of(self._store, gateway), self._found(gateway, at)
        error = found.dated.error
        said = Sheet(
            leads=found.leads,
            patient=_patient(found.bound),
            bed=_place(bed, found.bound),
            when=f"{_when(at)} UTC, ten seconds from here",
            error=f"time grade {grade(error)}: within {error / 1000:.0f} ms · epoch {found.one.epoch} · mapping "
            f"{found.one.mapping.version}",
            device=_device(found.device),
            printed=f"printed {_when(self._now())} UTC",
        )
        name = f"ecg12-{gateway}-{at}.pdf"
        return Response(
            sheet.pdf(said), media_type=PDF, headers={"Content-Disposition": f'attachment; filename="{name}"'}
        )

    def _found(self, gateway: str, at: int) -> _Found:
        """Of the device with the most leads then: leads of two devices never make one ECG."""
        window = Window(at, at + SPAN_US, 1)
        best: _Found | None = None
        for one in within(self._store, gateway, window)[0]:
            if not one.is_dated:
                continue
            span = tuple(placing.t_of(one.mapping, utc, one.first, one.last) for utc in (window.first, window.last))
            seen = drawing.Seen(self._outlines, (gateway, one.epoch), (span[0], span[1]), 0)
            for streams in self._devices(gateway, one.epoch):
                leads = self._leads(gateway, one, seen, streams, window)
                if best is None or _sent(leads) > _sent(best.leads):
                    bound = self._outlines.bound(gateway, one.epoch, *span)
                    best = _Found(one, drawing.dated(one.mapping, *span), streams[0], leads, bound)
        if best is None or not _sent(best.leads):
            raise NotThereError(f"{gateway} has no dated ECG at that time", f"see /api/beds/{gateway}/history")
        return best

    def _devices(self, gateway: str, epoch: int) -> list[list[rows.Stream]]:
        """ECG streams by session."""
        found: dict[int, list[rows.Stream]] = {}
        for row in sorted(self._store.streams(gateway, epoch), key=lambda row: row.stream):
            if row.channel.startswith("ecg.") and row.rate > 0 and row.unit in ecg.MILLIVOLTS:
                found.setdefault(row.session, []).append(row)
        return list(found.values())

    def _leads(
        self, gateway: str, one: Dated, seen: drawing.Seen, streams: Sequence[rows.Stream], window: Window
    ) -> list[Lead]:
        leads = [Lead(name) for name in ecg.LEADS]
        by_channel = {ecg.channel(lead.name): lead for lead in leads}
        gaps = self._store.gaps(gateway, one.epoch)
        for row in streams:
            lead = by_channel.get(row.channel)
            if lead is None:
                continue
            mine = sorted((gap for gap in gaps if gap.stream == row.stream), key=lambda gap: gap.first)
            end = self._store.last_index(gateway, one.epoch, row.stream) or 0
            before: drawing.Dated | None = None
            for part in seen.parts(row, end, mine):
                times = drawing.dated(one.mapping, part.begun, part.ended)
                if before is not None:
                    cause = drawing.cause_between(mine, part.first)
                    lead.holes.append(Part(before.ended - window.first, times.begun - window.first, cause))
                self._enter(lead, gateway, row, part, mine, times.begun - window.first)
                lead.filters.add(plain(row.filter))
                before = times
        for lead in leads:
            ecg.say_what_is_missing(lead, SPAN_US)
        return leads

    def _enter(
        self, lead: Lead, gateway: str, row: rows.Stream, part: placing.Stretch, gaps: Sequence[rows.Gap], left_us: int
    ) -> None:
        """Samples of a stretch by count and the device's rate from its first on, `left_us` after the left edge."""
        step = float(1_000_000 / row.rate)
        found = self._store.samples(gateway, row.epoch, row.stream, part.first, part.last, _SAMPLES_LIMIT)
        runs, holes = covering.cover(found, gaps, row.rate, part.first, part.last)
        gain, offset = float(row.gain) * ecg.MILLIVOLTS[row.unit], float(row.offset)

        def at(index: int) -> float:
            return left_us + (index - part.first) * step

        following = -1
        for run in runs:
            values = tuple(((run.values - offset) * gain).tolist())
            if run.first == following:
                before = lead.runs.pop()
                lead.runs.append(Run(before.at_us, step, before.values + values))
            else:
                lead.runs.append(Run(at(run.first), step, values))
            following = run.first + len(values)
            lead.marks += [
                Part(at(run.first + mark.at), at(run.first + mark.at + mark.count), plain(mark.kind))
                for mark in run.marks
            ]
        lead.holes += [Part(at(hole.first), at(hole.last), plain(hole.cause)) for hole in holes]


def _sent(leads: Sequence[Lead]) -> int:
    return sum(bool(lead.runs) for lead in leads)


def _said(lead: Lead) -> LeadSaid:
    return LeadSaid(
        name=lead.name,
        sent=lead.is_sent,
        centre=lead.centre,
        runs=[RunSaid(at=run.at_us, step=run.step_us, values=list(run.values)) for run in lead.runs],
        holes=[PartSaid(begin=part.begin_us, end=part.end_us, words=part.words) for part in lead.holes],
        marks=[PartSaid(begin=part.begin_us, end=part.end_us, words=part.words) for part in lead.marks],
    )


def _patient(bound: Sequence[tuple[str, str, str, str]]) -> str:
    """Never a guess: who was bound then, or that nobody was, or that it changed."""
    if len({one[2] for one in bound}) > 1:
        return "patient: the binding changed within these ten seconds"
    if not bound or not bound[-1][2]:
        return "patient: nobody was bound, as far as the gateway had said"
    method, status, pseudonym, _ = bound[-1]
    return f"patient {plain(pseudonym)} · bound by {plain(method)}, {plain(status)}"


def _place(bed: rows.Bed, bound: Sequence[tuple[str, str, str, str]]) -> str:
    name = (bound[-1][3] if bound else "") or bed.bed or "bed not named"
    return f"{plain(name)} · {plain(bed.site)} · gateway {bed.gateway}"


def _device(row: rows.Stream) -> str:
    named = " ".join(filter(None, (row.maker, row.model))) or "device did not say its name"
    serial = f", serial {row.serial}" if row.serial else ""
    return plain(f"{named}{serial} · {float(row.rate):g} samples/s · driver {row.driver}")


def _when(utc: int) -> str:
    return f"{datetime.fromtimestamp(utc / 1_000_000, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]
