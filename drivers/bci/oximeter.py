"""The five-byte stream of oximeters: one frame a sample, no checksum, no counter.

    byte  bit 7   6              5    4    3 2 1 0
    1     1       pulse beep     (a)  (b)  signal strength
    2     0       pleth, 7 bits
    3     0       rate bit 7   search (c)  bar graph
    4     0       pulse rate, bits 0 to 6
    5     0       SpO2

(a), (b) and (c) mean different things to different makers: a `Dialect` says which, and how many frames there are a
second. Nothing in the bytes tells the dialects apart.

What makes a frame: bit 7 is set in its first byte and in no other, the next frame begins right behind it, and SpO2 is
0 to 100 or 127. That is little: five bytes in thirty-two are so by chance, and a Nonin stream has such a rhythm too.
So nothing is believed before a run of frames carries one and the same pulse rate and SpO2, which this stream always
shows within a fraction of a second (the numbers change at most once a beat) and no checksum, counter or wave of
another device does. The run waits in the buffer, so that its samples are not lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from drivers.contract import Driver, Mark, Numeric, Output, Phase, Scale, Status, Subscribe, Wave, Why
from drivers.framing import MORE, Bad, Frame, Framer, Skip

FRAME_BYTES = 5
NEXT = re.compile(rb"[\x80-\xFF][\x00-\x7F]{3}[\x00-\x64\x7F][\x80-\xFF]")  # a frame, and the next begins
RUN_FRAMES = 8
LOST_BYTES = RUN_FRAMES * FRAME_BYTES  # so much without a frame, and a run is asked for again
SPO2_LIMIT, NO_SPO2, NO_RATE = 100, 127, 255


@dataclass(frozen=True, slots=True)
class Flag:
    """A bit of byte `at` that is told as a status. `why` explains an absent value, or takes or doubts a present one."""

    at: int
    bit: int
    code: str
    channel: str = ""
    why: Why | None = None
    withholds: bool = False  # no number said with it is a reading
    doubts: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """A maker's reading of the stream; `flags` with the strongest reason first."""

    frames_a_second: int
    flags: tuple[Flag, ...]
    no_spo2: frozenset[int]
    no_rate: frozenset[int]
    no_pleth: frozenset[int] = frozenset()
    not_readings: frozenset[int] = frozenset()  # first bytes of packets that hold text
    notify: str = ""  # the BLE characteristic it comes from


def pulse_rate(frame: bytes) -> int:
    return (frame[2] & 0x40) << 1 | frame[3]


def words(frame: bytes) -> tuple[int, int, int, int]:
    """All that flags and numbers are made of; the rest of a frame is beep, strength, pleth and bar."""
    return frame[0] & 0x30, frame[2] & 0x70, frame[3], frame[4]


