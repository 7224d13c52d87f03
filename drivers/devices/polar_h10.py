"""Polar H10 chest strap: one-lead ECG at 130 Hz over Bluetooth LE (PMD), heart rate and contact beside it.

    data FB005C82     00 | time u64 LE, ns, of the last sample | 00 | samples i24 LE in microvolts     (a notification)
    control FB005C81  request 02 start · reply F0 | request | type | error | more · 0F .. what it can measure
    heart rate 2A37   flags: 0 u16, 1 contact, 2 contact is told, 3 energy, 4 RR | rate u8 or u16

Source: Polar BLE SDK, online measurement document and EcgDataTest (at 0aabf34a); six notifications and replies of an
H10 printed in phdiethelm/h10_ecg at 88d1b0c6, exploration/gatttool.md. Proven on them: 73 samples a notification (MTU
232), times 0.561 s apart, which is 130.2 Hz by the strap's own clock; that clock starts in 2019 and is told as ticks.

Sent: the start of ECG notifications (02 00, 130 Hz, 14 bits), the only setting the H10 has. By the document it begins
a stream for this connection: it changes no setting, records nothing and erases nothing.

Not protected: no checksum and no counter; samples lost between two notifications show in the times (mark `gap`).
A recording does not say where a notification begins: there a frame is one of 73 samples, all of them below 65.5 mV.
Not known: frame types 1 to 3 (other straps; refused), what the electrodes' lead is in clinical words, RR is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

from drivers.contract import (
    Ble,
    DeviceTime,
    Driver,
    Info,
    Integrity,
    Mark,
    Numeric,
    Output,
    Phase,
    Scale,
    Send,
    Status,
    Subscribe,
    Wave,
    Why,
)
from drivers.framing import MORE, Bad, Frame, Framer, Skip

CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
HEART_RATE_SENSOR = "0000180d-0000-1000-8000-00805f9b34fb"
HEART_RATE = "00002a37-0000-1000-8000-00805f9b34fb"
REPLY = bytes.fromhex("F002")
START = bytes.fromhex("02000001820001010E00")
ERRORS = {
    1: "invalid op code",
    2: "invalid measurement type",
    3: "not supported",
    4: "invalid length",
    5: "invalid parameter",
    6: "already in state",
    7: "invalid resolution",
    8: "invalid sample rate",
    9: "invalid range",
    10: "invalid MTU",
    12: "invalid state",
    13: "charging",
}
ALREADY = 6

HEAD_BYTES, SAMPLE_BYTES = 10, 3
RECORDED_BYTES = HEAD_BYTES + 73 * SAMPLE_BYTES
NEWEST = 0x10  # the time's highest byte until 2036
SECOND_NS = 1_000_000_000
SILENCE_NS = 5 * SECOND_NS
SCALE = Scale(Fraction(130), "uV", bits=14)


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    """A recording: the body is a whole notification. Only ECG of 73 samples is found in it."""
    size = min(len(buffer), RECORDED_BYTES)
    if buffer[0] != 0 or (size > 9 and buffer[9] != 0) or (size > 8 and buffer[8] > NEWEST):
        start = buffer.find(0, 1)
        return Skip(start if start > 0 else len(buffer))
    if any(buffer[at] not in (0, 0xFF) for at in range(HEAD_BYTES + 2, size, SAMPLE_BYTES)):
        return Skip(1)
    if size < RECORDED_BYTES:
        return MORE
    if not any(buffer[1:9]):
        return Skip(1)
    return Frame(size, bytes(buffer[:size]))


class PolarH10(Driver):
    info = Info(
        id="polar_h10",
        models=("Polar H10",),
        claims=(Ble(HEART_RATE_SENSOR, "Polar H10"),),
        emits=("ecg.unspecified", "ecg.hr"),
        integrity=Integrity.NONE,
        wiring="Bluetooth LE, MTU of 232 or more; pair it if the host asks for it. Moisten the strap's electrodes and "
        "put it on: the H10 only advertises while it is worn. One connection for ECG at a time.",
        sends=frozenset((START,)),
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(cut, self.counts)
        self._time: int | None = None
        self._states: dict[str, str] = {}

    def pending(self) -> int:
        return len(self._framer)

    def on_open(self, now: int) -> Iterable[Output]:
        return [*map(Subscribe, (CONTROL, DATA, HEART_RATE)), *self.on_time(now)]

    def on_time(self, now: int) -> Iterable[Output]:
        """Nothing came for a while: the strap may have been off."""
        self.wake_at = now + SILENCE_NS
        return (Send(START, CONTROL),)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        if source == CONTROL:
            return list(self._reply(data))
        if source == HEART_RATE:
            return list(self._heart_rate(data))
        frames = list(self._framer.feed(data)) if not source else self._notification(data)
        if frames:
            self.wake_at = now + SILENCE_NS
        return self._ecg(frames)

    def _notification(self, data: bytes) -> list[bytes]:
        """A notification is one frame of any number of samples."""
        why = ""
        if len(data) <= HEAD_BYTES or (len(data) - HEAD_BYTES) % SAMPLE_BYTES:
            why = "length"
        elif data[0] != 0:
            why = "not ECG"
        elif data[9] != 0:
            why = "frame type"
        if why:
            self._refuse(why, data)
            return []
        self.counts.frames += 1
        return [data]

    def _refuse(self, why: str, data: bytes) -> None:
        self.counts.refuse(why)
        self.counts.skipped += len(data)

    def _ecg(self, frames: list[bytes]) -> list[Output]:
        out: list[Output] = []
        samples: list[int] = []
        marks: list[Mark] = []
        for frame in frames:
            time, count = int.from_bytes(frame[1:9], "little"), (len(frame) - HEAD_BYTES) // SAMPLE_BYTES
            if self._time is not None and not self._follows(time, count):
                marks.append(Mark(len(samples), "gap"))
            self._time = time
            out.append(DeviceTime(ticks=time, hertz=Fraction(SECOND_NS)))
            for at in range(HEAD_BYTES, len(frame), SAMPLE_BYTES):
                samples.append(int.from_bytes(frame[at : at + SAMPLE_BYTES], "little", signed=True))
        if samples:
            out.append(Wave("ecg.unspecified", tuple(samples), SCALE, marks=tuple(marks)))
        return out

    def _follows(self, time: int, count: int) -> bool:
        """Whether the times leave room for these samples and no more, give or take a tenth."""
        assert self._time is not None
        return abs((time - self._time) * 130 - count * SECOND_NS) * 10 <= count * SECOND_NS

    def _reply(self, data: bytes) -> Iterator[Output]:
        if data[:2] != REPLY or len(data) < 4:
            self._refuse("other reply", data)
            return
        self.counts.frames += 1
        error = data[3] if data[3] != ALREADY else 0
        yield from self._state("start-refused", f"{error:02X} {ERRORS.get(error, '')}".strip() if error else "")

    def _heart_rate(self, data: bytes) -> Iterator[Output]:
        is_wide = len(data) > 0 and data[0] & 1
        if len(data) < 2 + is_wide:
            self._refuse("length", data)
            return
        self.counts.frames += 1
        rate = int.from_bytes(data[1 : 2 + is_wide], "little")
        is_off = data[0] & 0x06 == 0x04
        yield from self._state("no-contact", "strap" if is_off else "")
        if is_off:
            yield Numeric("ecg.hr", None, "/min", Why.SENSOR_OFF)
        else:
            yield Numeric("ecg.hr", rate, "/min", None if rate else Why.QUESTIONABLE)

    def _state(self, code: str, text: str) -> Iterator[Output]:
        if self._states.get(code, "") != text:
            self._states[code] = text
            yield Status(code, Phase.ON if text else Phase.OFF, text)
