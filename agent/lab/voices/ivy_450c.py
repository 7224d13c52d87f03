"""An Ivy 450C with its ANSAR-B output on: one message a second with five waves, lead II, no temperature probe.

Source: drivers/devices/ivy_450c.py names the documents; the layout is the recording's, the numbers are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import ClassVar

from agent.lab.voice import Record, Voice, Wanted

SECOND_NS = 1_000_000_000
ORDER = ("ecg.ii", "resp.impedance", "pleth", "ibp.p1", "ibp.p2")  # of the wave part
SLOW = Wanted(Fraction(50), 0, 250)
LINES = (
    "HR=1;80;ECG-II-DIAG;",
    "RR=1;14;APNEA: 20 SEC;",
    "ETCO2=1;;;",
    "SPO2=1;98;PR=80 ;",
    "NIBP=4;121;75;92;80;;",
)


class Ivy450CVoice(Voice):
    wanted: ClassVar[Mapping[str, Wanted]] = {
        "ecg.ii": Wanted(Fraction(200), 0, 250),
        "resp.impedance": SLOW,
        "pleth": SLOW,
        "ibp.p1": SLOW,
        "ibp.p2": SLOW,
    }

    def __init__(self, signals: Mapping[str, Sequence[int]], record: Record) -> None:
        super().__init__(signals, record)
        self._on_at = 0
        self._seconds = 0

    def on_open(self, now: int) -> bytes:
        self._on_at = now
        self._set_wake()
        return b""

    def _set_wake(self) -> None:
        self.wake_at = self._on_at + (self._seconds + 1) * SECOND_NS

    def on_time(self, now: int) -> bytes:
        out = bytearray()
        while self.wake_at is not None and self.wake_at <= now:
            out += self._say_second()
            self._seconds += 1
            self._set_wake()
        return bytes(out)

    def _say_second(self) -> bytes:
        waves = {channel: self._second_of(channel) for channel in ORDER}
        for channel, samples in waves.items():
            self.record(channel, samples)
        lines = (*LINES, pressure("P1", waves["ibp.p1"]), pressure("P2", waves["ibp.p2"]), "T1=1;;;", "T2=1;;;")
        text = "".join(f"{line}\r" for line in lines).encode("ascii")
        return b"\xffANSAR-B " + b"".join(map(bytes, waves.values())) + text + b"\xfe"

    def _second_of(self, channel: str) -> list[int]:
        signal, rate = self.signals[channel], int(self.wanted[channel].rate)
        first = self._seconds * rate
        return [signal[at % len(signal)] for at in range(first, first + rate)]


def pressure(name: str, samples: Sequence[int]) -> str:
    return f"{name}=1;{max(samples)};{min(samples)};{sum(samples) // len(samples)};;"
