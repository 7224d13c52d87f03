"""Nonin oximeters, serial data formats 1 and 8: 3 or 4 bytes once a second, unasked.

    byte 1   bit 7 always 1, 6 sensor disconnected (format 1; reserved in 8), 5 out of track, 4 low perfusion,
             3 marginal perfusion, 2 artifact ("bad pulse"), 1 0 the two high bits of HR
    byte 2   bit 7 always 0, HR low; 511 none
    byte 3   bit 7 always 0, SpO2; 127 none
    byte 4   format 8 alone: bit 7 always 0, 5 SmartPoint, 3 sensor alarm, 0 low battery

Source: Nonin 9560 OEM specification (6470-000), "Serial Data Format #8"; format 1 by the copy of Nonin's table at
pastebin.com/7WvErGqY, which agrees with the first three bytes of format 8.

Not protected: neither checksum nor start byte, only bit 7. So a line must prove itself first: four frames in a row of
one size, each begun by a byte with bit 7, with possible numbers, and spread over two seconds at least. The frames of
the proof are not told: that costs four seconds of numbers at the start, after a fault, and after a silence. The size
tells the format. A flipped bit within the numbers passes unless SpO2 gets above 100.
No byte of a real device was at hand: proven on made frames only. Bit 6 counts only where there is no SpO2: in format 8
it is undefined. Bits 1 and 2 of byte 4 (a reader of a 3150 calls them battery critical and spot check mode) are left
out: the 9560 leaves them undefined.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from drivers.contract import Driver, Info, Integrity, Numeric, Output, Phase, Serial, Status, Why
from drivers.framing import MORE, Bad, Frame, Framer, Skip

SIZES = (3, 4)  # bytes of a frame of format 1, 8
EVIDENCE_FRAMES = 4
EVIDENCE_NS = 2_000_000_000
SILENCE_NS = 3_500_000_000
NO_SPO2, NO_HR = 127, 511
DISCONNECTED, OUT_OF_TRACK, LOW, MARGINAL, ARTIFACT = 0x40, 0x20, 0x10, 0x08, 0x04
SMART_POINT, ALARM, LOW_BATTERY = 0x20, 0x08, 0x01
STATES = {OUT_OF_TRACK: "out-of-track", LOW: "low-perfusion", MARGINAL: "marginal-perfusion", ARTIFACT: "artifact"}
MORE_STATES = {SMART_POINT: "smart-point", ALARM: "sensor-alarm", LOW_BATTERY: "low-battery"}


def is_possible(frame: bytes | bytearray) -> bool:
    """Bit 7 where it belongs, and a saturation there can be."""
    return (
        len(frame) in SIZES and frame[0] >= 0x80 and max(frame[1:]) < 0x80 and (frame[2] <= 100 or frame[2] == NO_SPO2)
    )


class NoninNumeric(Driver):
    info = Info(
        id="nonin_numeric",
        models=("Nonin OEM III", "Nonin Xpod", "Nonin Onyx II 9560", "Nonin WristOx2 3150"),
        claims=(Serial(9600),),
        emits=("spo2", "spo2.pr"),
        integrity=Integrity.NONE,
        wiring="TTL or RS-232 of the module, or a paired Bluetooth serial port (SPP), 9600 8N1, set to serial data "
        "format 1 or 8 as its specification says. Formats 2 and 7 carry the pleth and a checksum: prefer nonin_pleth.",
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(self._cut, self.counts)
        self._size = 0  # of a frame, 0 until the line has proved itself
        self._proof: list[tuple[int, int]] = []  # size and time of the last possible frames
        self._now = 0
        self._heard: int | None = None
        self._states: dict[str, bool] = {}

    def pending(self) -> int:
        return len(self._framer)

    def _cut(self, buffer: bytearray) -> Frame | Skip | Bad:
        if not self._size:
            return self._prove(buffer)
        if buffer[0] >= 0x80 and len(buffer) < self._size:
            return MORE
        frame = bytes(buffer[: self._size])
        if is_possible(frame):
            return Frame(self._size, frame)
        self._distrust()
        return Bad("out of step" if frame[0] < 0x80 or max(frame[1:]) >= 0x80 else "saturation")

    def _prove(self, buffer: bytearray) -> Skip:
        """How many bytes it is from one bit 7 to the next is the size; so a frame is known when the next one begins."""
        following = next((at for at in range(1, len(buffer)) if buffer[at] >= 0x80), 0)
        if not following and len(buffer) <= max(SIZES) and buffer[0] >= 0x80:
            return MORE
        size = following or len(buffer)
        frame = bytes(buffer[:size])
        if not following or not is_possible(frame):
            self._proof.clear()
            return Skip(size)
        self._proof = [*self._proof, (size, self._now)][-EVIDENCE_FRAMES:]
        sizes = {size for size, _ in self._proof}
        spread = self._now - self._proof[0][1]
        if len(self._proof) == EVIDENCE_FRAMES and len(sizes) == 1 and spread >= EVIDENCE_NS:
            self._size = size
        return Skip(size)

    def _distrust(self) -> None:
        self._size = 0
        self._proof.clear()

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        if self._heard is not None and now - self._heard > SILENCE_NS:
            self._distrust()
        self._now = now
        if data:
            self._heard = now
        out: list[Output] = []
        for frame in self._framer.feed(data):
            out += self._reading(frame)
        return out

    def _reading(self, frame: bytes) -> Iterator[Output]:
        status, more = frame[0], frame[3] if len(frame) == max(SIZES) else 0
        rate, spo2 = (status & 0x03) << 7 | frame[1], frame[2]
        off = bool(status & DISCONNECTED) and spo2 == NO_SPO2
        yield from self._state("sensor-disconnected", off)
        for bits, names in ((status, STATES), (more, MORE_STATES)):
            for bit, code in names.items():
                yield from self._state(code, bool(bits & bit))
        lost, alarm = bool(status & OUT_OF_TRACK), bool(more & ALARM)
        gone = Why.NO_SENSOR if off else Why.SENSOR_OFF if alarm else Why.LOW_SIGNAL if lost else Why.UNAVAILABLE
        doubt = Why.QUESTIONABLE if lost or alarm else None
        for channel, unit, value, none in (("spo2", "%", spo2, NO_SPO2), ("spo2.pr", "/min", rate, NO_HR)):
            yield Numeric(channel, None, unit, gone) if value == none else Numeric(channel, value, unit, doubt)

    def _state(self, code: str, on: bool) -> Iterator[Status]:
        if self._states.get(code, False) != on:
            self._states[code] = on
            yield Status(code, Phase.ON if on else Phase.OFF)
