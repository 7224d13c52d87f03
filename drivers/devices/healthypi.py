"""ProtoCentral HealthyPi v3 and v4 boards: ECG, respiration, raw light and numerics in one frame a sample, unasked.

    0A FA | 14 00 | 02 | ECG i16 · respiration i16 · IR i32 · red i32 · temperature u16, 0.01 Cel | 00 0B
                       | RR u8 · SpO2 u8 · HR u8 · 80 · 120 · lead status u8                      |       numbers LE

Source: firmware Healthypiv4_Arduino.ino in Protocentral/protocentral_healthypi_v4 at 044a44d0 (MIT), whose serial mode
is called V3. No byte of a device was at hand: the capture is made by what the firmware writes.

The two bytes 80 and 120 look like a blood pressure and are constants of the firmware: they are never told. Lead status,
bits 0-4: any of them is an electrode off; the firmware then writes zeros for ECG, respiration, HR and RR: those samples
carry the mark lead-off, the rates are absent. SpO2 0 stands for a failed calculation, temperature 0 for none read yet.
Not protected: no checksum, no counter; a frame is 27 bytes of which seven are fixed. A lost frame is seen only if cut.
ECG and respiration are filtered at 40 Hz and in counts; IR (told as pleth) and red are the raw light, DC and all.
Not known: gain of the ECG, which lead it is, what tells that the finger is out (the firmware does not look).
HealthyPi 5 and ProtoCentral's single-sensor boards use the envelope with other contents: they are refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction

from drivers.contract import (
    Driver,
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
from drivers.framing import MORE, Bad, Frame, Framer, Skip, find

START, END = b"\x0a\xfa", b"\x00\x0b"
HEAD = b"\x0a\xfa\x14\x00\x02"
BODY = struct.Struct("<hhiiHBBBBBB")
SIZE_BYTES = len(HEAD) + BODY.size + len(END)
ANY_LEAD = 0x1F  # bit by bit in the converter's manual; the firmware asks only whether any is up

RATE = 125
COUNTS = Scale(Fraction(RATE), "1", bits=16, filter="40Hz")
LIGHT = Scale(Fraction(RATE), "1", bits=22)
WAVES = (("ecg.unspecified", COUNTS), ("resp.wave", COUNTS), ("pleth", LIGHT), ("healthypi:red", LIGHT))


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    """The body is what stands between the type and the two last bytes."""
    if skip := find(buffer, START):
        return skip
    if len(buffer) < len(HEAD):
        return MORE
    if not buffer.startswith(HEAD):
        return Bad("other contents", len(START))
    if len(buffer) < SIZE_BYTES:
        return MORE
    if buffer[SIZE_BYTES - 2 : SIZE_BYTES] != END:
        return Bad("no end", len(START))
    return Frame(SIZE_BYTES, bytes(buffer[len(HEAD) : SIZE_BYTES - 2]))


class HealthyPi(Driver):
    info = Info(
        id="healthypi",
        models=("ProtoCentral HealthyPi v4", "ProtoCentral HealthyPi v3"),
        claims=(Serial(115200), Serial(57600)),
        emits=(*(channel for channel, _ in WAVES), "ecg.hr", "resp.rr_impedance", "spo2", "temp.skin"),
        integrity=Integrity.NONE,
        wiring="USB cable. HealthyPi v4: set the slide switch to V3 (serial) mode and restart, 115200 8N1; v3 speaks "
        "at 57600. For research, not a medical device.",
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(cut, self.counts)
        self._told: dict[str, Numeric] = {}
        self._leads = 0
        self._frames = 0

    def pending(self) -> int:
        return len(self._framer)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        out: list[Output] = []
        samples: list[tuple[int, ...]] = []
        off: list[bool] = []
        for body in self._framer.feed(data):
            ecg, resp, infrared, red, temperature, rr, spo2, hr, _, _, leads = BODY.unpack(body)
            samples.append((ecg, resp, infrared, red))
            off.append(bool(leads & ANY_LEAD))
            out += self._lead_states(leads & ANY_LEAD)
            out += self._numerics(off[-1], temperature, rr, spo2, hr)
        if samples:
            marks = tuple(Mark(at, "lead-off") for at, is_off in enumerate(off) if is_off)
            for at, (channel, scale) in enumerate(WAVES):
                column = tuple(row[at] for row in samples)
                out.append(Wave(channel, column, scale, marks=marks if scale is COUNTS else ()))
        return out

    def _lead_states(self, leads: int) -> Iterator[Status]:
        if leads != self._leads:
            self._leads = leads
            yield Status(
                "lead-off", Phase.ON if leads else Phase.OFF, f"{leads:02X}" if leads else "", "ecg.unspecified"
            )

    def _numerics(self, is_off: bool, temperature: int, rr: int, spo2: int, hr: int) -> Iterator[Numeric]:
        """Said when they change and once a second by the count of frames."""
        again = self._frames % RATE == 0
        self._frames += 1
        absent = Why.SENSOR_OFF if is_off else Why.UNAVAILABLE
        for numeric in (
            reading("ecg.hr", 0 if is_off else hr, "/min", absent),
            reading("resp.rr_impedance", 0 if is_off else rr, "/min", absent),
            reading("spo2", spo2 if spo2 <= 100 else 0, "%", Why.INVALID),
            reading("temp.skin", temperature and Decimal(temperature).scaleb(-2), "Cel", Why.UNAVAILABLE),
        ):
            if again or self._told.get(numeric.channel) != numeric:
                self._told[numeric.channel] = numeric
                yield numeric


def reading(channel: str, value: int | Decimal, unit: str, absent: Why) -> Numeric:
    """The firmware writes 0 where it has nothing."""
    return Numeric(channel, value, unit) if value else Numeric(channel, None, unit, absent)
