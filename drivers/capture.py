"""The capture: what a device said, when, and what must be understood, in one readable file.

    driver: contec_v7
    device: Contec CMS60C
    captured: 2011-10-17
    origin: real device; InfantLab/Contec-Pulse-Oximeter-in-Matlab (MIT)
    story: finger in, then out

    0.000 > 7D81A1808080808080
    0.016 < 01E994C095FFFFFFFF
    0.016 = numeric spo2 - % sensor-off

Header lines `name: text` up to the first blank line; `#` begins a comment line. Then one line an entry: seconds since
the start, `<` bytes from the device, `>` bytes to the device, both in hex, or `=` what the driver must say at that time
(`say` below; `>` lines are what it asks to send). Over BLE the characteristic stands at the arrow, a number of the SIG
short: `0.016 <2a5f 0C62004E00`. A header line `reached:` is what the host had of the device's memory before, and one
`options:` is what the engineer has set, `name=value` with spaces between. The same file is test, simulator,
documentation and bug report.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from drivers.contract import (
    Alarm,
    DeviceTime,
    Driver,
    Identity,
    Numeric,
    Output,
    PatientId,
    Reached,
    Read,
    Send,
    Status,
    Subscribe,
    Wave,
)

SIG_BASE = "-0000-1000-8000-00805f9b34fb"
HEADER = ("driver", "device", "captured", "origin", "story")


class CaptureError(Exception):
    """The text is no capture; says the line and why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: nanoseconds since the start, `<` `>` or `=`, bytes (for `<` and `>`) or text (for `=`).

    `source` is the characteristic over BLE, in full.
    """

    at: int
    kind: str
    data: bytes = b""
    text: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Capture:
    header: dict[str, str]
    entries: tuple[Entry, ...]

    def chunks(self) -> Iterator[tuple[int, bytes]]:
        """What came from the device: (nanoseconds, bytes)."""
        return ((entry.at, entry.data) for entry in self.entries if entry.kind == "<")

    def notified(self) -> Iterator[tuple[int, bytes, str]]:
        """The same, with the characteristic: (nanoseconds, bytes, source)."""
        return ((entry.at, entry.data, entry.source) for entry in self.entries if entry.kind == "<")

    @property
    def options(self) -> dict[str, str]:
        """What the engineer has set for the driver."""
        return dict(_option(word) for word in self.header.get("options", "").split())

    @property
    def end(self) -> int:
        return self.entries[-1].at if self.entries else 0


def parse(text: str) -> Capture:
    """Read a capture. Raises CaptureError."""
    head, _, body = text.partition("\n\n")
    header = dict(_header_line(line) for line in head.splitlines() if not line.startswith("#"))
    missing = [name for name in HEADER if name not in header]
    if missing:
        raise CaptureError(f"the header lacks {', '.join(missing)}")
    first = head.count("\n") + 3
    entries = tuple(
        _entry(line, number)
        for number, line in enumerate(body.splitlines(), first)
        if line.strip() and not line.startswith("#")
    )
    if any(later.at < earlier.at for earlier, later in itertools.pairwise(entries)):
        raise CaptureError("time runs backwards")
    return Capture(header, entries)


def _option(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise CaptureError(f"option without a value: {word!r}")
    return name, value


def _header_line(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise CaptureError(f"header line without a colon: {line!r}")
    return name.strip(), value.strip()


def _entry(line: str, number: int) -> Entry:
    parts = line.split(maxsplit=2)
    kind, source = (parts[1][0], parts[1][1:]) if len(parts) > 2 else ("", "")
    if kind not in ("<", ">", "=") or (source and kind == "="):
        raise CaptureError(f"line {number}: not `seconds <|>|= ...`: {line[:60]!r}")
    try:
        at = int(Decimal(parts[0]) * 1_000_000_000)
        if kind == "=":
            return Entry(at, "=", text=parts[2].strip())
        return Entry(at, kind, data=bytes.fromhex(parts[2]), source=full(source))
    except (InvalidOperation, ValueError) as error:
        raise CaptureError(f"line {number}: {error}") from error


def full(source: str) -> str:
    """A characteristic's full identifier, for one written short."""
    return f"0000{source}{SIG_BASE}" if len(source) == 4 else source


def brief(source: str) -> str:
    """A characteristic as it is written: the four digits of a number that the SIG assigned."""
    return source[4:8] if source == f"0000{source[4:8]}{SIG_BASE}" else source


