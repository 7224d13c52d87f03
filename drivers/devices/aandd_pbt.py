"""A&D monitors and scales with a Bluetooth serial port (PBT series): a measurement each, told as it is sent.

    60 bytes of head, then n of data; numbers little endian
    0 type u16 = 2 | 2 n u32 | 6 device u16 | 8 flag | 9 measured: year u16 month day hour minute second | 16 sent: the
    same | 23 its address, 6 | 29 the host's name, 6 | 35 serial number, 12 | 47 reserved, 10 | 57 battery | 58 reserved
    | 59 firmware and hardware
    device 767 (UA-767PBT)   ten hex digits: 80 valid, systolic - diastolic, diastolic, pulse rate, mean
    device 321 (UC-321PBT)   ST,+078.05kg CR LF, or lb
    device 407 (UC-411PBT-C) eight such lines: ST weight, RT impedance, FT fat, HT height, BT basal metabolism,
                             MT muscle, WT water, ID user

Source: the Bluetooth specification of the PBT series as the wiki of Seneca College quotes it (NexJ adapter, 2012), and
the comments of `BluetoothServer4And.java` (Cking 2012, no licence), which hold a whole packet of a UC-411PBT-C and two
readings of a UA-767PBT. `PWCAPI` before a packet is passed over, and so is `PWRQPI`, which asks for a person's height
and age.

Nothing is sent. A host may answer PWA1, after which the device forgets the measurement: whether it is safe here is
known only later, so the device keeps it and sends it again. What was said is therefore kept in the mark, the last 40.
A measurement made more than ten minutes before it was sent is history and says `not-updated`.
Not known: the flag, the battery's scale, what a pressure marked otherwise than 80 means (told as invalid).
Not protected: no checksum. A packet must have a known device, a whole date and data of the right form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from drivers.bluetooth.numbers import moment
from drivers.contract import (
    DeviceTime,
    Driver,
    Identity,
    Info,
    Integrity,
    Numeric,
    Output,
    Phase,
    Reached,
    Serial,
    Status,
    Why,
)
from drivers.framing import MORE, Bad, Frame, Framer, Skip, find
from drivers.moments import clock, taken

START = b"\x02\0"
HEAD_BYTES = 60
MEASURED, SENT, SERIAL = slice(9, 16), slice(16, 23), slice(35, 47)
RECENT = timedelta(minutes=10)
KEPT_COUNT = 40
PRESSURE = re.compile(rb"[0-9A-F]{10}")
LINE = rb"[A-Z]{2},[+\-0-9.]{2,8}[A-Za-z%]{0,2}\r\n"
SCALE = re.compile(rb"ST,[+-]\d{1,4}\.\d{1,2}(?:kg|lb)\r\n(?:" + LINE + rb"){0,9}")
FIELD = re.compile(rb"([A-Z]{2}),\+?(-?[\d.]+)([A-Za-z%]{0,2})\r\n")
LENGTHS = range(10, 129)


@dataclass(frozen=True, slots=True)
class Kind:
    """A device: its name, and what its data look like."""

    model: str
    form: re.Pattern[bytes]


KINDS = {767: Kind("UA-767PBT", PRESSURE), 321: Kind("UC-321PBT", SCALE), 407: Kind("UC-411PBT-C", SCALE)}
OTHER = "aandd_pbt:"
VALUES = {  # channel and unit of each line; a unit the device writes otherwise is told as it is
    b"ST": "body.weight",
    b"FT": "body.fat",
    b"HT": "body.height",
    b"RT": f"{OTHER}impedance",
    b"BT": f"{OTHER}basal_metabolism",
    b"MT": f"{OTHER}muscle",
    b"WT": f"{OTHER}water",
}
UNITS = {b"kg": "kg", b"lb": "[lb_av]", b"%": "%", b"mm": "mm", b"in": "[in_i]", b"O": "Ohm", b"kc": "kcal"}


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    """The body is a whole packet."""
    if skip := find(buffer, START):
        return skip
    if len(buffer) < 8:
        return MORE
    size, kind = int.from_bytes(buffer[2:6], "little"), KINDS.get(buffer[6] | buffer[7] << 8)
    if kind is None or size not in LENGTHS:
        return Skip(1)
    if len(buffer) < HEAD_BYTES + size:
        return MORE
    if not moment(bytes(buffer[MEASURED])) or not kind.form.fullmatch(buffer, HEAD_BYTES, HEAD_BYTES + size):
        return Bad("date or data")
    return Frame(HEAD_BYTES + size, bytes(buffer[: HEAD_BYTES + size]))


class AanddPbt(Driver):
    info = Info(
        id="aandd_pbt",
        models=tuple(f"A&D {kind.model}" for kind in KINDS.values()),
        claims=(Serial(9600),),
        emits=("nibp.sys", "nibp.dia", "nibp.map", "nibp.pr", "body.weight", "body.fat", "body.height", f"{OTHER}*"),
        integrity=Integrity.NONE,
        wiring="Bluetooth serial port (SPP): the device calls the host, which must offer a port named PWAccessP and be "
        "paired once; pin /dev/rfcomm0, its baud rate does not matter. Models ending in -C speak ISO/IEEE 11073, but "
        "for the UC-411PBT-C. The device is not answered: it may show an error, and sends again: not told twice.",
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(cut, self.counts, HEAD_BYTES + LENGTHS.stop)
        self._said: list[str] | None = None
        self._identity: Identity | None = None
        self._states: dict[str, str] = {}

    def pending(self) -> int:
        return len(self._framer)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        return [output for packet in self._framer.feed(data) for output in self._tell(packet)]

    def _tell(self, packet: bytes) -> Iterator[Output]:
        said = self._said = self.reached.split() if self._said is None else self._said
        data = packet[HEAD_BYTES:]
        key = packet[6:8].hex() + _text(packet[SERIAL]) + packet[MEASURED].hex() + data[:12].decode("ascii")
        if key in said:
            return
        identity = Identity("A&D", KINDS[packet[6] | packet[7] << 8].model, _text(packet[SERIAL]))
        if identity != self._identity:
            self._identity = identity
            yield identity
        yield from clock(moment(packet[SENT]))
        if packet[6:8] == (767).to_bytes(2, "little"):
            readings = self._pressure(bytes.fromhex(data.decode("ascii")), _age(packet))
        else:
            readings = self._weight(data, _age(packet))
        yield from taken(DeviceTime(moment(packet[MEASURED])), readings)
        self._said = [*said, key][-KEPT_COUNT:]
        yield Reached(" ".join(self._said))

    def _pressure(self, data: bytes, age: Why | None) -> Iterator[Output]:
        mark, difference, diastolic, pulse, mean = data
        yield from self._state("reading", "" if mark == 0x80 else f"{mark:02X}")
        is_good = mark == 0x80 and difference > 0 and diastolic > 0
        for name, value in (("sys", diastolic + difference), ("dia", diastolic), ("map", mean)):
            yield _numeric(f"nibp.{name}", value if is_good else 0, "mm[Hg]", age)
        yield _numeric("nibp.pr", pulse if is_good else 0, "/min", age)

    def _weight(self, data: bytes, age: Why | None) -> Iterator[Output]:
        fields = {found[1]: (found[2].decode("ascii"), found[3]) for found in FIELD.finditer(data)}
        yield from self._state("user", fields.get(b"ID", ("", b""))[0])
        for name, channel in VALUES.items():
            if name in fields and fields[name][0].count(".") < 2:
                value, unit = fields[name]
                yield Numeric(channel, Decimal(value), UNITS.get(unit, unit.decode("ascii")), age)

    def _state(self, code: str, text: str) -> Iterator[Output]:
        if self._states.get(code, "") != text:
            self._states[code] = text
            yield Status(code, Phase.ON if text else Phase.OFF, text)


def _numeric(channel: str, value: int, unit: str, age: Why | None) -> Numeric:
    """No pressure and no pulse rate is zero: there it stands for none."""
    return Numeric(channel, value or None, unit, age if value else Why.INVALID)


def _age(packet: bytes) -> Why | None:
    """By the device's own clock, which stands in the packet twice."""
    measured, sent = moment(packet[MEASURED]), moment(packet[SENT])
    if sent and abs(datetime.fromisoformat(sent) - datetime.fromisoformat(measured)) <= RECENT:
        return None
    return Why.NOT_UPDATED


def _text(data: bytes) -> str:
    return "".join(chr(byte) for byte in data if 0x20 < byte < 0x7F)
