"""Rows of the store and records of the wire, told as the interface's types: dated, and with strangers' text cleaned."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Literal, cast

from centre import rows
from centre.mapping import Mapping, Moment
from centre.pace import Row
from centre.web import models
from centre.web.plain import plain
from wire import records
from wire.grades import grade
from wire.records import MarkAt

DIGITS_LIMIT_CHARS = 30


def when(t: int, mapping: Mapping) -> models.When:
    """What is known about UTC at `t`."""
    return models.When(t=t, **mapping.at(t)._asdict())


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
        error=row.error,
        grade=grade(row.error),
        source=plain(row.source),
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


def wave(row: rows.Samples, mapping: Mapping) -> models.WaveRun:
    return models.WaveRun(
        **when(row.t, mapping).model_dump(),
        epoch=row.epoch,
        stream=row.stream,
        first=row.first,
        samples=row.values.tolist(),
        marks=[mark(m) for m in row.marks],
    )


def paced(now: int, stream: rows.Stream, row: Row | None) -> models.PaceNow:
    """The rate of a wave by its longest row of samples; None: nothing has come."""
    said = None if row is None or not row.corners else row.pace(stream.rate)
    period = None if row is None else row.measured(stream.rate)
    return models.PaceNow(
        now=now,
        epoch=stream.epoch,
        stream=stream.stream,
        nominal=ratio(stream.rate),
        measured=None if period is None else float(1_000_000 / period),
        ppm=None if period is None else round(float((1_000_000 / period / stream.rate - 1) * 1_000_000), 3),
        index=said.index if said else None,
        t=said.t if said else None,
        samples=0 if row is None or row.first is None or row.last is None else row.last[0] - row.first[0],
    )


def mark(row: MarkAt) -> models.MarkedSamples:
    return models.MarkedSamples(at=row.at, kind=plain(row.kind), count=row.count)


def measured(said: rows.Taken, known: Moment) -> models.Measured:
    words = said.iso or f"{said.ticks} ticks of {said.hertz} Hz"
    return models.Measured(said=plain(words), **known._asdict())


def reading(row: rows.Reading, mapping: Mapping, known: Moment | None = None) -> models.NumericAt:
    """`known`: when it was taken, where its device's clock was looked at; without, it is not after it was told."""
    moment = known or Moment(None, None, None, mapping.at(row.t).latest, "X")
    return models.NumericAt(
        **when(row.t, mapping).model_dump(),
        taken=None if row.taken is None else measured(row.taken, moment),
        epoch=row.epoch,
        stream=row.stream,
        value=None if row.value is None else digits(row.value),
        why=plain(row.why),
    )


def notice(row: rows.Notice, mapping: Mapping) -> models.NoticeAt:
    return models.NoticeAt(
        **when(row.t, mapping).model_dump(),
        epoch=row.epoch,
        session=row.session,
        kind=plain(row.kind),
        code=plain(row.code),
        phase=plain(row.phase),
        text=plain(row.text),
        channel=plain(row.channel),
        priority=plain(row.priority),
    )


def gap(row: rows.Gap, mapping: Mapping) -> models.DeclaredGap:
    return models.DeclaredGap(
        **when(row.t, mapping).model_dump(),
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
    taken = rows.Taken(record.iso, record.ticks, Fraction(*record.hertz)) if record.is_dated else None
    return rows.Reading(epoch=epoch, stream=record.stream, t=record.t, value=value, why=record.why, taken=taken)


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


def ratio(value: Fraction) -> tuple[int, int]:
    return (value.numerator, value.denominator)


def digits(value: Decimal) -> str:
    """Plain digits, none added and none taken: 36.80 stays 36.80, 1E+2 is said as 100, 1E+999999 stays as it is."""
    if value.is_finite() and abs(value.adjusted()) <= DIGITS_LIMIT_CHARS:
        return plain(format(value, "f"))
    return plain(str(value))
