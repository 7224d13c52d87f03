"""Cutting the stream into APDUs, and what an APDU says. A frame is one where every length and count fits."""

from __future__ import annotations

import re
from dataclasses import dataclass

from drivers.contract import Masked
from drivers.framing import MORE, Bad, Frame, Skip
from drivers.ieee11073.fields import Fields, MalformedError, attribute
from drivers.ieee11073.objects import Thing, thing

ASSOCIATE, RELEASE, ABORT, DATA = 0xE2, 0xE4, 0xE6, 0xE7
REASONS = {
    RELEASE: ("normal", "no more configurations", "configuration changed"),
    ABORT: ("undefined", "buffer overflow", "response timeout", "configuration timeout"),
}
REPORT, CONFIRMED_REPORT, GOT, ERROR, REJECT = 0x0100, 0x0101, 0x0203, 0x0300, 0x0400
CHOICES = (REPORT, CONFIRMED_REPORT, 0x0201, GOT, 0x0205, 0x0207, ERROR, REJECT)
CONFIG, SEGMENT = 0x0D1C, 0x0D21
VAR, FIXED, MP_VAR, MP_FIXED, GROUPED, MP_GROUPED = "var", "fixed", "mp var", "mp fixed", "grouped", "mp grouped"
FORMS = {0x0D1D: FIXED, 0x0D1E: VAR, 0x0D1F: MP_FIXED, 0x0D20: MP_VAR} | {
    first + at: form
    for first in (0x0D22, 0x0D28)  # unbuffered and buffered reports of a scanner
    for at, form in enumerate((VAR, FIXED, GROUPED, MP_VAR, MP_FIXED, MP_GROUPED))
}
PHD = 0x5079  # data-proto-id-20601
VERSION_1 = b"\x80\0\0\0"
LIMIT_BYTES = 9216  # the largest APDU of the four specializations (10404)
LEAST_DATA_BYTES = 12
CONFIRMED = 0x0201
INVOKE, HANDLE, EVENT, CONFIG_ID = slice(6, 8), slice(12, 14), slice(18, 20), slice(22, 24)  # of a report
START = re.compile(rb"[\xe2\xe4\xe6\xe7](?:\0|\Z)")


@dataclass(frozen=True, slots=True)
class Associate:
    """An agent asks to be heard; `speaks` is whether it knows version 1 and MDER, which is all we answer in."""

    system_id: bytes
    config_id: int
    speaks: bool


@dataclass(frozen=True, slots=True)
class Ended:
    choice: int
    reason: str