def seconds(at: int) -> str:
    """Nanoseconds as the shortest decimal seconds, three digits at least."""
    text = f"{at // 1_000_000_000}.{at % 1_000_000_000:09d}"
    return text[:-6] + text[-6:].rstrip("0")


def play(
    driver: Driver, chunks: Iterable[tuple[int, bytes] | tuple[int, bytes, str]], end: int | None = None
) -> Iterator[tuple[int, Output]]:
    """Drive a driver through (time, bytes) or (time, bytes, source) as a host would, on_time included.

    Yields (time, output).
    """
    yield from ((0, output) for output in driver.on_open(0))
    for at, data, *source in chunks:
        yield from _wake(driver, at)
        yield from ((at, output) for output in driver.on_bytes(data, at, *source))
    if end is not None:
        yield from _wake(driver, end)


def _wake(driver: Driver, until: int) -> Iterator[tuple[int, Output]]:
    while driver.wake_at is not None and driver.wake_at < until:
        at = driver.wake_at + 1
        yield from ((at, output) for output in driver.on_time(at))


def transcript(driver: Driver, capture: Capture) -> list[str]:
    """The body of the capture as this driver tells it: its `<` lines and what it says and sends."""
    lines: list[str] = []
    spoken = 0
    driver.reached = capture.header.get("reached", "")
    driver.options |= capture.options

    def tell(said: Iterable[tuple[int, Output]]) -> None:
        for at, output in said:
            lines.append(f"{seconds(at)} {line_of(output)}")

    tell((0, output) for output in driver.on_open(0))
    for entry in capture.entries:
        if entry.kind == "<":
            tell(_wake(driver, entry.at))
            lines.append(f"{seconds(entry.at)} <{brief(entry.source)} {entry.data.hex().upper()}")
            tell((entry.at, output) for output in driver.on_bytes(entry.data, entry.at, entry.source))
            spoken = entry.at
    if capture.end > spoken:
        tell(_wake(driver, capture.end))
    return lines


def line_of(output: Output) -> str:
    """An output as a capture line without its time."""
    if isinstance(output, Send):
        return f">{brief(output.characteristic)} {output.data.hex().upper()}"
    return f"= {say(output)}"


def say(output: Output) -> str:
    """An output in words, exact and on one line: the right side of a `=` line."""
    match output:
        case Numeric():
            value = "-" if output.value is None else str(output.value)
            return _join("numeric", output.channel, value, output.unit, output.why, *_taken(output.taken))
        case Wave():
            marks = [f"{mark.kind}@{mark.at}" + (f"+{mark.count}" if mark.count > 1 else "") for mark in output.marks]
            head = [f"first={output.first}" if output.first is not None else "", *marks]
            return _join("wave", output.channel, _scale(output), *head, "|", *map(str, output.samples))
        case Alarm():
            return _join("alarm", output.code, output.phase, output.priority, output.channel, repr(output.text))
        case Status():
            return _join("status", output.code, output.phase, output.channel, repr(output.text) if output.text else "")
        case DeviceTime():
            return _join("device-time", *_clock(output))
        case Identity():
            named = {"maker": output.maker, "model": output.model, "serial": output.serial, "fw": output.firmware}
            return _join("identity", *(f"{name}={value!r}" for name, value in named.items() if value))
        case PatientId():
            return _join("patient", repr(output.code), repr(output.name) if output.name else "")
        case Subscribe():
            return _join("subscribe", brief(output.characteristic))
        case Read():
            return _join("read", brief(output.characteristic))
        case Send():
            return _join("send", brief(output.characteristic), output.data.hex().upper())
        case Reached():
            return _join("reached", repr(output.mark))


def _clock(said: DeviceTime) -> tuple[str, str]:
    return said.iso, f"ticks={said.ticks}@{said.hertz}" if said.ticks is not None else ""


def _taken(when: DeviceTime | None) -> Iterator[str]:
    if when is not None:
        yield f"taken={' '.join(filter(None, _clock(when)))}"


def _scale(wave: Wave) -> str:
    scale = wave.scale
    text = f"{_ratio(scale.rate)}Hz x{_ratio(scale.gain)}{scale.unit} -{_ratio(scale.offset)}"
    return text + (f" {scale.bits}bit" if scale.bits else "") + (f" {scale.filter}" if scale.filter else "")


def _ratio(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"


def _join(*words: str | None) -> str:
    return " ".join(str(word) for word in words if word)
