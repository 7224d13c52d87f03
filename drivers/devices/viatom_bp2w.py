"""Viatom / Lepu LP-BP2W blood pressure monitor over Bluetooth LE: it tells cuff pressure and result while it measures.

    A5 | command | its complement | 00 host, 01 device | sequence | length u16 LE | data | CRC-8 (07, start 0) over all
    08 pushed while it measures: type, battery state, battery %, then by type
       0 cuff inflated: pressure u16 · 1 result: systolic, diastolic, mean, heart rate, u16 each · 2 ECG · 3 ECG ended
    E1 who is it: firmware at 3, model at 9 (8), clock at 24 (year u16, month .. second), serial at 37 (length, text)

Source: chalimov/viatom_bp2_ha at e4723cf5 (MIT), LP-BP2W_PROTOCOL.md, sections 3, 7, 9 and 10, tried on a real device.
The answer to E1 in the capture is that device's (its serial number blanked); pushes are made by the rules.

Sent: E1, until it is answered. By the document it is safe; 04, 09, 0A, 24, 25, 39, E2 and E3 inflate the cuff, reset
or erase: none is in this file. A command that is not E1 is never tried. Stored results are not asked for.
A result is pushed for as long as it is shown: it is said once. Not known: battery state, ECG samples behind types 2
and 3 (told as a status), error results (a systolic of 0 or not above the diastolic is told as invalid).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from drivers.contract import (
    Ble,
    DeviceTime,
    Driver,
    Identity,
    Info,
    Integrity,
    Numeric,
    Output,
    Phase,
    Send,
    Status,
    Subscribe,
    Why,
)
from drivers.devices.viatom_o2ring import NOTIFY, RING, WRITE, checksum
from drivers.framing import MORE, Bad, Frame, Framer, Skip, find

MARKER, HOST, DEVICE = b"\xa5", 0, 1
WHO, PUSH = 0xE1, 0x08
HEAD_BYTES, LIMIT_BYTES = 7, 2048
CUFF, RESULT = 0, 1
MODES = {0: "measuring", 1: "result", 2: "ECG measuring", 3: "ECG ended"}
FIELDS = (("nibp.sys", "mm[Hg]"), ("nibp.dia", "mm[Hg]"), ("nibp.map", "mm[Hg]"), ("nibp.pr", "/min"))
PRESSURE, BATTERY = "viatom_bp2w:cuff", "viatom_bp2w:battery"
PATIENCE_NS = 5_000_000_000


def request(command: int) -> bytes:
    head = bytes((MARKER[0], command, command ^ 0xFF, HOST, 0, 0, 0))
    return head + bytes((checksum(head),))


ASK_WHO = request(WHO)


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    """The body is the command and the data."""
    if skip := find(buffer, MARKER):
        return skip
    if len(buffer) < HEAD_BYTES:
        return MORE if len(buffer) < 3 or buffer[1] ^ buffer[2] == 0xFF else Skip(1)
    if buffer[1] ^ buffer[2] != 0xFF or buffer[3] != DEVICE:
        return Skip(1)
    size = HEAD_BYTES + (buffer[5] | buffer[6] << 8) + 1
    if size > LIMIT_BYTES:
        return Bad("too long")
    if len(buffer) < size:
        return MORE
    if checksum(buffer[: size - 1]) != buffer[size - 1]:
        return Bad("checksum")
    return Frame(size, bytes((buffer[1], *buffer[HEAD_BYTES : size - 1])))


class ViatomBp2w(Driver):
    info = Info(
        id="viatom_bp2w",
        models=("Viatom LP-BP2W",),
        claims=(Ble(RING, "LP-BP2W"), Ble(RING, "BP2W")),
        emits=(*(channel for channel, _ in FIELDS), PRESSURE, BATTERY),
        integrity=Integrity.CRC,
        wiring="Bluetooth LE, no pairing; close the maker's app. Connect before measuring: results are told as they "
        "are made, stored ones are not read.",
        sends=frozenset((ASK_WHO,)),
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(cut, self.counts)
        self._mode = ""
        self._battery = -1
        self._pressure: int | None = None
        self._result = b""

    def pending(self) -> int:
        return len(self._framer)

    def on_open(self, now: int) -> Iterable[Output]:
        return [Subscribe(NOTIFY), *self.on_time(now)]

    def on_time(self, now: int) -> Iterable[Output]:
        self.wake_at = now + PATIENCE_NS
        return (Send(ASK_WHO, WRITE),)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        out: list[Output] = []
        for body in self._framer.feed(data):
            if body[0] == WHO:
                self.wake_at = None
                out += who(body[1:])
            elif body[0] == PUSH and len(body) >= 4:
                out += self._push(body[1], body[3], body[4:])
        return out

    def _push(self, kind: int, battery: int, d: bytes) -> Iterator[Output]:
        mode = MODES.get(kind, f"type {kind:02X}")
        if mode != self._mode:
            self._mode = mode
            yield Status("mode", Phase.ON, mode)
        if battery != self._battery:
            self._battery = battery
            yield Numeric(BATTERY, battery, "%")
        if kind == CUFF and len(d) >= 2:
            self._result = b""
            self._pressure = d[0] | d[1] << 8
            yield Numeric(PRESSURE, self._pressure, "mm[Hg]")
        elif self._pressure is not None:
            self._pressure = None
            yield Numeric(PRESSURE, None, "mm[Hg]", Why.UNAVAILABLE)
        if kind == RESULT and len(d) >= 8 and d[:8] != self._result:
            self._result = d[:8]
            yield from result(d)


def result(d: bytes) -> Iterator[Numeric]:
    values = [d[at] | d[at + 1] << 8 for at in (0, 2, 4, 6)]
    is_good = 0 < values[1] < values[0]
    for (channel, unit), value in zip(FIELDS, values, strict=True):
        if is_good and value:
            yield Numeric(channel, value, unit)
        else:
            yield Numeric(channel, None, unit, Why.INVALID)


def who(d: bytes) -> Iterator[Output]:
    """Nothing of an answer that is too short."""
    if len(d) < 38:
        return
    model, serial = d[9:17], d[38 : 38 + d[37]]
    firmware = f"{d[3]}.{d[4]}"
    yield Identity("Viatom", text_of(model), text_of(serial), firmware)
    try:
        month, day, hour, minute, second = d[26:31]
        clock = datetime(d[24] | d[25] << 8, month, day, hour, minute, second)  # noqa: DTZ001 (its clock has no zone)
    except ValueError:
        return
    yield DeviceTime(clock.isoformat())


def text_of(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("latin-1")
