"""Devices that are simulated, what they said, and the lines that they said it on.

A device speaks in units: a frame or a line that is heard whole or not at all. What of it the gateway was given to
read, and when, is noted here; it is the truth that the oracle compares with.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar

from agent.lab.voices.contec_v7 import ContecV7Voice
from agent.lab.voices.ivy_450c import ORDER, Ivy450CVoice
from bench.devices.bench_oxi import BenchOxi
from drivers.contract import Alarm, Driver, Info, Integrity, Numeric, Output, Phase, Scale, Serial, Wave
from drivers.devices.contec_v7 import ContecV7
from drivers.devices.ivy_450c import Ivy450C
from drivers.devices.nellcor_n560 import NellcorN560
from drivers.framing import MORE, Bad, Frame, Framer, Skip, find

HEAD = b"\xa5\x5a"
_FRAME = struct.Struct("<IIB")
FRAME_BYTES = len(HEAD) + _FRAME.size + 4
POISON, RINGS = 1, 2
COUNTED_RATE = 5
NUMERIC_EVERY = 7
SCALE = Scale(Fraction(COUNTED_RATE), "mV", bits=16)


class BugError(Exception):
    """A driver that fails on what its device says."""


def channels_of(n: int) -> dict[str, int]:
    """What the counted device says in its unit `n`."""
    return {"ecg.i": n & 0x7FFF, "ecg.ii": (n * 7 + 3) % 4001 - 2000, "ecg.iii": -(n % 97)}


def _cut(buffer: bytearray) -> Frame | Skip | Bad:
    away = find(buffer, HEAD)
    if away is not None:
        return away
    if len(buffer) < FRAME_BYTES:
        return MORE
    body = bytes(buffer[len(HEAD) : FRAME_BYTES])
    return Frame(FRAME_BYTES, body[:-4]) if zlib.crc32(body[:-4]) == int.from_bytes(body[-4:]) else Bad("crc")


class Counted(Driver):
    """A5 5A | its own counter u32 | n u32 | flags u8 | CRC-32. Its bug: it cannot bear the flag POISON."""

    info: ClassVar[Info] = Info(
        id="counted",
        models=("a device of the simulation",),
        claims=(Serial(9600),),
        emits=("ecg.i", "ecg.ii", "ecg.iii", "ecg.hr"),
        integrity=Integrity.CRC,
        wiring="none",
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(_cut, self.counts)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        rows = [_FRAME.unpack(body) for body in self._framer.feed(data)]
        if any(flags & POISON for *_, flags in rows):
            raise BugError("poison")
        start = 0
        for at in range(1, len(rows) + 1):
            if at == len(rows) or rows[at][0] != rows[at - 1][0] + 1:
                said = [channels_of(n) for _, n, _ in rows[start:at]]
                for channel in said[0]:
                    yield Wave(channel, tuple(one[channel] for one in said), SCALE, rows[start][0], 1 << 32)
                start = at
        for _, n, flags in rows:
            if n % NUMERIC_EVERY == 0:
                yield Numeric("ecg.hr", n, "/min")
            if flags & RINGS:
                yield Alarm("rings", f"alarm {n}", "high", Phase.ON)

    def pending(self) -> int:
        return len(self._framer)


@dataclass(slots=True)
class Unit:
    """`start`, `end`: where it stands in all that the device ever said. `read`: (boot, microseconds) when it was whole.

    `hurt`: noise or a hole is beside it or in it, so it may be refused. `faulted`: the driver failed in its chunk.
    """

    start: int
    end: int
    counter: int | None = None  # the device's own
    hurt: bool = False
    poisoned: bool = False
    faulted: bool = False
    partial: bool = False
    read: tuple[int, int] | None = None


@dataclass
class Truth:
    """What one device said. `samples[channel]` has `per_unit[channel]` integers for each unit."""

    per_unit: dict[str, int]
    units: list[Unit] = field(default_factory=list)
    samples: dict[str, list[int]] = field(default_factory=dict)
    numerics: dict[int, list[tuple[str, int]]] = field(default_factory=dict)  # by unit
    reads: dict[tuple[int, int], int] = field(default_factory=dict)  # (boot, us) -> the last unit then whole


class Voice:
    """One kind of device: `every_s`, what a unit is, and its driver."""

    driver: type[Driver]
    every_s: float = 1.0
    per_unit: Mapping[str, int] = {}
    counter: int | None = None  # of the next unit, where the device has one
    noise = bytes(range(0x20, 0x30))  # bytes that never pass for a unit, alone or after half of one
    has_bug = False
    end_bytes = 0  # of a unit, which `power_on` may bring

    def power_on(self) -> bytes:
        return b""

    def unit(self, n: int, flags: int) -> tuple[bytes, Mapping[str, Sequence[int]], list[tuple[str, int]]]:
        """(bytes, samples by channel, numerics) of the next unit."""
        raise NotImplementedError

    def spoilt(self, data: bytes) -> bytes:
        """A unit with a byte that makes it none, whatever comes before and after."""
        return data[:2] + bytes([data[2] ^ 0x80]) + data[3:]

    def told(self, data: bytes, now: int) -> bytes:
        return b""


class CountedVoice(Voice):
    driver, every_s, noise, has_bug = Counted, 1 / COUNTED_RATE, bytes(range(256)), True
    per_unit: ClassVar[Mapping[str, int]] = {"ecg.i": 1, "ecg.ii": 1, "ecg.iii": 1}

    def __init__(self, first: int) -> None:
        self.counter = first

    def unit(self, n: int, flags: int):
        body = _FRAME.pack(self.counter, n, flags)
        self.counter = (self.counter + 1) % (1 << 32)
        numerics = [("ecg.hr", n)] if n % NUMERIC_EVERY == 0 else []
        return HEAD + body + zlib.crc32(body).to_bytes(4), {c: (v,) for c, v in channels_of(n).items()}, numerics


class OxiVoice(Voice):
    """The bench's oximeter: n in 15 bits over three channels; its numerics are repeated and not compared."""

    driver, every_s, noise = BenchOxi, 1 / 4, bytes(range(0x80, 0x100))
    per_unit: ClassVar[Mapping[str, int]] = {"pleth": 1, "spo2.bar": 1, "spo2.signal": 1}

    def unit(self, n: int, flags: int):
        pleth, bar, signal = n & 0x7F, n >> 7 & 0x0F, n >> 11 & 0x0F
        data = bytes([0x80 | signal, pleth, bar, 72, 97])
        return data, {"pleth": (pleth,), "spo2.bar": (bar,), "spo2.signal": (signal,)}, []


