"""Creative / Lepu / Viatom finger oximeters of the PC-60 family: AA 55 frames over BLE or Bluetooth serial.

    AA 55 | token 0F or F0 | len | func | data ... | crc      len counts func to crc; CRC-8/MAXIM over all before it
    0F 01  SpO2 · pulse rate u16 LE · PI x 10 · 1 probe off, 2 searching · ?          once a second
    0F 02  five pleth samples of 7 bits, bit 7 a beat                                 ten times a second
    0F 03  software, hardware (nibbles x.y), name        F0 01  the same with a software of two bytes
    0F 21  mode (1 spot, 2 continuous, 3 menu), step, two parameters      F0 02  serial      F0 03  battery 0 to 3

Source: the maker's own Android library for names, rates and bits (viatomEcho/LepuBle at 031acc8b, Pc60Fw*: "parameters
1 Hz, wave 50 Hz"); frames of a PC-60NW in a usenet post of 2017-12-10 (bbs.magnum.uk.net thread 55); of PC-60FW in
sza2/viatom_pc60fw at abbf2ae7 (GPL-3) and pedasmith/BluetoothDeviceController; of a KS-60FW in a public note. All their
CRCs hold. Zero stands where the device has no number.

Not known: the last byte of 0F 01. The library calls its two high bits the battery; the frames of the PC-60NW (38, 18)
do not look so, and only F0 03 is believed. PC-60NW may want a heartbeat (0F 80, meaning of its parameter unknown): it
is never sent; an oximeter that falls silent is asked again. Raw light (0F 20) is left out. The result of a spot check
(0F 21 step 3) is told as a status in the device's numbers and not as a reading: 0F 01 says it as well.
Other boxes of the makers (PC-100, PC-300) use the same envelope with other tokens and are refused. An older PC-60NW
has another GATT service over BLE, which is not claimed; its Bluetooth serial is.
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
    Serial,
    Status,
    Subscribe,
    Wave,
    Why,
)
from drivers.framing import MORE, Bad, Frame, Framer, Skip, find

START = b"\xaa\x55"
TOKENS = b"\x0f\xf0"
STATES_LIMIT_COUNT = 64  # damage makes up kinds of frames
MOST_BYTES = 64  # of func to crc; the longest seen is 11
NUMBERS, PLETH, WHO_0F, WORK = b"\x0f\x01", b"\x0f\x02", b"\x0f\x03", b"\x0f\x21"
WHO_F0, SERIAL_NUMBER, BATTERY = b"\xf0\x01", b"\xf0\x02", b"\xf0\x03"
LEAST_BYTES = {NUMBERS: 6, PLETH: 5, WHO_0F: 2, WHO_F0: 3, SERIAL_NUMBER: 1, BATTERY: 1, WORK: 4}
ANSWERS = (b"\x0f\x04", b"\x0f\x05", b"\x0f\x20")  # to the switches, and raw light: nothing to tell
MODES = {1: "spot check", 2: "continuous", 3: "menu"}
STEPS = {0: "idle", 1: "preparing", 2: "measuring", 3: "result", 4: "pulse analysis", 5: "done"}

NUS = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
WRITE = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
NOTIFY = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
SILENCE_NS = 3_000_000_000
SCALE = Scale(Fraction(50), "1", bits=7)


def crc8(data: bytes) -> int:
    """CRC-8/MAXIM: reflected 8C, starting at 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc


def command(token: int, *body: int) -> bytes:
    head = START + bytes((token, len(body) + 1, *body))
    return head + bytes((crc8(head),))


ASK_WHO = (command(0xF0, 0x81), command(0xF0, 0x82), command(0x0F, 0x83))
SWITCH_ON = (command(0x0F, 0x84, 1), command(0x0F, 0x85, 1))  # numbers, pleth: the PC-60NW waits for them


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    """The body is token, func and data."""
    elsewhere = find(buffer, START)
    if elsewhere is not None:
        return elsewhere
    if len(buffer) > 2 and buffer[2] not in TOKENS:
        return Bad("unknown token", 2)
    if len(buffer) > 3 and not 2 <= buffer[3] <= MOST_BYTES:
        return Bad("length", 2)
    if len(buffer) < 4 or len(buffer) < 4 + buffer[3]:
        return MORE
    size = 4 + buffer[3]
    if crc8(bytes(buffer[: size - 1])) != buffer[size - 1]:
        return Bad("crc", 2)
    return Frame(size, bytes((buffer[2], *buffer[4 : size - 1])))


def points(data: bytes) -> str:
    """A version: each nibble a number."""
    return ".".join(f"{byte >> 4}.{byte & 15}" for byte in data)