@dataclass(frozen=True, slots=True)
class Configured:
    config_id: int
    things: tuple[Thing, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """One object's data: named attributes, or bytes that its value map (or its scanner's) explains."""

    person: int | None
    handle: int
    data: bytes
    attributes: tuple[tuple[int, bytes], ...] | None = None

    @property
    def is_own(self) -> bool:
        """The agent speaks of itself: its clock, its battery."""
        return self.handle == 0 and self.attributes is not None


@dataclass(frozen=True, slots=True)
class Reported:
    form: str
    seen: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class Got:
    """The attributes of the agent itself."""

    attributes: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Other:
    """Something well formed that holds no reading."""

    what: str


Message = Associate | Ended | Configured | Reported | Got | Other


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    """The body is the whole APDU, and `parse` of it succeeds."""
    found = START.search(buffer)
    if found is None or found.start():
        return Skip(found.start() if found else len(buffer))
    if len(buffer) < 4:
        return MORE
    size = 4 + (buffer[2] << 8 | buffer[3])
    if size > LIMIT_BYTES or not _begins(bytes(buffer[:LEAST_DATA_BYTES]), size):
        return Skip(1)
    if len(buffer) < size:
        return MORE
    body = bytes(buffer[:size])
    try:
        parse(body)
    except MalformedError:
        return Bad("structure")
    return Frame(size, body)


def _begins(head: bytes, size: int) -> bool:
    """Whether as much of the head as there is fits its length; a false start is found out within 12 bytes."""
    if head[0] in REASONS:
        reasons = len(REASONS[head[0]])
        return size == 6 and head[4:5] in (b"", b"\0") and (len(head) < 6 or head[5] < reasons)
    if head[0] == ASSOCIATE:
        return size >= LEAST_DATA_BYTES and VERSION_1.startswith(head[4:8])
    if size < LEAST_DATA_BYTES or not (size - 6).to_bytes(2, "big").startswith(head[4:6]):
        return False
    if len(head) >= 10 and int.from_bytes(head[8:10], "big") not in CHOICES:
        return False
    return (size - LEAST_DATA_BYTES).to_bytes(2, "big").startswith(head[10:12])


def parse(data: bytes) -> Message:
    """What a whole APDU says. MalformedError where it does not fit."""
    fields = Fields(data[4:])
    if data[0] == ASSOCIATE:
        return _associate(fields)
    if data[0] in REASONS:
        return Ended(data[0], REASONS[data[0]][fields.u16()])
    choice = int.from_bytes(data[8:10], "big")
    inner = Fields(data[LEAST_DATA_BYTES:])
    if choice in (REPORT, CONFIRMED_REPORT):
        return _report(inner)
    if choice == GOT:
        inner.u16()
        attributes = inner.items(attribute)
        inner.end()
        return Got(attributes)
    return Other({ERROR: "error", REJECT: "rejected"}.get(choice, "answer"))


def _associate(fields: Fields) -> Message:
    fields.u32()
    offers = dict(fields.items(attribute))
    fields.end()
    if PHD not in offers:
        return Other("another protocol")
    offer = Fields(offers[PHD])
    version, encoding = offer.u32(), offer.u16()
    for _ in ("nomenclature", "functional units", "system type"):
        offer.u32()
    system_id, config_id = offer.octets(), offer.u16()
    offer.u32()  # how data may be asked for
    offer.items(attribute)
    offer.end()
    if len(system_id) != 8:
        raise MalformedError("system id")
    return Associate(system_id, config_id, bool(version >> 31 and encoding >> 15))


def _report(fields: Fields) -> Message:
    source = fields.u16()
    fields.u32()
    event, info = fields.u16(), Fields(fields.octets())
    fields.end()
    if event == CONFIG:
        config_id, things = info.u16(), info.items(thing)
        info.end()
        return Configured(config_id, things)
    if event == SEGMENT:
        return Other("stored-data")
    if event not in FORMS:
        return Other("event")
    info.u32()  # who asked for the report, and its number
    found = _observations(info, FORMS[event], source)
    info.end()
    return Reported(FORMS[event], found)


def _observations(info: Fields, form: str, source: int) -> tuple[Seen, ...]:
    def one(fields: Fields, person: int | None = None) -> Seen:
        if form in (GROUPED, MP_GROUPED):
            return Seen(person, source, fields.octets())
        if form in (VAR, MP_VAR):
            return Seen(person, fields.u16(), b"", fields.items(attribute))
        return Seen(person, fields.u16(), fields.octets())

    def of_person(fields: Fields) -> tuple[Seen, ...]:
        person = fields.u16()
        if form == MP_GROUPED:
            return (one(fields, person),)
        return fields.items(lambda inner: one(inner, person))

    if form in (MP_VAR, MP_FIXED, MP_GROUPED):
        return tuple(seen for people in info.items(of_person) for seen in people)
    return info.items(one)


def _confirmation(event: int, reply_bytes: int) -> Masked:
    """What confirms one kind of event: free are the invoke id, the handle and, of a configuration, its number."""
    body = CONFIRMED.to_bytes(2, "big") + (10 + reply_bytes).to_bytes(2, "big") + bytes(6) + event.to_bytes(2, "big")
    body = bytes(2) + body + reply_bytes.to_bytes(2, "big") + bytes(reply_bytes)
    data = bytes((DATA, 0)) + (len(body) + 2).to_bytes(2, "big") + len(body).to_bytes(2, "big") + body
    free = bytearray(len(data))
    for field in (INVOKE, HANDLE) + ((CONFIG_ID,) if reply_bytes else ()):
        free[field] = b"\xff\xff"
    return Masked(data, bytes(free))


CONFIRMATIONS = {event: _confirmation(event, 0) for event in FORMS} | {CONFIG: _confirmation(CONFIG, 4)}


def confirmed(data: bytes) -> bytes:
    """What confirms a report (a configuration is accepted); nothing where it wants no answer, or is of another kind."""
    mask = CONFIRMATIONS.get(int.from_bytes(data[EVENT], "big"))
    if data[0] != DATA or data[8:10] != CONFIRMED_REPORT.to_bytes(2, "big") or mask is None:
        return b""
    answer = bytearray(mask.data)
    for field in (INVOKE, HANDLE, CONFIG_ID):
        if any(mask.free[field]):
            answer[field] = data[field]
    return bytes(answer)
