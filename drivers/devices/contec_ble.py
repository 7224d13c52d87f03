"""Contec oximeters over BLE (CMS50D-BT and its kin): pleth 60 times a second, numbers once, on request.

    header, bit 7 set | bytes of 7 bits | sum of all before it, 7 bits
    EB 00 a w b sum           a: 6 pulse beep · w: pleth · b: 0-3 bar graph, 4 finger out
    EB 01 s r o p q sum       s: 0 PI error, 1 bit 7 of the rate, 2 bit 7 of PI · r: rate · o: SpO2 · p: PI x 10
    F1 name, 8 characters     F2 ... version of the protocol in byte 6     F0 a command was taken, or refused

Source: frames of a CMS50D-BT in tobiasisenberg/OxiVis issue 2; requests in nringelstein/CMS50D-BT at 1ce46061; the bits
in the maker's Android library (classes WaveData and Spo2Data: rate 0 or 255, SpO2 0 or above 99, PI 0 or above 220 are
no values); names, UUIDs, lengths and the version in the OSCAR team's notes on a CMS50FW; answers of a CMS50E, which
speaks the same over USB, in pulseoxdl. The 04 and 06 that the issue takes for a finger are bits of s: with 7F they say
PI 255, which is none, and a rate above 127.

From version 14 on the values are masked and the dialogue is encrypted: those values would pass the sum and be wrong, so
nothing is told before the oximeter has named its version, and nothing at all from 14 on. The sum of 7 bits lets one
damaged frame in 128 pass.
Not known: the other bits of a, b and s (strength, searching), q, EB 02 and EA (told once in hex), and whether CMS50EW,
FW and IW do anything else: no byte of theirs was seen. What sets the clock (83) or erases (9D, A1) is not here.
"""

from __future__ import annotations

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
from drivers.framing import MORE, Bad, Frame, Framer, Skip

LENGTH_BYTES = {0xEA: 13, 0xF0: 2, 0xF1: 10}
LIVE_BYTES = {0x00: 6, 0x01: 8, 0x02: 8, 0x7F: 3}  # EB, by its second byte
LIVE, NAME, VERSIONS = 0xEB, 0xF1, 0xF2
PLETH, NUMBERS = 0x00, 0x01
SILENT = ("F0", "EB7F")  # taken or refused, and the end of the stream
MASKED_FROM = 14
UNITS = {"spo2": "%", "spo2.pr": "/min", "spo2.perf_index": "%"}

SECOND_NS = 1_000_000_000
KEEP_ALIVE_NS = 5 * SECOND_NS
SILENCE_NS = 3 * SECOND_NS
PLETH_SCALE, BAR_SCALE = Scale(Fraction(60), "1", bits=7), Scale(Fraction(60), "1", bits=4)


def uuid(short: str) -> str:
    return f"0000{short.lower()}-0000-1000-8000-00805f9b34fb"


UART, WRITE, NOTIFY = uuid("FF12"), uuid("FF01"), uuid("FF02")


def command(*body: int) -> bytes:
    return bytes((*body, sum(body) & 0x7F))


ASK = (command(0x81), command(0x82))  # name, versions
START = (command(0x9B, 0), command(0x9B, 1))  # pleth, numbers
KEEP_ALIVE = command(0x9A)


def holds(buffer: bytearray, size: int) -> bool:
    """Whether the sum closes a frame of `size` bytes."""
    return len(buffer) >= size and sum(buffer[: size - 1]) & 0x7F == buffer[size - 1]


def size_of(buffer: bytearray) -> int | None:
    """Bytes of the frame that begins here; 0 if more must come to know, None if no such frame is known."""
    if buffer[0] == LIVE:
        return LIVE_BYTES.get(buffer[1]) if len(buffer) > 1 else 0
    if buffer[0] != VERSIONS:
        return LENGTH_BYTES.get(buffer[0])
    for size in (8, 9):  # old devices; newer ones append two texts
        if holds(buffer, size):
            return size
    end = buffer[8] + 10 if len(buffer) > 8 else len(buffer)
    return end + buffer[end] + 1 if len(buffer) > end else 0


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    """The body is the frame without its sum."""
    if buffer[0] < 0x80:
        return Skip(next((at for at, byte in enumerate(buffer) if byte >= 0x80), len(buffer)))
    size = size_of(buffer)
    if size is None:
        return Bad("unknown frame")
    for at in range(1, min(size or len(buffer), len(buffer))):
        if buffer[at] >= 0x80:
            return Bad("cut short", at)
    if size == 0 or len(buffer) < size:
        return MORE
    if not holds(buffer, size):
        return Bad("sum")
    return Frame(size, bytes(buffer[: size - 1]))


