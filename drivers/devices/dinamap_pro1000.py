"""GE / Critikon DINAMAP PRO 1000, native binary stream: 50 blocks of 18 bytes a second.

    byte   0     1        2..6      7..11     12..14         15    16     17
         +-----+--------+---------+---------+--------------+-----+------+------+
         | seq | status | ch1     | ch2     | non-waveform | crc | ~crc | ~seq |   seq counts modulo 200
         +-----+--------+---------+---------+--------------+-----+------+------+
    ch1, ch2: four 10-bit numbers, high bits first. crc: CRC-8, reflected polynomial A1, initial value 0, bytes 1..14.
    status: bits 1-2 change at each QRS, bits 3-4 at each breath, 20 warning alarm, 40 crisis alarm.

Source: Zeriam/dinamap-reader at e29197c3 (block layout and a recording of a PRO 1000); the CRC was found by solving the
recording and holds for every block of it. The maker's text is the PRO 1000 Host Communications Manual, not in hand.

Waves, each with the device's own counter, so that a lost block is a visible jump:
`ecg.unspecified` ch2, 200 Hz, zero about 508; the lead and the gain are not told, so the unit is 1; samples above 1000
    are spikes, kept and marked `pace` (UNCERTAIN: they may be artefacts)
`resp.wave` the 4th number of ch1, 50 Hz; its origin and scale are not told
`dinamap_pro1000:ch1_0` .. `ch1_2` the other numbers of ch1, constant 384, 0, 384 in all that was seen; meaning unknown
`dinamap_pro1000:record` the non-waveform bytes, 150 a second: a record of 150 bytes begins where the counter is a
    multiple of 150. It holds the numerics; its layout is not known, so it is carried whole, to be decoded later.

Not protected: seq but for its complement. Not known: status bits 0 and 7, told as a status when they change; how the
stream is switched on (the driver only listens).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from drivers.contract import (
    Alarm,
    Driver,
    Info,
    Integrity,
    Mark,
    Output,
    Phase,
    Scale,
    Serial,
    Status,
    Wave,
)
from drivers.framing import MORE, Bad, Frame, Framer, Skip

BLOCK_BYTES = 18
BLOCKS_OF_COUNTER = 200
SPIKE_ABOVE = 1000
QRS_BITS, BREATH_BITS, WARNING_BIT, CRISIS_BIT = 0x06, 0x18, 0x20, 0x40
UNKNOWN_BITS = 0xFF & ~(QRS_BITS | BREATH_BITS | WARNING_BIT | CRISIS_BIT)

ECG, RESP, RECORD = "ecg.unspecified", "resp.wave", "dinamap_pro1000:record"
CH1 = ("dinamap_pro1000:ch1_0", "dinamap_pro1000:ch1_1", "dinamap_pro1000:ch1_2")
SCALES = {
    ECG: Scale(Fraction(200), "1", offset=Fraction(508), bits=10),
    RESP: Scale(Fraction(50), "1", bits=10),
    **{channel: Scale(Fraction(50), "1", bits=10) for channel in CH1},
    RECORD: Scale(Fraction(150), "1", bits=8),
}
EACH_BLOCK = {ECG: 4, RESP: 1, RECORD: 3, **dict.fromkeys(CH1, 1)}  # samples


def _crc_of_byte(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ 0xA1 if value & 1 else value >> 1
    return value


CRC_TABLE = bytes(_crc_of_byte(value) for value in range(256))


def crc(data: bytes | bytearray) -> int:
    value = 0
    for byte in data:
        value = CRC_TABLE[value ^ byte]
    return value


def unpack(p: bytes) -> tuple[int, int, int, int]:
    """Four 10-bit numbers of five bytes."""
    packed = int.from_bytes(p, "big")
    return packed >> 30, packed >> 20 & 0x3FF, packed >> 10 & 0x3FF, packed & 0x3FF


def fault(block: bytearray) -> str:
    """What is wrong with 18 bytes taken for a block; empty if nothing."""
    if block[0] ^ block[17] != 0xFF or block[0] >= BLOCKS_OF_COUNTER:
        return "sequence"
    if block[15] ^ block[16] != 0xFF or block[15] != crc(block[1:15]):
        return "checksum"
    return ""


@dataclass(slots=True)
class Run:
    """Blocks without a hole: what they say, by channel."""

    seq: int
    samples: dict[str, list[int]] = field(default_factory=lambda: {channel: [] for channel in SCALES})
    marks: dict[str, list[Mark]] = field(default_factory=lambda: {ECG: [], RESP: []})

    def waves(self) -> Iterator[Wave]:
        for channel, samples in self.samples.items():
            each = EACH_BLOCK[channel]
            marks = tuple(self.marks.get(channel, ()))
            wraps = BLOCKS_OF_COUNTER * each
            yield Wave(channel, tuple(samples), SCALES[channel], self.seq * each, wraps, marks)


class DinamapPro1000(Driver):
    info = Info(
        id="dinamap_pro1000",
        models=("GE DINAMAP PRO 1000",),
        claims=(Serial(9600),),
        emits=(ECG, RESP, *CH1, RECORD),
        integrity=Integrity.CRC,
        wiring="Host communications port (RS-232) of the monitor, 9600 8N1 (the stream is 900 bytes a second). The "
        "monitor must have been set to stream native binary; the driver sends nothing.",
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(self._cut, self.counts)
        self._in_step = False
        self._next: int | None = None
        self._status = 0
        self._unknown: int | None = None

    def pending(self) -> int:
        return len(self._framer)

    def _cut(self, buffer: bytearray) -> Frame | Skip | Bad:
        """There is no start byte: out of step, a block is sought byte by byte, and only the first miss is a bad one."""
        if len(buffer) < BLOCK_BYTES:
            return MORE
        wrong = fault(buffer[:BLOCK_BYTES])
        if not wrong:
            self._in_step = True
            return Frame(BLOCK_BYTES, bytes(buffer[:BLOCK_BYTES]))
        if self._in_step:
            self._in_step = False
            return Bad(wrong)
        return Skip(1)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        out: list[Output] = []
        run: Run | None = None
        for block in self._framer.feed(data):
            whole = block[0] == self._next
            if run is None or not whole:
                out += run.waves() if run else ()
                run = Run(block[0])
            self._add(run, block, whole)
            out += self._states(block[1])
            self._next = (block[0] + 1) % BLOCKS_OF_COUNTER
        out += run.waves() if run else ()
        return out

    def _add(self, run: Run, block: bytes, whole: bool) -> None:
        """Put a block into a run. After a hole nobody knows when the beat was, so a change there is no mark."""
        changed = block[1] ^ self._status if whole else 0
        ecg, (*constants, resp) = unpack(block[7:12]), unpack(block[2:7])
        at = len(run.samples[ECG])
        if changed & QRS_BITS:
            run.marks[ECG].append(Mark(at, "qrs"))
        run.marks[ECG] += [Mark(at + k, "pace") for k, sample in enumerate(ecg) if sample > SPIKE_ABOVE]
        if changed & BREATH_BITS:
            run.marks[RESP].append(Mark(len(run.samples[RESP]), "breath"))
        run.samples[ECG] += ecg
        run.samples[RESP].append(resp)
        for channel, sample in zip(CH1, constants, strict=True):
            run.samples[channel].append(sample)
        run.samples[RECORD] += block[12:15]

    def _states(self, status: int) -> Iterator[Output]:
        changed = status ^ self._status
        self._status = status
        for bit, text in ((WARNING_BIT, "WARNING"), (CRISIS_BIT, "CRISIS")):
            if changed & bit:
                yield Alarm(text.lower(), text, "unknown", Phase.ON if status & bit else Phase.OFF)
        if status & UNKNOWN_BITS != self._unknown:
            self._unknown = status & UNKNOWN_BITS
            yield Status("unknown-status-bits", Phase.ON, f"{self._unknown:02X}")
