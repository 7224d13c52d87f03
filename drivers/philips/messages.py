"""What a payload says: association control, the monitor's introduction, and the results of polls.

    0E | 0C | 0A | 09 | 19 ...                                            association control, by the first byte
    E1 00 00 02 | type u16 | length u16 | [linked: state, count]          a remote operation
        | invoke id u16 | command u16 | length u16 | what the command carries

All numbers are big endian. Nothing here looks into attribute values. Source: Philips Data Export Interface
Programming Guide rev. G.0, "Definition of the Data Export Protocol".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

INVOKE, RESULT, ERROR, LINKED = 1, 2, 3, 5
EVENT, CONFIRMED_EVENT, GET, CONFIRMED_SET, CONFIRMED_ACTION = 0, 1, 3, 5, 7
POLL, EXTENDED_POLL = 0x0C16, 0xF13B
MDS_CREATED = 0x0D06
DATA = 0xE1
ACCEPT, REFUSE, RELEASE, RELEASED, ABORT = 0x0E, 0x0C, 0x09, 0x0A, 0x19

Attributes = tuple[tuple[int, bytes], ...]
_ONE, _TWO, _THREE = struct.Struct(">H"), struct.Struct(">HH"), struct.Struct(">HHH")
_EVENT = struct.Struct(">6xIHH")  # managed object, time, event type, length
_ACTION = struct.Struct(">6xHH")  # managed object, action type, length


class MalformedError(Exception):
    """A count or length says more than there is."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Control:
    """Association control: `kind` is ACCEPT, REFUSE, RELEASE, RELEASED or ABORT."""

    kind: int


@dataclass(frozen=True, slots=True)
class Created:
    """The MDS create event: who the monitor is. `invoke` is to be answered if `confirmed`."""

    invoke: int
    confirmed: bool
    ticks: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Observation:
    """What one object says; `key` is its (context, handle)."""

    key: tuple[int, int]
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Polled:
    """A poll result, or one part of a linked one: `ticks` of 1/8 ms, `absolute` 8 BCD bytes, the polled class."""

    polled: int
    ticks: int
    absolute: bytes
    observations: tuple[Observation, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """The monitor refuses the request with this invoke id."""

    invoke: int
    error: int


@dataclass(frozen=True, slots=True)
class Other:
    """A good message that carries nothing for us: results of get and set, events we do not know."""


Message = Control | Created | Polled | Failed | Other


def parse(payload: bytes) -> Message:
    """Raises MalformedError."""
    if not payload:
        raise MalformedError("empty")
    if payload[0] != DATA:
        return Control(payload[0])
    try:
        return _operation(payload)
    except struct.error as error:
        raise MalformedError("content") from error


def _operation(payload: bytes) -> Message:
    kind, length = _TWO.unpack_from(payload, 4)
    body = _part(payload, 8, length)
    if kind == LINKED:
        body = body[2:]
    if kind == ERROR:
        return Failed(*_TWO.unpack_from(body))
    invoke, command, length = _THREE.unpack_from(body)
    argument = _part(body, 6, length)
    if kind == INVOKE and command in (EVENT, CONFIRMED_EVENT):
        return _event(argument, invoke, command)
    if kind in (RESULT, LINKED) and command == CONFIRMED_ACTION:
        return _action(argument)
    return Other()


def _event(data: bytes, invoke: int, command: int) -> Message:
    ticks, event, length = _EVENT.unpack_from(data)
    if event != MDS_CREATED:
        return Other()
    body = _part(data, _EVENT.size, length)
    return Created(invoke, command == CONFIRMED_EVENT, ticks, _attributes(body, 6)[0])


def _action(data: bytes) -> Message:
    action, length = _ACTION.unpack_from(data)
    if action not in (POLL, EXTENDED_POLL):
        return Other()
    body = _part(data, _ACTION.size, length)
    at = 4 if action == EXTENDED_POLL else 2  # poll number, and the extended poll's sequence number
    (ticks,) = struct.unpack_from(">I", body, at)
    absolute = _part(body, at + 4, 8)
    _, polled, _ = _THREE.unpack_from(body, at + 12)
    return Polled(polled, ticks, absolute, _contexts(body, at + 18))


def _contexts(data: bytes, at: int) -> tuple[Observation, ...]:
    count, length = _TWO.unpack_from(data, at)
    body, found, at = _part(data, at + 4, length), [], 0
    for _ in range(count):
        context, size, length = _THREE.unpack_from(body, at)
        found += _observations(_part(body, at + 6, length), context, size)
        at += 6 + length
    return tuple(found)


def _observations(data: bytes, context: int, count: int) -> list[Observation]:
    found, at = [], 0
    for _ in range(count):
        (handle,) = _ONE.unpack_from(data, at)
        attributes, at = _attributes(data, at + 2)
        found.append(Observation((context, handle), attributes))
    return found


def _attributes(data: bytes, at: int) -> tuple[Attributes, int]:
    count, length = _TWO.unpack_from(data, at)
    body, found, end = _part(data, at + 4, length), [], at + 4 + length
    at = 0
    for _ in range(count):
        name, size = _TWO.unpack_from(body, at)
        found.append((name, _part(body, at + 4, size)))
        at += 4 + size
    return tuple(found), end


def _part(data: bytes, at: int, length: int) -> bytes:
    if at + length > len(data):
        raise MalformedError("content")
    return data[at : at + length]
