"""A Contec CMS60C as protocol V7.0 has it: silent until asked, then 60 frames a second for as long as it is kept alive.

It answers A1 (start), AF (keep alive), A2 (stop), A8, A9, AA (who) and AC (has it a PI), and refuses all else.
Source: drivers/devices/contec_v7.py names the documents; the encoder here is written apart from the decoder there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import ClassVar

from agent.lab.voice import Record, Voice, Wanted

FRAMES_A_SECOND = 60
SECOND_NS = 1_000_000_000
PATIENCE_NS = 30 * SECOND_NS  # without a keep-alive
COMMAND_BYTES = 9
STRENGTH, PULSE, SATURATION, INDEX = 6, 72, 97, 185  # 1.85 %


def packet(kind: int, *data: int) -> bytes:
    """Type, the high bits of the data, and the data with bit 7 set."""
    high = sum(1 << at for at, value in enumerate(data) if value & 0x80)
    return bytes([kind, 0x80 | high, *(0x80 | value for value in data)])


ANSWERS = {
    0xA2: packet(0x0C)[:2],
    0xA8: packet(0x02, 0, *b"CMS60C") + packet(0x02, 0xFF, *b"W\0\0\0\0\0"),
    0xA9: packet(0x03, *b"Contec\0"),
    0xAA: packet(0x04, *b"   user"),
    0xAC: packet(0x0E, 0),
}


class ContecV7Voice(Voice):
    wanted: ClassVar[Mapping[str, Wanted]] = {"pleth": Wanted(Fraction(60), 0, 127)}

    def __init__(self, signals: Mapping[str, Sequence[int]], record: Record) -> None:
        super().__init__(signals, record)
        self._said = bytearray()
        self._started: int | None = None
        self._frames = 0  # of this start
        self._samples = 0  # ever
        self._heard_at = 0

    def on_bytes(self, data: bytes, now: int) -> bytes:
        self._said += data
        answer = b""
        while len(self._said) >= COMMAND_BYTES:
            if self._said[:2] != b"\x7d\x81":
                del self._said[:1]
                continue
            answer += self._obey(self._said[2], now)
            del self._said[:COMMAND_BYTES]
        return answer

    def _obey(self, code: int, now: int) -> bytes:
        self._heard_at = now
        acts: dict[int, Callable[[int], None]] = {0xA1: self._start, 0xA2: self._stop}
        if code in acts:
            acts[code](now)
        if code in (0xA1, 0xAF):
            return b""
        return ANSWERS.get(code, packet(0x0B, code, 5))

    def _start(self, now: int) -> None:
        if self._started is None:
            self._started, self._frames = now, 0
            self._set_wake(now)

    def _stop(self, now: int) -> None:
        self._started = self.wake_at = None

    def _set_wake(self, started: int) -> None:
        self.wake_at = started + self._frames * SECOND_NS // FRAMES_A_SECOND

    def on_time(self, now: int) -> bytes:
        out = bytearray()
        spoken: list[int] = []
        while self._started is not None and self.wake_at is not None and self.wake_at <= now:
            if self.wake_at - self._heard_at > PATIENCE_NS:
                self._stop(now)
                break
            pleth = self.signals["pleth"]
            spoken.append(pleth[self._samples % len(pleth)])
            out += real_time(spoken[-1])
            self._samples += 1
            self._frames += 1
            self._set_wake(self._started)
        if spoken:
            self.record("pleth", spoken)
        return bytes(out)


def real_time(pleth: int) -> bytes:
    return packet(0x01, STRENGTH, pleth, pleth >> 3, PULSE, SATURATION, INDEX & 0xFF, INDEX >> 8)
