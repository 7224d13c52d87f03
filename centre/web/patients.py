"""Patients at a bed, as the interface tells them, and who asks for one patient's data only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field

from centre import rows
from centre.mapping import Mapping
from centre.web import models, telling
from centre.web.plain import plain
from centre.whose import Chart

Status = Literal["unvalidated", "validated", "conflict", "corrected", "wrong"]
PatientAsked = Annotated[
    str,
    Query(
        pattern="^p-[a-z2-7]{16}$",
        description="Pseudonym: only what is this patient's. What was withdrawn from it (`wrong`) never is",
    ),
]
StatusAsked = Annotated[
    list[Status],
    Query(description="Only what has one of these; default with `patient`: validated and corrected, else all"),
]


class PatientSpan(models.Answer):
    """Whose the data are, from `since` until before `until`; spans overlap nowhere."""

    since_epoch: models.Epoch
    since: models.When = Field(description="The first moment that is")
    until_epoch: int | None = Field(description="Of the first moment that is not; null: it goes on")
    until: models.When | None = Field(description="Null: it goes on")
    pseudonym: str = Field(description="Empty where nobody is bound")
    status: str = Field(description="unvalidated, validated, conflict, corrected or wrong: then it is not this patient")
    method: str = Field(description="none, location, scan, adt or device: who had said so before a person confirmed it")
    performer: str = Field(description="Who confirmed it")
    bed: str = Field(description="As the gateway calls it")
    ended: str = Field(description="Why it ended, in a word of docs/formats.md; empty while it goes on")


class Patients(models.Answer):
    """All of a bed, by time."""

    now: models.Now
    gateway: str = Field(description="Gateway id")
    patients: list[PatientSpan] = Field(description="In the order of time")


def span(row: rows.Association, mapping: Callable[[int], Mapping]) -> PatientSpan:
    """`mapping` dates an epoch."""
    until = row.until
    return PatientSpan(
        since_epoch=row.since[0],
        since=telling.when(row.since[1], mapping(row.since[0])),
        until_epoch=None if until is None else until[0],
        until=None if until is None else telling.when(until[1], mapping(until[0])),
        pseudonym=plain(row.pseudonym),
        status=plain(row.status),
        method=plain(row.method),
        performer=plain(row.performer),
        bed=plain(row.bed),
        ended=plain(row.ended),
    )


class Asked:
    """Lets through what is asked for: a patient, statuses, or everything."""

    def __init__(self, said: Callable[[], list[rows.Association]], patient: str, statuses: list[Status]) -> None:
        self._patient, self._statuses = patient, statuses
        self._chart = Chart(said()) if patient or statuses else None

    def __call__(self, epoch: int, *times: int) -> bool:
        """Whether all of these moments are asked for."""
        chart = self._chart
        return chart is None or all(chart.has((epoch, t), self._patient, self._statuses) for t in times)
