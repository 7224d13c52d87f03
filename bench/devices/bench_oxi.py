"""The oximeter of the side-by-side bench: five bytes, 60 a second, in the layout of the Contec CMS50D.

    1 b s s s s | pleth 7 | hr7 bar 4 | hr 7 | spo2 7        bit 7 is set in the first byte only

Source: the bench's own protocol (bench/README.md). Not protected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from typing import ClassVar

from drivers.contract import Driver, Info, Integrity, Mark, Numeric, Output, Scale, Serial, Wave
from drivers.framing import MORE, Bad, Frame, Framer, Skip

SCALE = Scale(Fraction(60), "1", bits=7)
FRAME_BYTES = 5
REPEAT_FRAMES = 60
CLEAN = re.compile(rb"(?:[\x80-\xff][\x00-\x7f]{4})*")
LOW_4 = bytes(byte & 0x0F for byte in range(256))
BIT_6 = bytes(byte & 0x40 for byte in range(256))


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    if buffer[0] < 0x80:
        return Skip(1)
    if len(buffer) < FRAME_BYTES:
        return MORE
    body = bytes(buffer[:FRAME_BYTES])
    return Frame(FRAME_BYTES, body) if max(body[1:]) < 0x80 else Bad("sync")


class BenchOxi(Driver):
    info: ClassVar[Info] = Info(
        id="bench_oxi",
        models=("bench oximeter",),
        claims=(Serial(19200),),
        emits=("pleth", "spo2.bar", "spo2.signal", "spo2", "spo2.pr"),
        integrity=Integrity.NONE,
        wiring="a pseudo-terminal of the bench",
    )

    def __init__(self, options: dict[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(cut, self.counts)
        self._said = (-1, -1, -1)
        self._frames = 0

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        whole = self._whole(data)
        if not whole:
            return
        first, pleth, third, rate, spo2 = (whole[at::FRAME_BYTES] for at in range(FRAME_BYTES))
        beats = tuple(Mark(at, "beat") for at, byte in enumerate(first) if byte & 0x40)
        yield Wave("pleth", tuple(pleth), SCALE, marks=beats)
        yield Wave("spo2.bar", tuple(third.translate(LOW_4)), SCALE)
        yield Wave("spo2.signal", tuple(first.translate(LOW_4)), SCALE)
        for said in zip(spo2, third.translate(BIT_6), rate, strict=True):
            if said != self._said or self._frames % REPEAT_FRAMES == 0:
                self._said = said
                yield Numeric("spo2", said[0], "%")
                yield Numeric("spo2.pr", said[1] << 1 | said[2], "/min")
            self._frames += 1

    def _whole(self, data: bytes) -> bytes:
        """The good frames, one after another. Mostly that is all there is, and then nobody looks at each."""
        if not len(self._framer) and CLEAN.fullmatch(data):
            self.counts.frames += len(data) // FRAME_BYTES
            return data
        return b"".join(self._framer.feed(data))

    def pending(self) -> int:
        return len(self._framer)
