"""What a simulated device is: the other end of a driver, and as pure as one.

A voice is given integer signals at the device's own rates and speaks them in the device's protocol. Every sample it
sends it also hands to `record`, so that whoever runs it knows the truth to compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

Record = Callable[[str, Sequence[int]], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A signal a voice speaks: its rate in samples a second and the device's range of integers, both ends included."""

    rate: Fraction
    low: int
    high: int


class Voice:
    """One simulated device on one line. `signals` are looped for ever; times are monotonic nanoseconds."""

    wanted: ClassVar[Mapping[str, Wanted]]  # by channel, as the driver names it
    wake_at: int | None = None  # the line calls on_time() once `now` has reached this

    def __init__(self, signals: Mapping[str, Sequence[int]], record: Record) -> None:
        self.signals = signals
        self.record = record

    def on_open(self, now: int) -> bytes:
        """Power on. Returns what the device says at once."""
        return b""

    def on_bytes(self, data: bytes, now: int) -> bytes:
        """The host said `data`. Returns the answer."""
        return b""

    def on_time(self, now: int) -> bytes:
        """`wake_at` has come. Returns what the device says now."""
        return b""