class FiveByteOximeter(Driver):
    dialect: ClassVar[Dialect]

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(self._cut, self.counts)
        self._known = False
        self._lost_bytes = 0
        self._on: frozenset[Flag] = frozenset()
        self._is_off = False
        self._words = (0, 0, 0, 0)
        rate = Fraction(self.dialect.frames_a_second)
        self._wide, self._narrow = Scale(rate, "1", bits=7), Scale(rate, "1", bits=4)
        self._beeps = False
        self._told: dict[str, Numeric] = {}
        self._frames = 0

    def pending(self) -> int:
        return len(self._framer)

    def on_open(self, now: int) -> Iterable[Output]:
        return (Subscribe(self.dialect.notify),) if self.dialect.notify else ()

    def _cut(self, buffer: bytearray) -> Frame | Skip | Bad:
        found = self._look(buffer)
        if isinstance(found, Frame):
            self._known, self._lost_bytes = True, 0
        else:
            self._lost_bytes += found.size
            self._known = self._known and self._lost_bytes <= LOST_BYTES
        return found

    def _look(self, buffer: bytearray) -> Frame | Skip | Bad:
        if buffer[0] < 0x80:
            return Skip(next((at for at, byte in enumerate(buffer) if byte >= 0x80), len(buffer)))
        if self._known and NEXT.match(buffer):
            return Frame(FRAME_BYTES, bytes(buffer[:FRAME_BYTES]))
        wanted = FRAME_BYTES * (1 if self._known else RUN_FRAMES) + 1
        for at in range(1, min(wanted, len(buffer))):
            if (buffer[at] >= 0x80) != (at % FRAME_BYTES == 0):
                return self._refuse(buffer, "cut short" if buffer[at] >= 0x80 else "no next frame", at)
            if at % FRAME_BYTES == 4 and SPO2_LIMIT < buffer[at] != NO_SPO2:
                return self._refuse(buffer, "no SpO2", at)
        if len(buffer) < wanted:
            return MORE
        return Frame(FRAME_BYTES, bytes(buffer[:FRAME_BYTES])) if is_steady(buffer) else Skip(FRAME_BYTES)

    def _refuse(self, buffer: bytearray, reason: str, at: int) -> Skip | Bad:
        """Damage where the stream is known; else only a byte that does not begin it."""
        if self._known:
            return Bad(reason, at)
        return Skip(next((k for k in range(1, at + 1) if buffer[k] >= 0x80), at))

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        out: list[Output] = []
        frames: list[bytes] = []
        marks: list[Mark] = []
        for frame in self._framer.feed(data):
            if frame[0] not in self.dialect.not_readings:
                if self._frames % self.dialect.frames_a_second == 0 or words(frame) != self._words:
                    out += self._states(frame)
                    out += self._changed(frame)
                    self._words = words(frame)
                self._frames += 1
                marks += self._marks(frame, len(frames))
                frames.append(frame)
        if frames:
            out += self._waves(frames, tuple(marks))
        return out

    def _states(self, frame: bytes) -> Iterator[Status]:
        was, self._on = self._on, frozenset(flag for flag in self.dialect.flags if frame[flag.at] & flag.bit)
        self._is_off = any(flag.withholds for flag in self._on)
        for flag in self.dialect.flags if was != self._on else ():
            if (flag in was) != (flag in self._on):
                yield Status(flag.code, Phase.ON if flag in self._on else Phase.OFF, channel=flag.channel)

    def _changed(self, frame: bytes) -> Iterator[Numeric]:
        again = self._frames % self.dialect.frames_a_second == 0
        for numeric in (
            self._numeric("spo2", "%", frame[4], frame[4] in self.dialect.no_spo2),
            self._numeric("spo2.pr", "/min", pulse_rate(frame), pulse_rate(frame) in self.dialect.no_rate),
        ):
            if again or self._told.get(numeric.channel) != numeric:
                self._told[numeric.channel] = numeric
                yield numeric

    def _numeric(self, channel: str, unit: str, raw: int, absent: bool) -> Numeric:
        on = [flag for flag in self.dialect.flags if flag in self._on and flag.why]
        if absent or any(flag.withholds for flag in on):
            return Numeric(channel, None, unit, on[0].why if on else Why.INVALID)
        return Numeric(channel, raw, unit, next((flag.why for flag in on if flag.doubts), None))

    def _marks(self, frame: bytes, at: int) -> Iterator[Mark]:
        """The beep may stand for more than one frame of a beat: the mark stands at the first."""
        beeped, self._beeps = self._beeps, bool(frame[0] & 0x40)
        if self._beeps and not beeped:
            yield Mark(at, "beat")
        if self._is_off:
            yield Mark(at, "sensor-off")
        if frame[1] in self.dialect.no_pleth:
            yield Mark(at, "invalid")

    def _waves(self, frames: list[bytes], marks: tuple[Mark, ...]) -> Iterator[Wave]:
        yield Wave("pleth", tuple([frame[1] for frame in frames]), self._wide, marks=marks)
        yield Wave("spo2.bar", tuple([frame[2] & 0x0F for frame in frames]), self._narrow)
        yield Wave("spo2.signal", tuple([frame[0] & 0x0F for frame in frames]), self._narrow)


def is_steady(buffer: bytearray) -> bool:
    """Whether all frames of the run say the same pulse rate and SpO2."""
    starts = range(0, RUN_FRAMES * FRAME_BYTES, FRAME_BYTES)
    return len({(buffer[at + 2] & 0x40, buffer[at + 3], buffer[at + 4]) for at in starts}) == 1
