"""Viatom / Wellue O2Ring and Checkme O2 oximeters over Bluetooth LE: values and pleth, asked for once a second.

    AA request, 55 answer | command, or 00 good in an answer | its complement | block u16 | length u16 | data | CRC-8
    CRC-8: polynomial 07, start 0, over all before it · numbers LE · an answer may come in several notifications
    14 who are you: JSON text · 1B with 00: real time, pleth at 125 Hz:
    d0 SpO2 · d1 pulse rate u16 · d3 battery % · d4 1 charging, 2 full · d5 PI x 10 · d6 1 worn · d10 n u16 · n samples

Source: home-health-hub/viatom-o2ring-ble at 636b5d29 (GPL-3, read only; its request 17 is proven on rings, and gives
the CRC); VTRealObject.h of viatom-dev/VTProductLib for the lead. No answer of a ring was at hand: all are by the rules.

Sent: 14 and 1B, which read. Never the settings, the factory reset or the file commands.
An answer does not say to which request: JSON is who it is, and data which its own n fits to the byte is real time.
Not known: d7 to d9, whether the samples of one answer follow those of the last without a gap, the pleth's width; 156
stands for a missing sample (the maker's app draws over it): it is marked invalid. Worn without numbers is searching.
The newer ring (O2Ring-S) speaks another protocol.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction

from drivers.contract import (
    Ble,
    Driver,
    Identity,
    Info,
    Integrity,
    Mark,
    Numeric,
    Output,
    Phase,
    Scale,
    Send,
    Status,
    Subscribe,
    Wave,
    Why,
)
from drivers.framing import MORE, Bad, Frame, Framer, Skip, find
from drivers.moments import clock

RING = "14839ac4-7d7e-415c-9a42-167340cf2339"
WRITE = "8b00ace7-eb0b-49b0-bbe9-9aee0a26e1a3"
NOTIFY = "0734594a-a8e7-4b1a-a6b1-cd5243059a57"
WHO, REAL_TIME = 0x14, 0x1B
ASK, ANSWER = 0xAA, b"\x55"
HEAD_BYTES, LIMIT_BYTES = 7, 4096
SAMPLES_AT = 12
MISSING = 156

SECOND_NS = 1_000_000_000
PATIENCE_NS = 3 * SECOND_NS
PLETH = Scale(Fraction(125), "1", bits=8)
BATTERY = "viatom_o2ring:battery"
FIELD = re.compile(r'"(\w{1,20})"\s*:\s*"([^"]{0,64})"')
TIME = re.compile(r"(\d{4}-\d\d-\d\d),(\d\d:\d\d:\d\d)")
CHARGE = {1: "charging", 2: "full"}


def crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x07 if crc & 0x80 else 0)) & 0xFF
    return crc


CRC = bytes(crc8(bytes((byte,))) for byte in range(256))


def checksum(data: bytes | bytearray) -> int:
    crc = 0
    for byte in data:
        crc = CRC[crc ^ byte]
    return crc


def request(command: int, data: bytes = b"") -> bytes:
    head = bytes((ASK, command, command ^ 0xFF, 0, 0, len(data), 0)) + data
    return head + bytes((checksum(head),))


ASK_WHO, ASK_VALUES = request(WHO), request(REAL_TIME, b"\0")


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    """The body is the state and the data."""
    if skip := find(buffer, ANSWER):
        return skip
    if len(buffer) < HEAD_BYTES:
        return MORE if len(buffer) < 3 or buffer[1] ^ buffer[2] == 0xFF else Skip(1)
    if buffer[1] ^ buffer[2] != 0xFF:
        return Skip(1)
    size = HEAD_BYTES + (buffer[5] | buffer[6] << 8) + 1
    if size > LIMIT_BYTES:
        return Bad("too long")
    if len(buffer) < size:
        return MORE
    if checksum(buffer[: size - 1]) != buffer[size - 1]:
        return Bad("checksum")
    return Frame(size, bytes((buffer[1], *buffer[HEAD_BYTES : size - 1])))


class ViatomO2ring(Driver):
    info = Info(
        id="viatom_o2ring",
        models=("Viatom / Wellue O2Ring", "Viatom Checkme O2"),
        claims=(Ble(RING, "O2Ring"), Ble(RING, "Checkme O2")),
        emits=("pleth", "spo2", "spo2.pr", "spo2.perf_index", BATTERY),
        integrity=Integrity.CRC,
        wiring="Bluetooth LE, no pairing. Put the ring on the finger; close the maker's app on phones near by, for the "
        "ring holds one connection.",
        sends=frozenset((ASK_WHO, ASK_VALUES)),
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(cut, self.counts)
        self._knows = False
        self._waits = True
        self._states: dict[str, str] = {}
        self._identity = Identity()

    def pending(self) -> int:
        return len(self._framer)

    def on_open(self, now: int) -> Iterable[Output]:
        return [Subscribe(NOTIFY), *self._ask(now)]

    def _ask(self, now: int) -> Iterable[Output]:
        self._waits = True
        self.wake_at = now + PATIENCE_NS
        return (Send(ASK_VALUES if self._knows else ASK_WHO, WRITE),)

    def on_time(self, now: int) -> Iterable[Output]:
        """Time for the next question; a ring that did not answer the last one is asked who it is."""
        self._knows = self._knows and not self._waits
        return self._ask(now)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        out: list[Output] = []
        samples: list[int] = []
        for body in self._framer.feed(data):
            out += self._answer(body[0], body[1:], samples)
            was_known, self._knows, self._waits = self._knows, True, False
            self.wake_at = now + SECOND_NS
            if not was_known:
                out += self._ask(now)
        if samples:
            marks = tuple(Mark(at, "invalid") for at, sample in enumerate(samples) if sample == MISSING)
            out.append(Wave("pleth", tuple(samples), PLETH, marks=marks))
        return out

    def _answer(self, state: int, d: bytes, samples: list[int]) -> Iterator[Output]:
        yield from self._state("refused", f"{state:02X}" if state else "")
        if state:
            return
        if d.startswith(b"{"):
            yield from self._who(dict(FIELD.findall(d.decode("latin-1"))))
        elif len(d) >= SAMPLES_AT and len(d) == SAMPLES_AT + (d[10] | d[11] << 8):
            yield from self._values(d)
            samples += d[SAMPLES_AT:]
        else:
            yield from self._state("other-answer", d[:32].hex().upper())

    def _who(self, fields: dict[str, str]) -> Iterator[Output]:
        identity = Identity(
            "Viatom", fields.get("Model", ""), fields.get("SN", ""), fields.get("SoftwareVer", fields.get("SWVer", ""))
        )
        if identity != self._identity:
            self._identity = identity
            yield identity
        if found := TIME.fullmatch(fields.get("CurTIME", "")):
            yield from clock(f"{found[1]}T{found[2]}")

    def _values(self, d: bytes) -> Iterator[Output]:
        spo2, rate = d[0], d[1] | d[2] << 8
        is_off = d[6] != 1
        yield from self._state("not-worn", str(d[6]) if is_off else "")
        yield from self._state("battery", CHARGE.get(d[4], str(d[4]) if d[4] else ""))
        why = Why.SENSOR_OFF if is_off else Why.SEARCHING if spo2 == rate == 0 else None
        index = Decimal(d[5]).scaleb(-1)
        for channel, value, unit, is_known in (
            ("spo2", spo2, "%", 0 < spo2 <= 100),
            ("spo2.pr", rate, "/min", 0 < rate < 0xFFFF),
            ("spo2.perf_index", index, "%", True),
        ):
            yield Numeric(
                channel, value if is_known and not why else None, unit, why if is_known or why else Why.INVALID
            )
        yield Numeric(BATTERY, d[3], "%")

    def _state(self, code: str, text: str) -> Iterator[Output]:
        if self._states.get(code, "") != text:
            self._states[code] = text
            yield Status(code, Phase.ON if text else Phase.OFF, text)
