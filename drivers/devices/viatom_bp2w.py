"""Viatom / Lepu BP2 blood pressure monitors over Bluetooth LE: asked once a second what they do.

    A5 | command | its complement | 00 host, 01 device | sequence | length u16 LE | data | CRC-8 (07, start 0) over all
    E1 who is it: firmware at 3, model at 9 (8), clock at 24 (year u16, month .. second), serial at 37 (length, text)
    08 what it does: 0 state · 1 battery state · 2 battery % · 3 battery mV u16 · 5 number in a series, 6 wait
       9 type: 0 cuff, 1 result, 2 ECG, 3 ECG ended, FF nothing · 10 data (20) · 30 n u16 · n samples i16
       data of 0: deflating, pressure i16 x 100, pulse seen, heart rate u16
       data of 1: deflated, pressure, systolic u16, diastolic u16, mean u16, heart rate u16, outcome (0 good)

Source: chalimov/viatom_bp2_ha at e4723cf5 (MIT): LP-BP2W_PROTOCOL.md for the frame, and its log of a real monitor,
whose answers to E1 and 08 are in the capture (serial number blanked). That document puts a result at 3; its own log
proves it at 13, as the maker's library has it (LepuBle: Bp2BleRtData, shared by BP2, BP2A, BP2T and LP-BP2W).
No answer of the real monitor while its cuff is full was at hand: type 0 is by the library alone.

Sent: E1 until it is answered, then 08. By the document both are safe; 04, 09, 0A, 24, 25, 39, E2 and E3 inflate the
cuff, reset or erase: none is in this file. Stored results are not asked for.
A result has no time and stands for as long as it is shown: it is said once, and never when it stands already in the
first answer after connecting, for it may be old. Not known: the samples (cuff or ECG; ECG is told as a state only).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal

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
WHO, DOES = 0xE1, 0x08
HEAD_BYTES, LIMIT_BYTES = 7, 2048
SHORTEST = 30
CUFF, RESULT = 0, 1
STATES = {
    0: "asleep",
    1: "history",
    2: "charging",
    3: "ready",
    4: "measuring",
    5: "measured",
    6: "ECG measuring",
    7: "ECG ended",
    15: "series: measuring",
    16: "series: waiting",
    17: "series: ended",
}
OUTCOMES = {1: "cannot analyse", 2: "moved", 3: "weak signal"}
FIELDS = (("nibp.sys", "mm[Hg]"), ("nibp.dia", "mm[Hg]"), ("nibp.map", "mm[Hg]"), ("nibp.pr", "/min"))
PRESSURE, BATTERY = "viatom_bp2w:cuff", "viatom_bp2w:battery"
SECOND_NS = 1_000_000_000
PATIENCE_NS = 5 * SECOND_NS


def request(command: int) -> bytes:
    head = bytes((MARKER[0], command, command ^ 0xFF, HOST, 0, 0, 0))
    return head + bytes((checksum(head),))


ASK_WHO, ASK_DOES = request(WHO), request(DOES)


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
        models=("Viatom LP-BP2W", "Viatom BP2, BP2A, BP2T (by the maker's library)"),
        claims=(Ble(RING, "LP-BP2W"), Ble(RING, "BP2")),
        emits=(*(channel for channel, _ in FIELDS), PRESSURE, BATTERY),
        integrity=Integrity.CRC,
        wiring="Bluetooth LE, no pairing; close the maker's app. Connect before measuring: results are told as they "
        "are made, stored ones are not read.",
        sends=frozenset((ASK_WHO, ASK_DOES)),
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(cut, self.counts)
        self._reset()

    def _reset(self) -> None:
        self._knows = False
        self._waits = True
        self._state = ""
        self._battery = -1
        self._has_pressure = False
        self._result: bytes | None = None
        self._is_first = True
        self._outcome = ""

    def pending(self) -> int:
        return len(self._framer)

    def on_open(self, now: int) -> Iterable[Output]:
        self._reset()
        return [Subscribe(NOTIFY), *self._ask(now)]

    def _ask(self, now: int) -> Iterable[Output]:
        self._waits = True
        self.wake_at = now + PATIENCE_NS
        return (Send(ASK_DOES if self._knows else ASK_WHO, WRITE),)

    def on_time(self, now: int) -> Iterable[Output]:
        """Time for the next question; a monitor that did not answer the last one is asked who it is."""
        self._knows = self._knows and not self._waits
        return self._ask(now)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        out: list[Output] = []
        for body in self._framer.feed(data):
            if body[0] == WHO:
                out += who(body[1:])
            elif body[0] == DOES and len(body) > SHORTEST:
                out += self._does(body[1:])
            else:
                continue
            self._knows, self._waits = True, False
            self.wake_at = now + SECOND_NS
        return out

    def _does(self, d: bytes) -> Iterator[Output]:
        state = STATES.get(d[0], f"state {d[0]:02X}")
        if state != self._state:
            self._state = state
            yield Status("mode", Phase.ON, state)
        if d[2] != self._battery:
            self._battery = d[2]
            yield Numeric(BATTERY, d[2], "%")
        if d[9] == CUFF:
            self._has_pressure = True
            yield Numeric(PRESSURE, Decimal(int.from_bytes(d[11:13], "little", signed=True)) / 100, "mm[Hg]")
        elif self._has_pressure:
            self._has_pressure = False
            yield Numeric(PRESSURE, None, "mm[Hg]", Why.UNAVAILABLE)
        if d[9] != RESULT:
            self._result = None
            if self._outcome:
                yield Status("outcome", Phase.OFF, self._outcome)
                self._outcome = ""
        elif d[13:22] != self._result:
            self._result = d[13:22]
            if not self._is_first:
                yield from self._tell(d[13:21], d[21])
        self._is_first = False

    def _tell(self, d: bytes, outcome: int) -> Iterator[Output]:
        values = [d[at] | d[at + 1] << 8 for at in (0, 2, 4, 6)]
        is_good = outcome == 0 and 0 < values[1] < values[0]
        for (channel, unit), value in zip(FIELDS, values, strict=True):
            if is_good and value:
                yield Numeric(channel, value, unit)
            else:
                yield Numeric(channel, None, unit, Why.INVALID)
        if outcome:
            self._outcome = OUTCOMES.get(outcome, f"fault {outcome:02X}")
            yield Status("outcome", Phase.ON, self._outcome)


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