def text_of(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("latin-1").strip()


class CreativePc60(Driver):
    info = Info(
        id="creative_pc60",
        models=("Creative PC-60NW", "Lepu/Viatom PC-60FW", "PC-60F", "Viatom KS-60FW (OxySmart)"),
        claims=(Ble(NUS, "PC-60F"), Ble(NUS, "PC-60NW-1"), Ble(NUS, "KS-60FW"), Ble(NUS, "OxySmart"), Serial(115200)),
        emits=("pleth", "spo2", "spo2.pr", "spo2.perf_index"),
        integrity=Integrity.CRC,
        wiring="BLE (PC-60FW, KS-60FW): switch it on with a finger in; it takes one connection, so close the maker's "
        "app, and goes off without a finger. PC-60NW: pair it and bind its serial port (rfcomm); the baud rate has no "
        "meaning there.",
        sends=frozenset((*ASK_WHO, *SWITCH_ON)),
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(cut, self.counts)
        self._states: dict[str, str] = {}
        self._identity = Identity()
        self._probe_off = False
        self._silent_at = SILENCE_NS

    def pending(self) -> int:
        return len(self._framer)

    def on_open(self, now: int) -> Iterable[Output]:
        self._heard(now)
        return [Subscribe(NOTIFY), *(Send(data, WRITE) for data in ASK_WHO)]

    def _heard(self, now: int) -> None:
        self._silent_at = self.wake_at = now + SILENCE_NS

    def on_time(self, now: int) -> Iterable[Output]:
        """Nothing was measured for a while: the oximeter waits to be switched on, or is another one."""
        if now < self._silent_at:
            return []
        self._heard(now)
        return [Send(data, WRITE) for data in (*ASK_WHO, *SWITCH_ON)]

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        out: list[Output] = []
        samples: list[int] = []
        marks: list[Mark] = []
        measures = False
        for body in self._framer.feed(data):
            kind, rest = body[:2], body[2:]
            measures |= kind in (NUMBERS, PLETH)
            if kind == PLETH and len(rest) >= LEAST_BYTES[PLETH]:
                marks += self._marks(rest, len(samples))
                samples += [byte & 0x7F for byte in rest]
            else:
                out += self._frame(kind, rest)
        if measures:
            self._heard(now)
        if samples:
            out.append(Wave("pleth", tuple(samples), SCALE, marks=tuple(marks)))
        return out

    def _marks(self, data: bytes, start: int) -> Iterator[Mark]:
        for at, byte in enumerate(data, start):
            if byte & 0x80:
                yield Mark(at, "beat")
            if self._probe_off:
                yield Mark(at, "sensor-off")

    def _frame(self, kind: bytes, data: bytes) -> Iterator[Output]:
        if kind in ANSWERS:
            return
        if len(data) < LEAST_BYTES.get(kind, 256):
            code = f"frame {kind.hex().upper()}"
            if code not in self._states and len(self._states) < STATES_LIMIT_COUNT:  # once: it may come often
                yield from self._state(code, data.hex().upper())
        elif kind == NUMBERS:
            yield from self._numbers(data)
        elif kind == WORK:
            mode, step = MODES.get(data[0], str(data[0])), STEPS.get(data[1], str(data[1]))
            yield from self._state("work", f"{mode}, {step}, {data[2]} {data[3]}")
        elif kind == BATTERY:
            yield from self._state("battery", f"{data[0]} of 3")
        else:
            yield from self._who(kind, data)

    def _state(self, code: str, text: str) -> Iterator[Status]:
        if self._states.get(code) != text:
            self._states[code] = text
            yield Status(code, Phase.ON, text)

    def _flag(self, code: str, on: bool) -> Iterator[Status]:
        if self._states.get(code, Phase.OFF) != (phase := Phase.ON if on else Phase.OFF):
            self._states[code] = phase
            yield Status(code, phase)

    def _numbers(self, d: bytes) -> Iterator[Output]:
        self._probe_off, searching = bool(d[4] & 0x02), bool(d[4] & 0x04)
        yield from self._flag("probe-off", self._probe_off)
        yield from self._flag("searching", searching)
        doubt = Why.SENSOR_OFF if self._probe_off else Why.SEARCHING if searching else None
        for channel, unit, value in (
            ("spo2", "%", d[0]),
            ("spo2.pr", "/min", d[1] | d[2] << 8),
            ("spo2.perf_index", "%", Decimal(d[3]).scaleb(-1)),
        ):
            if self._probe_off or not value or (channel == "spo2" and value > 100):
                yield Numeric(channel, None, unit, doubt or Why.INVALID)
            else:
                yield Numeric(channel, value, unit, doubt)

    def _who(self, kind: bytes, d: bytes) -> Iterator[Identity]:
        was = self._identity
        model, serial, firmware = was.model, was.serial, was.firmware
        if kind == SERIAL_NUMBER:
            serial = text_of(d)
        else:
            size = 1 if kind == WHO_0F else 2  # of the software's version; the hardware's byte follows
            firmware, model = points(d[:size]), text_of(d[size + 1 :])
        self._identity = Identity(was.maker, model, serial, firmware)
        if self._identity != was:
            yield self._identity
