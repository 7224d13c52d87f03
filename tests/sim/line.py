"""The line between a simulated device and the gateway: what was said, what was read, and what happened in between."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from random import Random

from tests.sim.device import POISON, RINGS, Truth, Unit, Voice

TTY_BYTES = 4095
KERNEL_BYTES = 65536


class Cable:
    """What the gateway has open: `agent.ports.serial_port.Cable`."""

    def __init__(self, line: Line, fd: int) -> None:
        self._line = line
        self._fd = fd
        self.buffer = bytearray()
        self.start = line.said_bytes  # where the buffer begins in all that was said
        self.read_from = self.start
        self.hung = False
        self.reader: tuple[Callable, tuple] | None = None
        self.rung = False
        self._ring: Callable[[], object] | None = None

    def fileno(self) -> int:
        return self._fd

    def watch(self, ring: Callable[[], object]) -> None:
        self._ring = ring

    def look(self) -> None:
        """Tell the loop once that there is something."""
        if self.reader is not None and not self.rung and (self.buffer or self.hung) and self._ring is not None:
            self.rung = True
            self._ring()

    def read(self, size: int = 1) -> bytes:
        if self._line.broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        data = bytes(self.buffer[: min(size, TTY_BYTES)])
        if data:
            del self.buffer[: len(data)]
            self.start += len(data)
            self._line.was_read(self.read_from, self.start)
        return data

    def write(self, data: bytes | bytearray) -> int:
        if self.hung:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._line.asked(bytes(data))
        return len(data)

    def close(self) -> None:
        self._line.closed(self)


class Line:
    """One device at one port. `place` is the world: its timeline, its machine, its counts."""

    def __init__(self, place, path: str, voice: Voice, random: Random) -> None:
        self.path = path
        self.voice = voice
        self.truth = Truth(dict(voice.per_unit), samples={c: [] for c in voice.per_unit})
        self.plugged = True
        self.broken = False
        self.silent = False
        self.babbles = 0.0  # how often noise comes with a unit
        self.garbles = 0.0  # how often a unit is spoilt
        self.cable: Cable | None = None
        self.said_bytes = 0
        self._place = place
        self._random = random
        self._flags = 0
        self._recent = b""
        self._is_torn = True  # the next unit has no sound neighbour before it
        self._read_units = 0
        self._read_end = 0
        place.timeline.after(random.random(), self._speak)

    # The device.

    def _speak(self) -> None:
        if self._place.devices_end_ns <= self._place.timeline.now:
            return
        self._place.timeline.after(self.voice.every_s, self._speak)
        if self.silent:
            return
        if self.babbles and self._random.random() < self.babbles:
            self.noise(self._random.choice((1, 5, 40, 300)))
        self._say_unit()

    def _say_unit(self) -> None:
        truth, n = self.truth, len(self.truth.units)
        counter = self.voice.counter
        data, samples, numerics = self.voice.unit(n, self._flags)
        if not data:
            return
        poisoned = bool(self._flags & POISON) and self.voice.has_bug
        self._flags = 0
        unit = Unit(self.said_bytes, self.said_bytes + len(data), counter, self._is_torn, poisoned)
        self._is_torn = False
        if self.garbles and self._random.random() < self.garbles:
            data = self.voice.spoilt(data)
            unit.hurt = True
        truth.units.append(unit)
        for channel, values in samples.items():
            if channel in truth.samples:
                truth.samples[channel].extend(values)
        if numerics:
            truth.numerics[n] = numerics
        self._deliver(data)

    def _deliver(self, data: bytes) -> None:
        self.said_bytes += len(data)
        self._recent = (self._recent + data)[-300:]
        cable = self.cable
        if cable is None or not self.plugged or len(cable.buffer) > KERNEL_BYTES:
            self._is_torn = True
            return
        cable.buffer += data
        cable.look()

    def noise(self, size: int) -> None:
        self._hurt_last()
        self._deliver(bytes(self._random.choices(self.voice.noise, k=size)))
        self._is_torn = True

    def _hurt_last(self) -> None:
        if self.truth.units:
            self.truth.units[-1].hurt = True

    def poison(self) -> None:
        self._flags |= POISON

    def ring(self) -> None:
        self._flags |= RINGS

    def die_in_a_frame(self) -> None:
        """The battery is empty in the middle of a unit; what was said of it is no unit."""
        n = len(self.truth.units)
        data, _, _ = self.voice.unit(n, 0)
        if data:
            self._deliver(data[: self._random.randrange(1, len(data) - self.voice.end_bytes)])
        self._is_torn = self.silent = True

    def wake(self) -> None:
        if self.silent:
            self.silent = False
            self._deliver(self.voice.power_on())

    def asked(self, data: bytes) -> None:
        now = self._place.timeline.now
        answer = self.voice.told(data, now)
        if answer and now < self._place.devices_end_ns:
            self._deliver(answer)

    # The gateway's end.

    def opened(self, fd: int) -> Cable:
        if not self.plugged:
            raise FileNotFoundError(errno.ENOENT, "no such port", self.path)
        if self.broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.cable = cable = Cable(self, fd)
        kept = self._random.choice((0, 0, self._random.randrange(200)))
        kept = min(kept, len(self._recent), self.said_bytes - self._read_end)
        if self.garbles:
            kept = self._whole(kept)
        if kept:
            cable.buffer += self._recent[-kept:]
            cable.start = cable.read_from = self.said_bytes - kept
        self._hurt_first_of(cable)
        return cable

    def _whole(self, kept: int) -> int:
        """From a unit's start on: a spoilt one and the rest of another can be glued to one that is whole to the eye."""
        start = self.said_bytes - kept
        return self.said_bytes - next((unit.start for unit in self.truth.units if unit.start >= start), self.said_bytes)

    def _hurt_first_of(self, cable: Cable) -> None:
        """What was half heard before stands before it."""
        first = None
        for unit in reversed(self.truth.units):
            if unit.start < cable.read_from:
                break
            first = unit
        if first is None:
            self._is_torn = True
        else:
            first.hurt = True

    def was_read(self, start: int, end: int) -> None:
        """Bytes `start..end` of what was said have been given to this opening."""
        boot, now = self._place.machine.boot, self._place.machine.now() // 1000
        units = self.truth.units
        at = first = self._read_units
        while at < len(units) and units[at].end <= end:
            unit = units[at]
            if unit.start >= start:
                unit.read = (boot, now)
                self.truth.reads[boot, now] = at
            elif unit.end > start:
                unit.partial = True
            at += 1
        if at < len(units) and units[at].start < end and units[at].start < start:
            units[at].partial = True
        if any(unit.poisoned for unit in units[first:at] if unit.read is not None):
            for unit in units[first:at]:
                unit.faulted = True
        self._read_units = at
        self._read_end = end

    def closed(self, cable: Cable) -> None:
        if self.cable is cable:
            self.cable = None
            self._is_torn = True

    def unplug(self) -> None:
        self.plugged = False
        self._is_torn = True
        if self.cable is not None:
            self.cable.buffer.clear()
            self.cable.hung = True
            self.cable.look()

    def plug(self) -> None:
        self.plugged = True
        self._recent = b""
