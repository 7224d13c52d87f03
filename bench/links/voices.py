"""The devices at the bed: the bench's 12-lead ECG and its oximeter, with real ECG on the lines.

The ECG is the record that `WARDLINK_RECORDS` has as A0005 (CPSC 2018: 12 leads, 500 Hz), else the 12-lead DICOM in
pydicom; both are looped. What is said is kept, to be compared with what the centre stored.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import numpy as np

from agent.lab import signals
from agent.lab.voice import Record, Voice, Wanted
from bench.codec_table import signals as records
from bench.devices.bench_ecg import CRC8, LEADS

SECOND_NS = 1_000_000_000
RECORD = "A0005"
_BODY = struct.Struct("<I12h")


class Steady(Voice):
    """Says `frame(n)` at a steady rate, as many as are due whenever the line looks, `looks_hz` times a second."""

    rate_hz: ClassVar[int]
    looks_hz: ClassVar[int] = 25

    def __init__(self, signals: Mapping[str, Sequence[int]], record: Record) -> None:
        super().__init__(signals, record)
        self._began = 0
        self._frames = 0

    def on_open(self, now: int) -> bytes:
        self._began = self.wake_at = now
        return b""

    def on_time(self, now: int) -> bytes:
        due = (now - self._began) * self.rate_hz // SECOND_NS
        said = b"".join(self.frame(number) for number in range(self._frames, due))
        for channel, signal in self.signals.items():
            self.record(channel, [signal[number % len(signal)] for number in range(self._frames, due)])
        self._frames = due
        self.wake_at = now + SECOND_NS // self.looks_hz
        return said

    def frame(self, number: int) -> bytes:
        """The frame of sample `number`."""
        raise AssertionError("each voice has its own")


class Ecg(Steady):
    """bench/devices/bench_ecg.py has the drawing of its packet."""

    rate_hz = 500
    driver: ClassVar[str] = "bench_ecg"

    def __init__(self, record: Record) -> None:
        super().__init__(ecg(), record)
        self._rows = list(zip(*(self.signals[f"ecg.{lead}"] for lead in LEADS), strict=True))

    def frame(self, number: int) -> bytes:
        body = _BODY.pack(number & 0xFFFFFFFF, *self._rows[number % len(self._rows)])
        crc = 0
        for byte in body:
            crc = CRC8[crc ^ byte]
        return b"\xa5\x5a" + body + bytes([crc])


class Oximeter(Steady):
    """bench/devices/bench_oxi.py has the drawing of its packet. Two numerics a second, and a drawn pleth."""

    rate_hz = 60
    driver: ClassVar[str] = "bench_oxi"
    wanted: ClassVar[Mapping[str, Wanted]] = {"pleth": Wanted(Fraction(60), 0, 127)}

    def __init__(self, record: Record) -> None:
        super().__init__(signals.for_device("bench_oxi", self.wanted), record)
        self._pleth = self.signals["pleth"]

    def frame(self, number: int) -> bytes:
        rate = 70 + number // 600 % 5
        return bytes([0x80 | 5, self._pleth[number % len(self._pleth)], 4, rate, 97])


def ecg() -> dict[str, list[int]]:
    """Counts by channel, in the record's own integers."""
    folder = os.environ.get("WARDLINK_RECORDS")
    headers = sorted(Path(folder).rglob(f"{RECORD}.hea")) if folder else []
    rows = next(samples for _, _, samples in records(headers[0])) if headers else signals.dicom_leads(Ecg.rate_hz)
    rows = np.clip(rows, -32768, 32767)
    return {f"ecg.{lead}": row.tolist() for lead, row in zip(LEADS, rows, strict=True)}