class NellcorVoice(Voice):
    """A line of numerics every two seconds; no waves. Each number tells `n` up to 999."""

    driver, every_s, end_bytes = NellcorN560, 2.0, 2

    def unit(self, n: int, flags: int):
        spo2, pulse, amplitude = n % 1000, n * 3 % 1000, n * 7 % 1000
        line = f"07-Jan-04 11:{n // 60 % 60:02d}:{n % 60:02d}   {spo2:3d}     {pulse:3d}     {amplitude:3d}\r\n"
        return line.encode(), {}, [("spo2", spo2), ("spo2.pr", pulse), ("nellcor_n560:PA", amplitude)]

    def spoilt(self, data: bytes) -> bytes:
        return b"x" + data[1:]

    def power_on(self) -> bytes:
        return b"\r\n"


class IvyVoice(Voice):
    """The lab's Ivy, a message a second; its ECG begins with n."""

    driver, every_s = Ivy450C, 1.0
    per_unit: ClassVar[Mapping[str, int]] = {c: int(w.rate) for c, w in Ivy450CVoice.wanted.items()}

    def spoilt(self, data: bytes) -> bytes:
        return data[:100] + b"\xfe" + data[101:]

    def __init__(self) -> None:
        self._said: dict[str, list[int]] = {}
        self._voice = Ivy450CVoice({channel: [0] for channel in ORDER}, self._said.__setitem__)
        self._voice.on_open(0)

    def unit(self, n: int, flags: int):
        waves = {c: [(n * 31 + at * 7 + len(c)) % 250 for at in range(self.per_unit[c])] for c in ORDER}
        waves["ecg.ii"][:2] = [n % 250, n // 250 % 250]
        self._voice.signals = waves
        self._voice._seconds = 0  # the signals begin with this second
        self._voice._set_wake()
        data = self._voice.on_time(self._voice.wake_at)
        return data, dict(self._said), []


class ContecVoice(Voice):
    """The lab's Contec: it must be asked, and kept alive. Its numerics are repeated and not compared."""

    driver, every_s = ContecV7, 1 / 60
    per_unit: ClassVar[Mapping[str, int]] = {"pleth": 1}

    def __init__(self) -> None:
        self._spoken: list[int] = []
        self._voice = ContecV7Voice({"pleth": [0]}, lambda _, samples: self._spoken.extend(samples))

    def told(self, data: bytes, now: int) -> bytes:
        return self._voice.on_bytes(data, now)

    def unit(self, n: int, flags: int):
        self._spoken.clear()
        self._voice.signals = {"pleth": [n * 37 % 127]}
        wake = self._voice.wake_at
        data = b"" if wake is None else self._voice.on_time(wake)
        return data, {"pleth": tuple(self._spoken)}, []
