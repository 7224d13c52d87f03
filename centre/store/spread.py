"""Spreads what an envelope carried over the tables: pure, one row per record or block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Table

from centre.ledger import SEQ_LAST
from centre.store import schema
from centre.store.entry import Entry
from wire import records
from wire.records import Block, Record
from wire.statement import Ended, Grant

STRETCH_US = 900_000_000  # of arrivals that are kept as one
Row = dict[str, Any]
Spread = Iterator[tuple[Table, Row]]


def spread(gw: int, entry: Entry) -> Spread:
    """(table, row) of all that the entry brought; rows of SESSION, STREAM, ROOM and AUDIT replace older ones,
    those of ARRIVED are joined."""
    at = {"gw": gw, "epoch": entry.header.epoch}
    for item, record in enumerate(entry.records):
        yield from _record(at, entry.received, entry.header.seq, item, record)
    for item, block in enumerate(entry.blocks):
        yield schema.BLOCK, {**at, "seq": entry.header.seq, "item": item, **_block(block)}
    yield from _arrived(at, entry)
    if entry.said is not None:
        grants = isinstance(entry.said, Grant)
        said = {"seq": entry.header.seq, "hour": entry.header.hour, "grants": grants, "data": entry.data}
        yield schema.STATEMENT, {**at, **said}
    if isinstance(entry.said, Ended):
        for epoch, cls, following in entry.said.tails:
            rest = {"epoch": epoch, "cls": cls, "first": following, "last": SEQ_LAST, "cause": "ended"}
            yield schema.LOST, {"gw": gw, **rest}


def _arrived(at: Row, entry: Entry) -> Spread:
    """When it came: nothing in it is younger."""
    times = [said.t for said in (*entry.records, *entry.blocks)]
    if times:
        last = max(times)
        place = {"stretch": last // STRETCH_US, "first": min(times), "last": last}
        yield schema.ARRIVED, {**at, **place, "t": last, "received": entry.received}


def _block(block: Block) -> Row:
    return {
        "stream": block.stream,
        "rows": block.rows,
        "first": block.first,
        "count": block.count,
        "t": block.t,
        "coded": block.coded,
        "marks": msgspec.json.encode(block.marks) if block.marks else None,
    }


def _record(at: Row, received: int, seq: int, item: int, record: Record) -> Spread:
    here = {**at, "t": record.t, "seq": seq, "item": item}
    match record:
        case records.Catalogue():
            yield from _catalogue(at, record)
        case records.NumericAt():
            value = None if record.value is None else str(record.value)
            yield schema.NUMERIC, {**here, "stream": record.stream, "value": value, "why": text(record.why)}
            if record.is_dated:
                yield schema.TAKEN, {**here, "stream": record.stream, **_clock(record)}
        case records.Anchor():
            yield schema.ANCHOR, {**here, "utc": record.utc, "error": record.error, "source": text(record.source)}
        case records.Boot():
            yield schema.BOOT, {**at, "t": record.t, "boot": record.boot, "count": record.count}
        case records.StreamGap():
            lost = {"stream": record.stream, "first": record.first, "count": record.count}
            yield schema.GAP, {**here, **lost, "cause": text(record.cause)}
        case records.Association():
            yield from _association(here, record)
        case records.Room():
            said = {"cls": record.cls, "waiting": record.waiting, "seconds": record.seconds}
            yield schema.ROOM, {**at, "t": record.t, "received": received, **said}
        case records.AuditHead():
            yield schema.AUDIT, {**at, "t": record.t, "received": received, "count": record.count, "hash": record.hash}
        case records.EnvelopeGap():
            range_ = {"cls": record.cls, "first": record.first, "last": record.last}
            yield schema.LOST, {"gw": at["gw"], "epoch": record.epoch, **range_, "cause": text(record.cause)}
        case records.DeviceTimeAt():
            yield schema.NOTICE, {**here, **_notice(record)}
            yield schema.PAIR, {**here, "session": record.session, **_clock(record)}
        case _:
            yield schema.NOTICE, {**here, **_notice(record)}


def _association(here: Row, said: records.Association) -> Spread:
    words = ("method", "status", "performer", "pseudonym", "bed")
    yield schema.ASSOCIATION, {**here, **{word: text(getattr(said, word)) for word in words}}
    if said.since is not None:
        since, until = said.since, said.until or (None, None)
        times = {"since_epoch": since[0], "since_t": since[1], "until_epoch": until[0], "until_t": until[1]}
        yield schema.INTERVAL, {**here, **times, "ended": text(said.ended)}


def _clock(said: records.NumericAt | records.DeviceTimeAt) -> Row:
    return {"iso": text(said.iso), "ticks": said.ticks, "hertz": _ratio(said.hertz)}


def _notice(record: Record) -> Row:
    match record:
        case records.AlarmAt() as a:
            return _said(a.session, "alarm", a.code, a.phase, a.text, a.channel, a.priority)
        case records.StatusAt() as s:
            return _said(s.session, "status", s.code, s.phase, s.text, s.channel)
        case records.DeviceTimeAt() as d:
            ticks = "" if d.ticks is None else f"{d.ticks} ticks of {d.hertz[0]}/{d.hertz[1]} Hz"
            return _said(d.session, "device-time", d.iso, "", ticks)
        case records.SessionAt() as s:
            return _said(s.session, "session", s.reason, s.phase)
        case records.PatientIdAt() as p:
            return _said(p.session, "patient-id", p.code, "", p.name)
        case records.Line() as n:
            return _said(n.session, "line", "", "", f"frames {n.frames}, bad {n.bad}, skipped bytes {n.skipped}")
    raise AssertionError(f"a record without a table: {type(record).__name__}")


def _said(session: int, kind: str, code: str, phase: str, *rest: str) -> Row:
    words, channel, priority = (*rest, "", "", "")[:3]
    return {
        "session": session,
        "kind": kind,
        "code": text(code),
        "phase": text(phase),
        "text": text(words),
        "channel": text(channel),
        "priority": text(priority),
    }


def _catalogue(at: Row, said: records.Catalogue) -> Spread:
    words = ("driver", "integrity", "port", "maker", "model", "serial", "firmware")
    named = {word: text(getattr(said, word)) for word in words}
    yield schema.SESSION, {**at, "session": said.session, "t": said.t, **named}
    for info in said.streams:
        yield (
            schema.STREAM,
            {
                **at,
                "stream": info.stream,
                "t": said.t,
                "session": said.session,
                "channel": text(info.channel),
                "mdc": info.mdc,
                "unit": text(info.unit),
                "rate": _ratio(info.rate),
                "gain": _ratio(info.gain),
                "offset": _ratio(info.offset),
                "bits": info.bits,
                "filter": text(info.filter),
            },
        )


def _ratio(ratio: records.Ratio) -> str:
    return f"{ratio[0]}/{ratio[1]}"


def text(said: str) -> str:
    """PostgreSQL keeps no NUL; the symbol for it stands in its place."""
    return said.replace("\0", "\N{SYMBOL FOR NULL}")
