"""The oximeter of the side-by-side bench: five bytes, 60 a second, in the layout of the Contec CMS50D.

    1 b s s s s | pleth 7 | hr7 bar 4 | hr 7 | spo2 7        bit 7 is set in the first byte only

Source: the bench's own protocol (bench/README.md). Not protected.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import ClassVar

from drivers.contract import Driver, Info, Integrity, Mark, Numeric, Output, Scale, Serial, Wave
from drivers.framing import MORE, Bad, Frame, Framer, Skip

SCALE = Scale(Fraction(60), "1", bits=7)
FRAME_BYTES = 5
REPEAT_FRAMES = 60


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
        self._said = (-1, -1)
        self._frames = 0

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        frames = list(self._framer.feed(data))
        if not frames:
            return
        beats = tuple(Mark(at, "beat") for at, frame in enumerate(frames) if frame[0] & 0x40)
        yield Wave("pleth", tuple(frame[1] for frame in frames), SCALE, marks=beats)
        yield Wave("spo2.bar", tuple(frame[2] & 0x0F for frame in frames), SCALE)
        yield Wave("spo2.signal", tuple(frame[0] & 0x0F for frame in frames), SCALE)
        for frame in frames:
            pair = (frame[4], (frame[2] & 0x40) << 1 | frame[3])
            if pair != self._said or self._frames % REPEAT_FRAMES == 0:
                self._said = pair
                yield Numeric("spo2", pair[0], "%")
                yield Numeric("spo2.pr", pair[1], "/min")
            self._frames += 1

    def pending(self) -> int:
        return len(self._framer)