class ContecBle(Driver):
    info = Info(
        id="contec_ble",
        models=("Contec CMS50D-BT", "Contec CMS50EW", "Contec CMS50FW", "Contec CMS50IW"),
        claims=tuple(Ble(UART, name) for name in ("SpO208", "SpO201", "SpO202", "SpO206")),
        emits=("pleth", "spo2.bar", "spo2", "spo2.pr", "spo2.perf_index"),
        integrity=Integrity.SUM,
        wiring="BLE, no pairing: switch the oximeter on, its Bluetooth on in its menu, and close the maker's app. "
        'It shows itself as "SpO208" and a number (CMS50EW SpO201, CMS50FW SpO202, CMS50IW SpO206).',
        sends=frozenset((*ASK, *START, KEEP_ALIVE)),
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(cut, self.counts)
        self._version = -1  # not told yet
        self._finger_out = False
        self._beeps = False
        self._told: set[str] = set()
        self._identity = Identity()
        self._keep_alive_at = KEEP_ALIVE_NS
        self._silent_at = SILENCE_NS

    def pending(self) -> int:
        return len(self._framer)

    def on_open(self, now: int) -> Iterable[Output]:
        self._keep_alive_at = now + KEEP_ALIVE_NS
        return [Subscribe(NOTIFY), *self._ask(now)]

    def _ask(self, now: int) -> list[Output]:
        self._heard(now)
        return [Send(data, WRITE) for data in (*ASK, *START)]

    def _heard(self, now: int) -> None:
        self._silent_at = now + SILENCE_NS
        self.wake_at = None if self._version >= MASKED_FROM else min(self._keep_alive_at, self._silent_at)

    def on_time(self, now: int) -> Iterable[Output]:
        out: list[Output] = []
        if now >= self._keep_alive_at:
            out.append(Send(KEEP_ALIVE, WRITE))
            self._keep_alive_at += KEEP_ALIVE_NS * (1 + (now - self._keep_alive_at) // KEEP_ALIVE_NS)
        if now >= self._silent_at:
            return [*out, *self._ask(now)]
        self.wake_at = min(self._keep_alive_at, self._silent_at)
        return out

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        out: list[Output] = []
        pleth: list[bytes] = []
        marks: list[Mark] = []
        for body in self._framer.feed(data):
            if body[0] != LIVE or body[1] not in (PLETH, NUMBERS):
                out += self._answer(body)
            elif not 0 <= self._version < MASKED_FROM:
                continue
            elif body[1] == NUMBERS:
                out += self._numbers(body)
            else:
                out += self._finger(bool(body[4] & 0x10))
                marks += self._marks(body, len(pleth))
                pleth.append(body)
        if out or pleth:
            self._heard(now)
        if pleth:
            out.append(Wave("pleth", tuple(body[3] for body in pleth), PLETH_SCALE, marks=tuple(marks)))
            out.append(Wave("spo2.bar", tuple(body[4] & 0x0F for body in pleth), BAR_SCALE))
        return out

    def _marks(self, body: bytes, at: int) -> Iterator[Mark]:
        """The beep may stand for more than one frame of a beat: the mark stands at the first."""
        beeped, self._beeps = self._beeps, bool(body[2] & 0x40)
        if self._beeps and not beeped:
            yield Mark(at, "beat")
        if self._finger_out:
            yield Mark(at, "sensor-off")

    def _finger(self, out: bool) -> Iterator[Output]:
        """Numbers come once a second: those that stand are taken back at once."""
        if out != self._finger_out:
            self._finger_out = out
            yield Status("finger-out", Phase.ON if out else Phase.OFF)
            if out:
                for channel, unit in UNITS.items():
                    yield self._numeric(channel, unit, None)

    def _numeric(self, channel: str, unit: str, value: int | Decimal | None) -> Numeric:
        if self._finger_out:
            return Numeric(channel, None, unit, Why.SENSOR_OFF)
        return Numeric(channel, value, unit, Why.INVALID if value is None else None)

    def _numbers(self, body: bytes) -> Iterator[Numeric]:
        s, rate, spo2 = body[2], body[3] | (body[2] & 2) << 6, body[4]
        index = body[5] | (s & 4) << 5
        yield self._numeric("spo2", "%", spo2 if 0 < spo2 < 100 else None)
        yield self._numeric("spo2.pr", "/min", rate if 0 < rate < 255 else None)
        has_index = 0 < index <= 220 and not s & 1
        yield self._numeric("spo2.perf_index", "%", Decimal(index).scaleb(-1) if has_index else None)

    def _answer(self, body: bytes) -> Iterator[Output]:
        if body[0] == NAME:
            was, self._identity = self._identity, Identity(model=body[1:].decode("ascii").strip("\0 "))
            if self._identity != was:
                yield self._identity
        elif body[0] == VERSIONS:
            if body[6] > self._version:  # a masked one stays so
                self._version = body[6]
                masked = self._version >= MASKED_FROM
                yield Status("protocol", Phase.ON, f"version {self._version}{', not readable' if masked else ''}")
        else:
            code = body[: 2 if body[0] == LIVE else 1].hex().upper()
            if code not in SILENT and code not in self._told:
                self._told.add(code)
                yield Status(f"frame {code}", Phase.ON, body.hex().upper())
