"""The ECG of the side-by-side bench: 12 leads, 500 frames a second.

    A5 5A | seq u32 LE | 12 x int16 LE | CRC-8 (poly 07) over seq and leads        31 bytes

Source: the bench's own protocol (bench/README.md). Protected by the CRC; amplitude is not known.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from fractions import Fraction
from typing import ClassVar

from drivers.contract import Driver, Info, Integrity, Output, Scale, Serial, Wave
from drivers.framing import MORE, Bad, Frame, Framer, Skip, find

LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
SCALE = Scale(Fraction(500), "mV", Fraction(1, 1000), bits=12)
FRAME_BYTES = 31
_BODY = struct.Struct("<I12h")


def _table() -> bytes:
    out = bytearray()
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc << 1 & 0xFF) ^ (0x07 if crc & 0x80 else 0)
        out.append(crc)
    return bytes(out)


CRC8 = _table()


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    if not buffer.startswith(b"\xa5\x5a"):
        away = find(buffer, b"\xa5\x5a")
        if away is not None:
            return away
    if len(buffer) < FRAME_BYTES:
        return MORE
    body = bytes(buffer[2:FRAME_BYTES])
    crc, table = 0, CRC8
    for byte in body:  # the CRC of data and its own CRC is 0
        crc = table[crc ^ byte]
    return Bad("crc") if crc else Frame(FRAME_BYTES, body)


class BenchEcg(Driver):
    info: ClassVar[Info] = Info(
        id="bench_ecg",
        models=("bench 12-lead ECG",),
        claims=(Serial(460800),),
        emits=tuple(f"ecg.{lead}" for lead in LEADS),
        integrity=Integrity.CRC,
        wiring="a pseudo-terminal of the bench",
    )

    def __init__(self, options: dict[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(cut, self.counts)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        rows = [_BODY.unpack_from(body) for body in self._framer.feed(data)]
        start = 0
        for at in range(1, len(rows) + 1):
            if at == len(rows) or rows[at][0] != rows[at - 1][0] + 1:
                first, *columns = zip(*rows[start:at], strict=True)
                for lead, samples in zip(LEADS, columns, strict=True):
                    yield Wave(f"ecg.{lead}", samples, SCALE, first[0], 1 << 32)
                start = at

    def pending(self) -> int:
        return len(self._framer)
