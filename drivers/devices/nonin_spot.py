"""Nonin Onyx II 9560 and WristOx2 3150, serial data format 13: one packet for each spot check.

    00 02 00 0D | length 2 | century year month day hour minute second 00 | status 2 | HR 2 | -- | SpO2 ... | sum | 03
    status, first byte: bit 0 no measurement, bit 1 SmartPoint; second byte: bit 4 from memory, bit 0 low battery
    length and HR: high byte first; HR 511 none, SpO2 127 none; sum: of the data behind the length, mod 256

Source: Nonin 9560 OEM specification (6470-000), "Data Format #13", and its reading in mattjlewis/NoninPulseOx, by
which the data may grow beyond 14 bytes: what stands behind SpO2 is counted in the sum and not read.

No byte of a real device was at hand: proven on made packets only. The specification has the date in BCD, the reader
takes plain numbers; the century tells which it is (20 or 14 in hex). Where it is neither, or there is no such date, the
clock is not told, the numbers are.
Not known: whether the oximeter expects an answer to a packet, and sends it again, or later as one "from memory", where
none comes. This driver answers nothing. The same packet again is not told again, and one from memory is history: a
status tells that there was one, and it is no reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from drivers.contract import DeviceTime, Driver, Info, Integrity, Numeric, Output, Phase, Serial, Status, Why
from drivers.framing import MORE, Bad, Frame, Framer, Skip, find
from drivers.moments import existing

START = b"\x00\x02\x00\x0d"
DATA_AT = 6
LEAST_BYTES, MOST_BYTES = 14, 64
END = 0x03
NO_SPO2, NO_HR = 127, 511
NO_MEASUREMENT, SMART_POINT = 0x01, 0x02
FROM_MEMORY, LOW_BATTERY = 0x10, 0x01


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    """The body is the data between length and sum."""
    skip = find(buffer, START)
    if skip is not None:
        return skip
    if len(buffer) < DATA_AT:
        return MORE
    length = buffer[4] << 8 | buffer[5]
    if not LEAST_BYTES <= length <= MOST_BYTES:
        return Bad("length")
    end = DATA_AT + length
    if len(buffer) < end + 2:
        return MORE
    data = bytes(buffer[DATA_AT:end])
    if buffer[end] != sum(data) & 0xFF:
        return Bad("checksum")
    if buffer[end + 1] != END:
        return Bad("end")
    return Frame(end + 2, data)


def time_of(data: bytes) -> str:
    """Local date and time, "" where the bytes are none."""
    digits = data[:7].hex() if data[0] == 0x20 else "".join(f"{byte:02d}" for byte in data[:7])
    if not digits.isdecimal() or len(digits) != 14 or not digits.startswith("20"):
        return ""
    month, day, hour, minute, second = (digits[at : at + 2] for at in range(4, 14, 2))
    return existing(f"{digits[:4]}-{month}-{day}T{hour}:{minute}:{second}")


def reading(channel: str, unit: str, value: int, most: int, none: int, measured: bool) -> Numeric:
    if not measured or value == none:
        return Numeric(channel, None, unit, Why.UNAVAILABLE)
    if value > most:
        return Numeric(channel, None, unit, Why.INVALID)
    return Numeric(channel, value, unit)


class NoninSpot(Driver):
    info = Info(
        id="nonin_spot",
        models=("Nonin Onyx II 9560", "Nonin WristOx2 3150"),
        claims=(Serial(9600),),
        emits=("spo2", "spo2.pr"),
        integrity=Integrity.SUM,
        wiring="Paired Bluetooth serial port (SPP), 9600 8N1. Set the oximeter to serial data format 13 as its "
        "specification says; this gateway does not set it.",
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(cut, self.counts)
        self._last = b""
        self._states: dict[str, bool] = {}

    def pending(self) -> int:
        return len(self._framer)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        out: list[Output] = []
        for body in self._framer.feed(data):
            if body != self._last:
                self._last = body
                out += self._spot(body)
        return out

    def _spot(self, d: bytes) -> Iterator[Output]:
        status, second = d[8], d[9]
        yield from self._state("low-battery", bool(second & LOW_BATTERY))
        yield from self._state("stored-data", bool(second & FROM_MEMORY))
        if second & FROM_MEMORY:
            return
        if time := time_of(d):
            yield DeviceTime(time)
        yield from self._state("smart-point", bool(status & SMART_POINT))
        yield from self._state("no-measurement", bool(status & NO_MEASUREMENT))
        measured = not status & NO_MEASUREMENT
        yield reading("spo2", "%", d[13], 100, NO_SPO2, measured)
        yield reading("spo2.pr", "/min", d[10] << 8 | d[11], NO_HR, NO_HR, measured)

    def _state(self, code: str, on: bool) -> Iterator[Status]:
        if self._states.get(code, False) != on:
            self._states[code] = on
            yield Status(code, Phase.ON if on else Phase.OFF)
