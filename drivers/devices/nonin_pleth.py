"""Nonin oximeters, serial data formats 2 and 7: a pleth sample 75 times a second, numbers 3 times a second, unasked.

    format 2   | 01 | status | pleth | float | sum |               pleth 8 bits, 0 to 254
    format 7   | status | pleth high | pleth low | float | sum |   pleth 16 bits; sum: of the four before it, mod 256
    status     bit 7 always 1, 6 sensor disconnected (OEM III, Xpod; reserved in the 9560), 5 artifact, 4 out of track,
               3 sensor alarm, 2 red 1 green (both: yellow) perfusion, during 12 frames of a pulse, 0 sync
    float      by frame of a packet of 25, where sync is frame 1: 1 2 HR, 3 SpO2, 4 firmware, 6 7 timer (3 a second),
               8 bit 0 low battery and bit 5 SmartPoint, 10 SpO2 fast, 11 SpO2 beat to beat, 14 15 E-HR, 16 E-SpO2;
               9 17 20-23 the same for display. HR: 2 bits and 7 bits, 511 none. SpO2: 127 none.

The formats carry the same map and differ in the frame alone, so the driver learns which it is: five good frames in a
row, the first with sync and the others without. After that each frame must have its own sum, its 01 and its bit 7.
After lost bytes it learns anew; numbers come only from packets of 25 frames without a fault between them.

Source: Nonin 9560 OEM specification (6470-000), "Serial Data Format #2" and "#7"; for the OEM III and the Xpod, bit 6
and the range of the pleth: Xpod notes of Hewlett-Packard (BSD, 2005); averages and "for recording, for display" from
them and from the Oxford IBME reader; the test of Pufferfish's OEM III driver (Apache-2.0) expects the same map.

No byte of a real device was at hand: proven on made frames only. The values for recording (4 beats) are told: they
end at once where the finger goes, while those for display stand 10 s longer. Bit 6 counts only where there is no SpO2:
the 9560 leaves it undefined. Whether pleth high counts 256 is from the 16 bits of the document; one reader takes 128.
The counter of the samples is this driver's: frames by sync, whole lost packets by the bytes that were skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

from drivers.contract import (
    DeviceTime,
    Driver,
    Identity,
    Info,
    Integrity,
    Mark,
    Numeric,
    Output,
    Phase,
    Scale,
    Serial,
    Status,
    Wave,
    Why,
)
from drivers.framing import MORE, Bad, Frame, Framer, Skip

FRAME_BYTES = 5
FRAMES = 25  # of a packet
EVIDENCE_FRAMES = 5
PACKETS_A_SECOND = 3
SILENCE_NS = 2_000_000_000
WRAPS = FRAMES * 4096
SCALES = {2: Scale(Fraction(75), "1", bits=8), 7: Scale(Fraction(75), "1", bits=16)}

SYNC, PERFUSION, ALARM, OUT_OF_TRACK, ARTIFACT, DISCONNECTED = 0x01, 0x06, 0x08, 0x10, 0x20, 0x40
QUALITY = {0x02: "green", 0x04: "red", 0x06: "yellow"}
MARKS = {ALARM: "sensor-off", OUT_OF_TRACK: "out-of-track", ARTIFACT: "artifact"}
STATES = {ALARM: "sensor-alarm", OUT_OF_TRACK: "out-of-track"}
NO_SPO2, NO_HR = 127, 511
SPO2_AT = {"spo2": 2, "nonin_pleth:SpO2-fast": 9, "nonin_pleth:SpO2-beat": 10, "nonin_pleth:E-SpO2": 15}
HR_AT = {"spo2.pr": 0, "nonin_pleth:E-HR": 13}


def status_of(frame: bytes | bytearray, kind: int) -> int:
    return frame[1] if kind == 2 else frame[0]


def is_good(buffer: bytearray, at: int, kind: int) -> bool:
    """Whether a frame of this format stands at `at`."""
    frame = buffer[at : at + FRAME_BYTES]
    whole = status_of(frame, kind) & 0x80 and sum(frame[:4]) & 0xFF == frame[4]
    return bool(whole) and (kind == 7 or frame[0] == 0x01)


def may_begin(byte: int) -> bool:
    """Format 2 begins with 01, a sync frame of format 7 with a status."""
    return byte == 0x01 or byte & 0x81 == 0x81


def evidence(buffer: bytearray, kind: int) -> bool | None:
    """Whether the buffer begins with frames 1 to 5 of a packet; None where that cannot be known yet."""
    for number in range(EVIDENCE_FRAMES):
        at = number * FRAME_BYTES
        if len(buffer) < at + FRAME_BYTES:
            return None
        sync = bool(status_of(buffer[at : at + 2], kind) & SYNC)
        if sync != (number == 0) or not is_good(buffer, at, kind):
            return False
    return True


class NoninPleth(Driver):
    info = Info(
        id="nonin_pleth",
        models=("Nonin OEM III", "Nonin Xpod", "Nonin Onyx II 9560", "Nonin WristOx2 3150"),
        claims=(Serial(9600),),
        emits=("pleth", "spo2", "spo2.pr", "nonin_pleth:*"),
        integrity=Integrity.SUM,
        wiring="TTL or RS-232 of the module, the Xpod's cable, or a paired Bluetooth serial port (SPP), 9600 8N1. The "
        "oximeter must be set to serial data format 2 or 7, as its specification says; this gateway does not set it.",
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(self._cut, self.counts)
        self._kind = 0  # the format, 0 until it is known
        self._count = 0  # samples since the beginning, lost ones too
        self._lost_from = 0  # bytes skipped when the format was lost
        self._heard: int | None = None
        self._wave: tuple[int, int] = (0, 0)  # the wave under way: format, first
        self._samples: list[int] = []
        self._marks: list[Mark] = []
        self._packet: list[tuple[int, int]] | None = None  # status and float of its frames, None after a fault
        self._packets = 0
        self._pulse = False
        self._quality = ""
        self._timer: int | None = None
        self._identity = Identity()
        self._states: dict[str, bool] = {}
        self._told: dict[str, Numeric] = {}

    def pending(self) -> int:
        return len(self._framer)

    def _cut(self, buffer: bytearray) -> Frame | Skip | Bad:
        """One frame. A fault in step costs one sample, a fault that shifts the frames the rest of the packet."""
        if not self._kind:
            return self._hunt(buffer)
        if len(buffer) < FRAME_BYTES:
            return MORE
        if is_good(buffer, 0, self._kind):
            return Frame(FRAME_BYTES, bytes(buffer[:FRAME_BYTES]))
        if len(buffer) < 3 * FRAME_BYTES:
            return MORE
        self._packet = None
        if is_good(buffer, FRAME_BYTES, self._kind) and is_good(buffer, 2 * FRAME_BYTES, self._kind):
            self._count += 1
            return Bad("checksum", FRAME_BYTES)
        self._lose_step()
        return Bad("out of step")

    def _lose_step(self) -> None:
        self._kind = 0
        self._packet = None
        self._lost_from = self.counts.skipped

    def _hunt(self, buffer: bytearray) -> Frame | Skip | Bad:
        if may_begin(buffer[0]):
            kind = 2 if buffer[0] == 0x01 else 7
            found = evidence(buffer, kind)
            if found is None:
                return MORE
            if found:
                self._kind = kind
                self._count += (self.counts.skipped - self._lost_from) // FRAME_BYTES if self._count else 0
                return Frame(FRAME_BYTES, bytes(buffer[:FRAME_BYTES]))
        return Skip(next((at for at in range(1, len(buffer)) if may_begin(buffer[at])), len(buffer)))

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        if self._heard is not None and now - self._heard > SILENCE_NS:
            self._count += FRAMES  # whatever was silent may have sampled or not: it is no continuous wave
            self._lose_step()
            self._heard = None
        out: list[Output] = []
        for frame in self._framer.feed(data):
            out += self._frame(frame)
            self._heard = now
        out += self._flush()
        return out

    def _frame(self, frame: bytes) -> Iterator[Output]:
        status = status_of(frame, self._kind)
        if status & SYNC:
            self._count += -self._count % FRAMES
            self._packet = []
        if self._wave != (self._kind, self._count - len(self._samples)):
            yield from self._flush()
            self._wave = (self._kind, self._count)
        self._take_marks(status)
        self._samples.append(frame[2] if self._kind == 2 else frame[1] << 8 | frame[2])
        self._count += 1
        for bit, code in STATES.items():
            yield from self._state(code, bool(status & bit))
        yield from self._perfusion(status & PERFUSION)
        if self._packet is not None:
            self._packet.append((status, frame[3]))
            if len(self._packet) == FRAMES:
                yield from self._numbers(self._packet)
                self._packet = None

    def _flush(self) -> Iterator[Wave]:
        kind, first = self._wave
        if self._samples:
            marks = tuple(self._marks)
            yield Wave("pleth", tuple(self._samples), SCALES[kind], first % WRAPS, WRAPS, marks)
        self._samples, self._marks = [], []
        self._wave = (kind, self._count)

    def _take_marks(self, status: int) -> None:
        at = len(self._samples)
        if status & PERFUSION and not self._pulse:
            self._marks.append(Mark(at, "beat"))
        self._pulse = bool(status & PERFUSION)
        self._marks += [Mark(at, kind) for bit, kind in MARKS.items() if status & bit]

    def _perfusion(self, bits: int) -> Iterator[Status]:
        """The quality of a pulse, as the colour of Nonin's lamp, where it is another than the last."""
        if bits and QUALITY[bits] != self._quality:
            self._quality = QUALITY[bits]
            yield Status("perfusion", Phase.ON, self._quality)

    def _state(self, code: str, on: bool) -> Iterator[Status]:
        if self._states.get(code, False) != on:
            self._states[code] = on
            yield Status(code, Phase.ON if on else Phase.OFF)

    def _numbers(self, packet: list[tuple[int, int]]) -> Iterator[Output]:
        floats = [value for _, value in packet]
        status = packet[-1][0]
        off = floats[2] & 0x7F == NO_SPO2 and all(one & DISCONNECTED for one, _ in packet)
        again = self._packets % PACKETS_A_SECOND == 0
        self._packets += 1
        yield from self._state("sensor-disconnected", off)
        yield from self._state("low-battery", bool(floats[7] & 0x01))
        yield from self._state("smart-point", bool(floats[7] & 0x20))
        yield from self._device(floats, again)
        gone, doubt = reasons(status, off)
        for numeric in numerics(floats, gone, doubt):
            if again or self._told.get(numeric.channel) != numeric:
                self._told[numeric.channel] = numeric
                yield numeric

    def _device(self, floats: list[int], again: bool) -> Iterator[Output]:
        """Firmware, and the timer where it runs: modules without one leave the bytes as they are."""
        identity = Identity(firmware=str(floats[3]))
        if identity != self._identity:
            self._identity = identity
            yield identity
        timer = (floats[5] & 0x7F) << 7 | floats[6] & 0x7F
        if again and self._timer is not None and timer != self._timer:
            yield DeviceTime(ticks=timer, hertz=Fraction(PACKETS_A_SECOND))
        self._timer = timer


def reasons(status: int, off: bool) -> tuple[Why, Why | None]:
    """Why a missing number is missing, and why one that is there should be doubted."""
    doubt = Why.QUESTIONABLE if status & (ALARM | OUT_OF_TRACK) else None
    if off:
        return Why.NO_SENSOR, doubt
    if status & ALARM:
        return Why.SENSOR_OFF, doubt
    return (Why.LOW_SIGNAL if status & OUT_OF_TRACK else Why.UNAVAILABLE), doubt


def numerics(floats: list[int], gone: Why, doubt: Why | None) -> Iterator[Numeric]:
    for channel, at in SPO2_AT.items():
        spo2 = floats[at] & 0x7F
        if spo2 <= 100:
            yield Numeric(channel, spo2, "%", doubt)
        else:
            yield Numeric(channel, None, "%", gone if spo2 == NO_SPO2 else Why.INVALID)
    for channel, at in HR_AT.items():
        rate = (floats[at] & 0x03) << 7 | floats[at + 1] & 0x7F
        if rate == NO_HR:
            yield Numeric(channel, None, "/min", gone)
        else:
            yield Numeric(channel, rate, "/min", doubt)
