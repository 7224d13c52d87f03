"""Contec oximeters, protocol V7.0: pleth and numerics 60 times a second, on request.

    byte     0     1                       2 ...
           +----+--------------------+---------------------+
           |type| high: bit k is the | 0x80 | low 7 bits of |   bit 7: 0 in the type, 1 in every other byte
           |    | bit 7 of d[k]      |        d[0], d[1] ..|   length fixed by the type
           +----+--------------------+---------------------+
    type 01, real time: d0 strength 0-3, searching too long 4, low SpO2 5, beep 6, probe error 7 · d1 pleth 0-6,
    searching 7 · d2 bar 0-3, PI invalid 4 · d3 pulse rate (FF none) · d4 SpO2 (7F none) · d5 d6 PI x 100 (FFFF none)

Source: Contec communication protocol V7.0 (maker's PDF); CMS60C dialogue in InfantLab/Contec-Pulse-Oximeter-in-Matlab
at 334fc646 (MIT); CMS50D+ firmware 4.6 bytes in headrotor/contec_data at ab156688. Types 02, 06, 13 and 14 are not in
the PDF.

Not protected: there is no checksum and no counter. A flipped low bit is not seen, and a lost frame is seen only if it
was cut. Not known: types 06, 13, 14 (told in hex), the reserved bits of d2, whether bar and strength are linear.
The beep bit stays up for two frames of one beat: the mark stands at the first. The device id (type 04) is whatever its
owner typed, "user" from the factory: it goes to `Identity.serial` and is no proof of identity.
Stored records are history and are never asked for; should some come, one status says so and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction

from drivers.contract import (
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
    Serial,
    Status,
    Wave,
    Why,
)
from drivers.framing import MORE, Bad, Frame, Framer, Skip

REAL_TIME = 0x01
LENGTH_BYTES = {
    REAL_TIME: 9, 0x02: 9, 0x03: 9, 0x04: 9, 0x05: 9, 0x06: 4, 0x07: 8, 0x08: 8, 0x09: 6, 0x0A: 4, 0x0B: 4, 0x0C: 2,
    0x0D: 3, 0x0E: 3, 0x0F: 8, 0x10: 3, 0x11: 9, 0x12: 8, 0x13: 9, 0x14: 9, 0x15: 9,
}  # fmt: skip
STORED = frozenset((0x07, 0x08, 0x09, 0x0A, 0x0F, 0x12, 0x15))
NAMED = {0x06: "answer-06", 0x10: "users", 0x11: "notice", 0x13: "answer-13", 0x14: "answer-14"}
REASONS = {0: "done", 1: "shutdown", 2: "user change", 3: "recording", 4: "delete failed", 5: "not supported"}
LAST_PART = 0xFF

FRAMES_A_SECOND = 60
SECOND_NS = 1_000_000_000
KEEP_ALIVE_NS = 5 * SECOND_NS
SILENCE_NS = 3 * SECOND_NS


def command(code: int) -> bytes:
    """A command without arguments."""
    return bytes((0x7D, 0x81, code, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80))


START, KEEP_ALIVE = command(0xA1), command(0xAF)
ASK_WHO = tuple(command(code) for code in (0xA9, 0xA8, 0xAA, 0xAC))  # maker, model, device id, has it a PI

SCALES = {
    "pleth": Scale(Fraction(60), "1", bits=7),
    "spo2.bar": Scale(Fraction(60), "1", bits=4),
    "spo2.signal": Scale(Fraction(60), "1", bits=4),
}


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    """The body is the type and d[0], d[1] ..., whole bytes again."""
    if buffer[0] & 0x80:
        return Skip(next((at for at, byte in enumerate(buffer) if byte < 0x80), len(buffer)))
    size = LENGTH_BYTES.get(buffer[0])
    if size is None:
        return Bad("unknown type")
    for at in range(1, min(size, len(buffer))):
        if buffer[at] < 0x80:
            return Bad("cut short", at)
    if len(buffer) < size:
        return MORE
    high = buffer[1]
    data = (buffer[k + 2] & 0x7F | (high >> k & 1) << 7 for k in range(size - 2))
    return Frame(size, bytes((buffer[0], *data)))


def text_of(data: bytes) -> str:
    """Characters up to the first NUL, without the blanks around them."""
    return data.partition(b"\0")[0].decode("latin-1").strip()


def reason(code: int) -> str:
    return REASONS.get(code, f"reason {code:02X}")


class ContecV7(Driver):
    info = Info(
        id="contec_v7",
        models=("Contec CMS50D+ (firmware 4.6)", "Contec CMS50E/F", "Contec CMS50FW/EW", "Contec CMS60C"),
        claims=(Serial(115200, dtr=True, rts=False),),
        emits=("pleth", "spo2.bar", "spo2.signal", "spo2", "spo2.pr", "spo2.perf_index"),
        integrity=Integrity.NONE,
        wiring="Contec USB data cable (the CP210x bridge is in the cable; a plain micro-USB cable only charges), "
        "115200 8N1. Switch the oximeter on; leave its own recording off: it excludes real time.",
        sends=frozenset((START, KEEP_ALIVE, *ASK_WHO)),
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(cut, self.counts)
        self._states: dict[str, bool] = {}
        self._told: dict[str, Numeric] = {}
        self._real_time_frames = 0
        self._has_pi = True  # until it says otherwise
        self._knows_pi = False
        self._stored_told = False
        self._identity = Identity()
        self._model_parts: list[bytes] = []
        self._keep_alive_at = KEEP_ALIVE_NS
        self._silent_at = SILENCE_NS

    def pending(self) -> int:
        return len(self._framer)

    def on_open(self, now: int) -> Iterable[Output]:
        self._keep_alive_at = now + KEEP_ALIVE_NS
        return self._ask(now)

    def _ask(self, now: int) -> list[Output]:
        """Who are you, and start real time: at the start, and again where nothing comes (another device may be in)."""
        self._silent_at = now + SILENCE_NS
        self._set_wake()
        return [*map(Send, ASK_WHO), Send(START)]

    def _set_wake(self) -> None:
        self.wake_at = min(self._keep_alive_at, self._silent_at)

    def on_time(self, now: int) -> Iterable[Output]:
        out: list[Output] = []
        if now >= self._keep_alive_at:
            out.append(Send(KEEP_ALIVE))
            self._keep_alive_at += KEEP_ALIVE_NS * (1 + (now - self._keep_alive_at) // KEEP_ALIVE_NS)
        if now >= self._silent_at:
            out += self._ask(now)
        self._set_wake()
        return out

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        out: list[Output] = []
        real_time: list[bytes] = []
        marks: list[Mark] = []
        for body in self._framer.feed(data):
            if body[0] == REAL_TIME:
                marks += self._marks(body[1:], len(real_time))
                out += self._real_time(body[1:])
                real_time.append(body[1:])
            else:
                out += self._answer(body[0], body[1:])
        if real_time:
            self._silent_at = now + SILENCE_NS
            self._set_wake()
            out += waves(real_time, tuple(marks))
        return out

    def _marks(self, d: bytes, at: int) -> Iterator[Mark]:
        if d[0] & 0x40 and not self._states.get("beep"):
            yield Mark(at, "beat")
        if d[0] & 0x80:
            yield Mark(at, "sensor-off")
        self._states["beep"] = bool(d[0] & 0x40)

    def _real_time(self, d: bytes) -> Iterator[Output]:
        for code in ("free", "disconnected"):
            yield from self._state(code, False)
        yield from self._state("probe-error", bool(d[0] & 0x80))
        yield from self._state("searching", bool(d[1] & 0x80))
        yield from self._state("searching-too-long", bool(d[0] & 0x10))
        yield from self._state("low-spo2", bool(d[0] & 0x20), channel="spo2")
        again = self._real_time_frames % FRAMES_A_SECOND == 0
        self._real_time_frames += 1
        for numeric in self._numerics(d):
            if again or self._told.get(numeric.channel) != numeric:
                self._told[numeric.channel] = numeric
                yield numeric

    def _numerics(self, d: bytes) -> Iterator[Numeric]:
        off, searching = bool(d[0] & 0x80), bool(d[1] & 0x80)
        doubt = Why.SENSOR_OFF if off else Why.SEARCHING if searching else None
        for channel, unit, raw, absent in (
            ("spo2", "%", d[4], d[4] > 100),  # 7F is the sentinel; no saturation is above 100
            ("spo2.pr", "/min", d[3], d[3] == 0xFF),
        ):
            if absent or off:
                yield Numeric(channel, None, unit, doubt or Why.INVALID)
            else:
                yield Numeric(channel, raw, unit, doubt)
        index = d[5] | d[6] << 8
        if not self._has_pi:
            yield Numeric("spo2.perf_index", None, "%", Why.NOT_SUPPORTED)
        elif off or d[2] & 0x10 or index == 0xFFFF:
            yield Numeric("spo2.perf_index", None, "%", doubt or Why.INVALID)
        else:
            yield Numeric("spo2.perf_index", Decimal(index).scaleb(-2), "%", doubt)

    def _state(self, code: str, on: bool, text: str = "", channel: str = "") -> Iterator[Status]:
        if self._states.get(code, False) != on:
            self._states[code] = on
            yield Status(code, Phase.ON if on else Phase.OFF, text, channel)

    def _answer(self, kind: int, d: bytes) -> Iterator[Output]:
        if kind in (0x02, 0x03, 0x04):
            yield from self._who(kind, d)
        elif kind in STORED:
            yield from self._stored()
        elif kind == 0x05:
            yield Status("user", Phase.ON, f"{d[0]} {text_of(d[1:])}")
        elif kind == 0x0B:
            yield Status("feedback", Phase.ON, f"{d[0]:02X} {reason(d[1])}")
        elif kind == 0x0C:
            yield from self._state("free", True)
        elif kind == 0x0D:
            yield from self._state("disconnected", True, reason(d[0]))
        elif kind == 0x0E:
            yield from self._perfusion_index(d[0] == 0)
        else:
            yield Status(NAMED[kind], Phase.ON, d.hex().upper())

    def _perfusion_index(self, is_there: bool) -> Iterator[Output]:
        """Said when it is known and when it changes: a silent oximeter is asked again and again."""
        known, self._knows_pi = self._knows_pi, True
        if not known or is_there != self._has_pi:
            yield Status("perfusion-index", Phase.ON if is_there else Phase.OFF, channel="spo2.perf_index")
        self._has_pi = is_there

    def _stored(self) -> Iterator[Output]:
        if not self._stored_told:
            self._stored_told = True
            yield Status("stored-data", Phase.ON)

    def _who(self, kind: int, d: bytes) -> Iterator[Output]:
        """Maker, device id, or a part of the model: part 0 opens the name, part FF ends it."""
        was = self._identity
        maker, model, serial = was.maker, was.model, was.serial
        if kind == 0x03:
            maker = text_of(d)
        elif kind == 0x04:
            serial = text_of(d)
        elif d[0] == 0:
            self._model_parts = [d[1:]]
        elif self._model_parts:
            self._model_parts = [*self._model_parts[:8], d[1:]]
            if d[0] == LAST_PART:
                model = text_of(b"".join(self._model_parts))
                self._model_parts = []
        self._identity = Identity(maker, model, serial)
        if self._identity != was:
            yield self._identity


def waves(real_time: list[bytes], marks: tuple[Mark, ...]) -> Iterator[Wave]:
    """The three waves of the frames d[0..6] of one chunk; `marks` belong to the pleth."""
    yield Wave("pleth", tuple(d[1] & 0x7F for d in real_time), SCALES["pleth"], marks=marks)
    yield Wave("spo2.bar", tuple(d[2] & 0x0F for d in real_time), SCALES["spo2.bar"])
    yield Wave("spo2.signal", tuple(d[0] & 0x0F for d in real_time), SCALES["spo2.signal"])
