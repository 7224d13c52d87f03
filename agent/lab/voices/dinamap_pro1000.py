"""A DINAMAP PRO 1000 that streams native binary from the moment it is on: 50 blocks of 18 bytes a second.

Source: drivers/devices/dinamap_pro1000.py names the documents; the encoder here is written apart from the decoder
there (the CRC bit by bit, the packing by shifts of single bytes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import ClassVar

from agent.lab.voice import Record, Voice, Wanted

SECOND_NS = 1_000_000_000
BLOCKS_A_SECOND = 50
BLOCKS_OF_COUNTER = 200
SAMPLES_A_BLOCK = 4
ECG, RESP = "ecg.unspecified", "resp.wave"


def crc(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0xA1 if value & 1 else 0)
    return value


def packed(a: int, b: int, c: int, d: int) -> bytes:
    """Four 10-bit numbers in five bytes."""
    return bytes((a >> 2, (a & 3) << 6 | b >> 4, (b & 15) << 4 | c >> 6, (c & 63) << 2 | d >> 8, d & 255))


class DinamapPro1000Voice(Voice):
    wanted: ClassVar[Mapping[str, Wanted]] = {
        ECG: Wanted(Fraction(200), 0, 1000),
        RESP: Wanted(Fraction(50), 0, 1023),
    }

    def __init__(self, signals: Mapping[str, Sequence[int]], record: Record) -> None:
        super().__init__(signals, record)
        self._on_at = 0
        self._blocks = 0

    def on_open(self, now: int) -> bytes:
        self._on_at = now
        self._set_wake()
        return b""

    def _set_wake(self) -> None:
        """A block is ready when its last sample is."""
        self.wake_at = self._on_at + (self._blocks + 1) * SECOND_NS // BLOCKS_A_SECOND

    def on_time(self, now: int) -> bytes:
        out = bytearray()
        while self.wake_at is not None and self.wake_at <= now:
            out += self._block()
            self._blocks += 1
            self._set_wake()
        return bytes(out)

    def _block(self) -> bytes:
        ecg = [self._sample(ECG, self._blocks * SAMPLES_A_BLOCK + k) for k in range(SAMPLES_A_BLOCK)]
        resp = self._sample(RESP, self._blocks)
        self.record(ECG, ecg)
        self.record(RESP, [resp])
        seq = self._blocks % BLOCKS_OF_COUNTER
        beat, breath = self._blocks // 40 % 4, self._blocks // 200 % 4
        numerics = b"\x14\x01\x0c" if seq % BLOCKS_A_SECOND == 0 else b"\0\0\0"
        body = bytes([beat << 1 | breath << 3]) + packed(384, 0, 384, resp) + packed(*ecg) + numerics
        check = crc(body)
        return bytes([seq]) + body + bytes([check, check ^ 0xFF, seq ^ 0xFF])

    def _sample(self, channel: str, at: int) -> int:
        signal = self.signals[channel]
        return signal[at % len(signal)]
