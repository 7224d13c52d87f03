"""What a driver may say: one check of one output, for the conformance suite and the fuzzer alike (DESIGN 5)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from typing import get_args

from drivers.capture import say
from drivers.contract import (
    Alarm,
    DeviceTime,
    Driver,
    Info,
    Mark,
    Numeric,
    Output,
    Phase,
    Scale,
    Send,
    Status,
    Wave,
    Why,
)
from drivers.vocabulary import is_channel

PENDING_LIMIT_BYTES = 70_000  # what the host keeps of a line, to hear it again after a crash
PRIORITIES = ("high", "medium", "low", "technical", "unknown")
SAYABLE = get_args(Output)  # the closed set, also of what it grew by
INT32 = 1 << 31  # what the codec holds
COUNTER_LIMIT_BITS = 61  # what a bundle holds
TEXT_LIMIT_LETTERS = 16_384


class OutsideError(AssertionError):
    """The driver said what it may not say; the text says what."""


def must(good: object, output: object) -> None:
    if not good:
        raise OutsideError(str(output)[:300])


def judge(driver: Driver, output: object) -> None:
    """Raises OutsideError where an output is not what the contract and the driver's own `Info` promise."""
    match output:
        case Numeric():
            _numeric(output)
            must(declared(driver.info, output.channel), output)
        case Wave():
            _wave(output)
            must(declared(driver.info, output.channel), output)
        case Alarm():
            must(type(output.phase) is Phase and output.code and output.priority in PRIORITIES, output)
            must(output.channel == "" or is_channel(output.channel), output)
        case Status():
            must(type(output.phase) is Phase and output.code, output)
            must(output.channel == "" or is_channel(output.channel), output)
        case Send():
            must(driver.info.allows(output.data), output)
        case DeviceTime():
            _device_time(output)
        case _ if isinstance(output, SAYABLE):
            _text(say(output), output)
        case _:
            raise OutsideError(f"no output of the contract: {output!r}")


def declared(info: Info, channel: str) -> bool:
    """Whether it is a channel, and one that the driver says it emits."""
    return is_channel(channel) and any(
        channel == one or (one.endswith("*") and channel.startswith(one[:-1])) for one in info.emits
    )


def _numeric(output: Numeric) -> None:
    value = output.value
    must(type(value) in (int, Decimal) or (value is None and output.why is not None), output)
    must(not isinstance(value, Decimal) or value.is_finite(), output)
    must(output.why is None or type(output.why) is Why, output)
    _text(output.unit + output.channel, output)


def _wave(output: Wave) -> None:
    count, scale = len(output.samples), output.scale
    must(count and all(type(sample) is int and -INT32 <= sample < INT32 for sample in output.samples), output)
    must(type(scale) is Scale and type(scale.rate) is type(scale.gain) is type(scale.offset) is Fraction, output)
    must(scale.rate > 0, output)
    first = output.first
    must(first is None or (type(first) is int and first >= 0 and first.bit_length() <= COUNTER_LIMIT_BITS), output)
    must(not output.wraps or first is None or first < output.wraps, output)
    must(all(type(mark) is Mark and 0 <= mark.at < count and mark.count > 0 for mark in output.marks), output)


def _device_time(output: DeviceTime) -> None:
    if output.iso:
        try:
            datetime.fromisoformat(output.iso)
        except ValueError as error:
            raise OutsideError(f"no such moment: {output}") from error
    must(output.iso or output.ticks is not None, output)
    must(output.ticks is None or (type(output.ticks) is int and 0 <= output.ticks < 1 << 64), output)
    must(output.hertz > 0, output)


def _text(text: str, output: object) -> None:
    """Texts come from the line; a capture must be able to hold them, and so must a bundle."""
    must(len(text) <= TEXT_LIMIT_LETTERS and "\n" not in text, output)
    must(not any(0xD800 <= ord(letter) < 0xE000 for letter in text), output)


class Judged:
    """A driver whose every output is judged, and whose books are looked into after every call."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.is_open = False
        self.fed = self.said = 0
        self._frames = 0

    def open(self, now: int) -> list[Output]:
        self.is_open = True
        return self._take(self.driver.on_open(now))

    def bytes(self, data: bytes, now: int, source: str) -> list[Output]:
        self.fed += len(data)
        return self._take(self.driver.on_bytes(data, now, source))

    def time(self, now: int) -> list[Output]:
        said = self._take(self.driver.on_time(now))
        wake_at = self.driver.wake_at
        if wake_at is not None and wake_at < now:
            raise OutsideError(f"woken at {now}, wants to be woken at {wake_at}")
        return said

    def _take(self, outputs: object) -> list[Output]:
        said: list[Output] = list(chain(outputs))  # type: ignore[arg-type]
        for output in said:
            judge(self.driver, output)
        self.said += len(said)
        self._books()
        return said

    def _books(self) -> None:
        counts, pending = self.driver.counts, self.driver.pending()
        good = 0 <= pending <= PENDING_LIMIT_BYTES and counts.skipped + pending <= self.fed
        good = good and counts.frames >= self._frames and counts.bad <= sum(counts.reasons.values())
        self._frames = counts.frames
        if not good:
            raise OutsideError(f"of {self.fed} bytes {pending} wait: {counts}")
