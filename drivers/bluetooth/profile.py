"""What all drivers of a Bluetooth SIG profile do: subscribe, take one notification for one value, say states once.

A value begins with flags that say which fields follow, so its length is known: a notification of another length is
refused. A recording holds the values of one characteristic (the first of the profile) end to end, without their
boundaries: there the flags give the length, and a value must also look like one (`is_evident`), because neither a
checksum nor a marker protects it.

Beside its profile a device has companions (`drivers.bluetooth.companions`), and what it pushes from its memory is said
once (`drivers.bluetooth.memory`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from drivers.bluetooth.companions import Companions
from drivers.bluetooth.memory import Memory
from drivers.bluetooth.numbers import TIME_BYTES, moment, written
from drivers.bluetooth.numbers import uuid as uuid  # noqa: PLC0414  every profile needs it
from drivers.contract import DeviceTime, Driver, Output, Phase, Status, Subscribe
from drivers.framing import MORE, Frame, Framer, Skip
from drivers.moments import taken

UNKNOWN_USER = 0xFF


@dataclass(frozen=True, slots=True)
class Shape:
    """How long a value is: its flags, what is always there, and what each flag adds, in the order of the value."""

    flags_bytes: int
    fixed_bytes: int
    optional: tuple[tuple[int, int], ...]  # (flag, bytes)
    unused: int = 0  # flags that are never set at the beginning of a recorded value

    def flags(self, value: bytes | bytearray) -> int:
        return int.from_bytes(value[: self.flags_bytes], "little")

    def size_of(self, value: bytes | bytearray) -> int:
        """Bytes of the value that begins so; 0 if more must come to know."""
        if len(value) < self.flags_bytes:
            return 0
        flags = self.flags(value)
        return self.flags_bytes + self.fixed_bytes + sum(size for flag, size in self.optional if flags & flag)

    def fields(self, value: bytes) -> dict[int, bytes]:
        """What is there, by flag; 0 stands for what is always there."""
        flags, at = self.flags(value), self.flags_bytes + self.fixed_bytes
        out = {0: value[self.flags_bytes : at]}
        for flag, size in self.optional:
            if flags & flag:
                out[flag] = value[at : at + size]
                at += size
        return out


class Profile(Driver, ABC):
    """One service. `shapes` are the characteristics that tell values; a recording holds the first one.

    `answers` are those that are read or answer a request, with the lengths they may have. `stored` are results that may
    come from the device's memory, with the flag of their time stamp.
    """

    shapes: ClassVar[Mapping[str, Shape]]
    answers: ClassVar[Mapping[str, tuple[int, ...]]] = {}
    stored: ClassVar[Mapping[str, int]] = {}

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._recorded = next(iter(self.shapes))
        self._framer = Framer(self._cut, self.counts)
        self._states: dict[str, str] = {}
        self._companions = Companions(self.info.id)
        self._memory: Memory | None = None
        self.measured_at: DeviceTime | None = None  # by the device's clock, of what is being told

    @abstractmethod
    def is_evident(self, value: bytes) -> bool:
        """Whether bytes of the right length in a recording look like a value of its characteristic."""

    @abstractmethod
    def tell(self, value: bytes, source: str) -> Iterable[Output]:
        """What a value of the right length says."""

    def begin(self, now: int) -> Iterable[Output]:
        """What the profile asks for once it hears."""
        return ()

    def hear(self, value: bytes, source: str) -> Iterable[Output]:
        """What an answer of a right length says."""
        return ()

    def size_of(self, value: bytes | bytearray, source: str, whole: bool) -> int:
        """Bytes of the value that begins so, 0 if more must come to know, -1 if none does.

        `whole` is a notification, all there.
        """
        return self.shapes[source].size_of(value)

    def pending(self) -> int:
        return len(self._framer)

    def on_open(self, now: int) -> Iterable[Output]:
        return [*map(Subscribe, self.shapes), *self.begin(now), *self._companions.asked()]

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        if not source:
            return [output for value in self._framer.feed(data) for output in self._told(value, self._recorded)]
        why = self.fault(data, source)
        if why:
            self.counts.refuse(why)
            self.counts.skipped += len(data)
            return []
        self.counts.frames += 1
        if source in self.shapes:
            return list(self._told(data, source))
        return list(self.hear(data, source) if source in self.answers else self._companions.tell(data, source))

    def fault(self, data: bytes, source: str) -> str:
        """Why a value is none of ours, "" where it is one."""
        if source in self.shapes:
            fits = self.size_of(data, source, whole=True) == len(data) > 0
        elif source in self.answers:
            fits = len(data) in self.answers[source]
        elif self._companions.is_one(source):
            fits = self._companions.fits(data, source)
        else:
            return "other characteristic"
        return "" if fits else "length"

    def _told(self, value: bytes, source: str) -> Iterator[Output]:
        """What a value says, if it was not said in an earlier connection."""
        if not self.stamp_of(value, source):
            yield from self._dated(value, source)
            return
        self._memory = self._memory or Memory(self.reached)  # not at the opening: bytes of before a crash come first
        if self._memory.knows(self.essence(value, source)):
            self.note("said before")
            return
        yield from self._dated(value, source)
        yield self._memory.keep(self.essence(value, source))

    def _dated(self, value: bytes, source: str) -> Iterator[Output]:
        """What a value says; `tell` finds out on the way when it was taken."""
        self.measured_at = None
        for said in self.tell(value, source):
            yield from taken(self.measured_at, (said,))

    def stamp_of(self, value: bytes, source: str) -> str:
        """The whole date and time of a result that may come from the device's memory, else ""."""
        stamp = self.shapes[source].fields(value).get(self.stored[source]) if source in self.stored else None
        return moment(stamp) if stamp else ""

    def essence(self, value: bytes, source: str) -> bytes:
        """What of a stored result is the same each time it is sent."""
        return value

    def note(self, reason: str) -> None:
        """A good value that is not told, counted."""
        self.counts.reasons[reason] = self.counts.reasons.get(reason, 0) + 1

    def _cut(self, buffer: bytearray) -> Frame | Skip:
        size = self.size_of(buffer, self._recorded, whole=False)
        shape = self.shapes[self._recorded]
        if size < 0 or (size and shape.flags(buffer) & shape.unused):
            return Skip(1)
        if not size or len(buffer) < size:
            return MORE
        value = bytes(buffer[:size])
        return Frame(size, value) if self.is_evident(value) else Skip(1)

    def state(self, code: str, text: str | None) -> Iterator[Output]:
        """A state with its text, None where it is not: said when it changes."""
        if self._states.get(code) == text:
            return
        if text is None:
            del self._states[code]
            yield Status(code, Phase.OFF)
        else:
            self._states[code] = text
            yield Status(code, Phase.ON, text)

    def states(self, names: Mapping[int, str], bits: int) -> Iterator[Output]:
        """The states of a status field, by bit."""
        for bit, name in names.items():
            yield from self.state(name, "" if bits >> bit & 1 else None)

    def time_stamp(self, stamp: bytes | None, is_set: bool = True) -> Iterator[Output]:
        """What the readings of this value are dated by, or that the device told no whole date and time."""
        iso = moment(stamp) if stamp and is_set else ""
        absent = None if iso else written(stamp) if stamp and len(stamp) == TIME_BYTES else ""
        yield from self.state("no-device-time", absent)
        self.measured_at = DeviceTime(iso) if iso else None

    def user(self, field: bytes | None) -> Iterator[Output]:
        """Whose turn the device believes it is: a place in its memory, and no identity."""
        text = None if field is None else "unknown user" if field[0] == UNKNOWN_USER else str(field[0])
        yield from self.state("user", text)
