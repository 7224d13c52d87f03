"""Rows of the store and records of the wire, told as the interface's types: dated, and with strangers' text cleaned."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Literal, cast

from centre import rows, timeline
from centre.web import models
from centre.web.plain import plain
from wire import records
from wire.records import MarkAt

Anchors = Sequence[rows.Anchored]
DIGITS_LIMIT_CHARS = 30
NEAR_LIMIT_ANCHORS = 8


def when(t: int, anchors: Anchors) -> models.When:
    """What is known about UTC at `t`; nothing without an anchor of its epoch. `anchors` are in the order of `t`."""
    found = timeline.utc_of(t, near(t, anchors))
    if found is None:
        return models.When(t=t, utc=None, error=None, grade="X")
    utc, error = found
    return models.When(t=t, utc=utc, error=error, grade=cast(models.Grade, timeline.grade(error)))


def near(t: int, anchors: Anchors) -> Anchors:
    """The anchors that date `t` best, so that dating thousands of rows does not read all anchors for each."""
    at = bisect_right(anchors, t, key=lambda anchor: anchor.t)
    return anchors[max(0, at - NEAR_LIMIT_ANCHORS) : at + NEAR_LIMIT_ANCHORS]


def in_order(anchors: Iterable[rows.Anchored]) -> list[rows.Anchored]:
    """By `t`; those that know their error, or all where none does."""
    known = sorted(anchors, key=lambda anchor: anchor.t)
    return [anchor for anchor in known if anchor.error is not None] or known


def bed(row: rows.Bed) -> models.BedNow:
    return models.BedNow(
        site=plain(row.site),
        gateway=row.gateway,
        bed=plain(row.bed),
        online=row.online,
        heard=row.heard_utc,
        epoch=row.epoch,
        method=plain(row.method),
        status=plain(row.status),
        pseudonym=plain(row.pseudonym),
        missing=row.missing,
        lost=row.lost,
        duplicates=row.duplicates,
        unproven=row.unproven,
        refuted=row.refuted,
        conflicts=row.conflicts,
        rooms=[room(one) for one in row.rooms],
    )


def room(row: rows.Room) -> models.RoomNow:
    word = cast(Literal["key", "vital", "wave"], row.word)
    return models.RoomNow(word=word, utc=row.utc, waiting=row.waiting, seconds=row.seconds)


def stream(row: rows.Stream) -> models.StreamNow:
    return models.StreamNow(
        stream=row.stream,
        session=row.session,
        channel=plain(row.channel),
        mdc=row.mdc,
        unit=plain(row.unit),
        rate=ratio(row.rate),
        gain=ratio(row.gain),
        offset=ratio(row.offset),
        bits=row.bits,
        filter=plain(row.filter),
        driver=plain(row.driver),
        integrity=plain(row.integrity),
        maker=plain(row.maker),
        model=plain(row.model),
        serial=plain(row.serial),
        port=plain(row.port),
    )


def wave(row: rows.Samples, anchors: Anchors) -> models.WaveRun:
    return models.WaveRun(
        **when(row.t, anchors).model_dump(),
        epoch=row.epoch,
        stream=row.stream,
        first=row.first,
        samples=row.values.tolist(),
        marks=[mark(m) for m in row.marks],
    )


def mark(row: MarkAt) -> models.MarkedSamples:
    return models.MarkedSamples(at=row.at, kind=plain(row.kind), count=row.count)


def reading(row: rows.Reading, anchors: Anchors) -> models.NumericAt:
    return models.NumericAt(
        **when(row.t, anchors).model_dump(),
        epoch=row.epoch,
        stream=row.stream,
        value=None if row.value is None else digits(row.value),
        why=plain(row.why),
    )


def notice(row: rows.Notice, anchors: Anchors) -> models.NoticeAt:
    return models.NoticeAt(
        **when(row.t, anchors).model_dump(),
        epoch=row.epoch,
        session=row.session,
        kind=plain(row.kind),
        code=plain(row.code),
        phase=plain(row.phase),
        text=plain(row.text),
        channel=plain(row.channel),
        priority=plain(row.priority),
    )


def gap(row: rows.Gap, anchors: Anchors) -> models.DeclaredGap:
    return models.DeclaredGap(
        **when(row.t, anchors).model_dump(),
        stream=row.stream,
        first=row.first,
        count=row.count,
        cause=plain(row.cause),
    )


def hole(record: records.StreamGap) -> models.Hole:
    last = None if record.count is None else record.first + record.count
    return models.Hole(stream=record.stream, first=record.first, last=last, cause=plain(record.cause))


def reading_of(record: records.NumericAt, epoch: int) -> rows.Reading:
    value = None if record.value is None else Decimal(record.value)
    return rows.Reading(epoch=epoch, stream=record.stream, t=record.t, value=value, why=record.why)


def notice_of(record: records.Record, epoch: int) -> rows.Notice | None:
    """The record as a notice; None for records that are none."""
    match record:
        case records.AlarmAt():
            said = ("alarm", record.code, record.phase, record.text, record.channel, record.priority)
        case records.StatusAt():
            said = ("status", record.code, record.phase, record.text, record.channel, "")
        case records.SessionAt():
            said = ("session", "", record.phase, record.reason, "", "")
        case _:
            return None
    kind, code, phase, text, channel, priority = said
    return rows.Notice(epoch, record.session, record.t, kind, code, phase, text, channel, priority)


def anchor_of(record: records.Anchor, epoch: int) -> rows.Anchored:
    return rows.Anchored(epoch=epoch, t=record.t, utc=record.utc, error=record.error, source=record.source)


def ratio(value: Fraction) -> tuple[int, int]:
    return (value.numerator, value.denominator)


def digits(value: Decimal) -> str:
    """Plain digits, none added and none taken: 36.80 stays 36.80, 1E+2 is said as 100, 1E+999999 stays as it is."""
    if value.is_finite() and abs(value.adjusted()) <= DIGITS_LIMIT_CHARS:
        return plain(format(value, "f"))
    return plain(str(value))
