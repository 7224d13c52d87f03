"""B. Braun Space infusion pumps in a SpaceStation, BCC protocol V4: rates, volumes, drugs and alarms, on request.

    <SOH> length:5 <STX> bed/1/1> record <RS> record ... <ETB or ETX> sum:5 <EOT>      record: time,address,NAME,value
    length counts SOH to EOT · sum: all bytes before it, modulo 256 · ETB more parts follow, ETX the last · all decimal
    address 501pc: pillar p 1-3, slot c 1-9 A-O from the bottom, 00 the rack · `_NV` not valid, `_NA` not available
    If stuffing is on (the rack's web page), in all of it: d -> ex, D -> EX, e -> ee, E -> EE; length and sum before.

Source: B. Braun BCC interface specification 3.25/3.26 V4, its printed example (MEM:GET of a rack of three pumps), and
mindleaving/patient-monitor-datalogger at 2e548048 (MIT) for units, stuffing and the acknowledge. No byte is of a
device we know of: the first part of the example has good length and sum, parts 2 and 3 lost characters in print.

Asked for: ADMIN:ALIVE, MEM:GET and the acknowledge (06) of each part. All three read; nothing is ever set. The maker's
client takes the bed's name from the answer to ALIVE; here requests are fixed, for the beds "1" and "ComSystem".
Stuffing is tried by turns until the rack answers. A pump missing in a whole, undamaged reading loses its values.
Pillar and slot name the channels: `bbraun_bcc:13.INRT`.

Not known: whether a rack of another name answers bed "1"; INTIME, elapsed or left; what INRMT 65535 says (told as
unavailable); what INA1-15 and INM1-12 mean one by one, FMSTAT, DSSTATUS, INNR: told in the device's own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from drivers.contract import (
    Alarm,
    DeviceTime,
    Driver,
    Info,
    Integrity,
    Numeric,
    Output,
    Phase,
    Send,
    Serial,
    Status,
    Why,
)
from drivers.framing import MORE, Bad, Frame, Framer, Skip

SOH, EOT, LAST, ACK = 0x01, 0x04, 0x03, b"\x06"
HEAD = re.compile(rb"\x01(\d{5})\x02")
FOOT_BYTES = 7  # ETX or ETB, five digits, EOT
LIMIT_BYTES = 16384
BODY = re.compile(
    r"(?P<bed>[^>/]{1,64})/\d+/\d+>(?P<records>\d+,501[0-3][0-9A-O],\w+,[^\x1e]*(\x1e\d+,501[0-3][0-9A-O],\w+,[^\x1e]*)*)"
)
NUMBER = re.compile(r"-?\d{1,12}(\.\d{1,6})?")
STUFFED = {ord("d"): "ex", ord("D"): "EX", ord("e"): "ee", ord("E"): "EE"}
PLAIN = {b"ex": b"d", b"EX": b"D", b"ee": b"e", b"EE": b"E"}

SECOND_NS = 1_000_000_000
POLL_NS = 5 * SECOND_NS
PATIENCE_NS = 15 * SECOND_NS

UNITS = {
    "INRT": "mL/h",
    "INVI": "mL",
    "INVOLACT": "mL",
    "INTIME": "min",
    "INRMT": "s",
    "INSYR": "mL",
    "INSTBY": "min",
    "INBORT": "mL/h",
    "INBOVAL": "mL",
    "INBOCNT": "1",
    "INP1": "1",
    "INP2": "%",
}
UNIT_CODES = {"INDCON": "INDCONU", "INDORT": "INDORTU"}  # these say their unit in a record of their own
ABSENT = {"_NV": Why.INVALID, "_NA": Why.UNAVAILABLE}
NO_TIME = "65535"
ALARM = re.compile(r"INA\d+")
ERRORS = {"11": "no further data or no pumps", "39": "pump was removed", "68": "wrong syntax", "811": "wrong address"}


def dose_units() -> dict[str, str]:
    """UCUM units of the codes 23-147, which run in blocks: masses, then the same by volume, weight, surface, time."""
    masses = ("ng", "mg", "ug", "g", "mmol", "meq", "[IU]")
    times = ("/min", "/h", "/d")
    blocks = [(23, [m + per for per in ("", "/mL", "/kg") for m in masses])]
    blocks += [(44, [m + t for m in masses for t in times]), (65, [m + "/kg" + t for m in masses for t in times])]
    areas = [(mass, ("", *times)) for mass in ("ng", "ug", "mg", "g", "[IU]")]
    blocks += [(97, [f"{mass}/m2{per}" for mass, pers in areas for per in pers])]
    small = ("", "/mL", "/kg", "/m2", *times, *(f"/kg{t}" for t in times), *(f"/m2{t}" for t in times))
    big = ("", "/mL", "/kg", "/h", "/d", "/kg/h", "/kg/d")
    blocks += [(117, ["m[IU]" + per for per in small]), (130, [p + "[IU]" + per for p in "kM" for per in big])]
    blocks += [(144, ["meq/m2" + per for per in ("", *times)])]
    return {str(first + at): unit for first, units in blocks for at, unit in enumerate(units)}


DOSE_UNITS = dose_units()


def request(bed: str, text: str, stuffed: bool) -> bytes:
    """A whole request; stuffing goes over the finished message."""
    body = f"{bed}/1/1>{text}\x03"
    head = f"\x01{len(body) + 13:05d}\x02{body}"
    whole = f"{head}{sum(head.encode()) % 256:05d}\x04"
    return (whole.translate(STUFFED) if stuffed else whole).encode()


BEDS = ("1", "ComSystem")
ALIVE = {stuffed: request("1", "ADMIN:ALIVE", stuffed) for stuffed in (False, True)}
GET = {(bed, stuffed): request(bed, "MEM:GET", stuffed) for bed in BEDS for stuffed in (False, True)}


def destuffed(data: bytes) -> bytes:
    """Pairs are read from the left, so `eex` is e and x."""
    return re.sub(rb"ex|EX|ee|EE", lambda found: PLAIN[found[0]], data)


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    """The body is the text behind STX with its ETX or ETB."""
    if buffer[0] != SOH:
        start = buffer.find(SOH)
        return Skip(start if start > 0 else len(buffer))
    if not HEAD.match(buffer):
        return MORE if len(buffer) < 7 and buffer[1:6].isdigit() | (len(buffer) == 1) else Skip(1)
    end = buffer.find(EOT)
    again = buffer.find(SOH, 1, end if end >= 0 else len(buffer))
    if again > 0:
        return Bad("cut short", again)
    if end < 0:
        return MORE if len(buffer) < LIMIT_BYTES else Bad("too long")
    whole = bytes(buffer[: end + 1])
    if len(whole) != int(whole[1:6]):
        whole = destuffed(whole)
    return checked(whole, end + 1)


def checked(whole: bytes, size: int) -> Frame | Bad:
    if len(whole) != int(whole[1:6]):
        return Bad("length", size)
    foot = whole[-FOOT_BYTES:]
    if foot[0] not in b"\x03\x17" or foot[1:6] != b"%05d" % (sum(whole[:-6]) % 256):
        return Bad("checksum", size)
    if not BODY.fullmatch(whole[7:-FOOT_BYTES].decode("utf-8", "replace")):
        return Bad("not an answer", size)
    return Frame(size, whole[7 : 1 - FOOT_BYTES])


class BbraunBcc(Driver):
    info = Info(
        id="bbraun_bcc",
        models=("B. Braun SpaceStation with SpaceCom", "B. Braun Perfusor Space", "B. Braun Infusomat Space"),
        claims=(Serial(9600), Serial(19200), Serial(38400), Serial(57600), Serial(115200)),
        emits=("bbraun_bcc:*",),
        integrity=Integrity.SUM,
        wiring="RS-232 port of SpaceCom in the SpaceStation (or TCP through a converter). On SpaceCom's web page "
        "set the port to BCC, 9600 8N1; character stuffing may be on or off.",
        sends=frozenset((ACK, *ALIVE.values(), *GET.values())),
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(cut, self.counts)
        self._bed = ""  # empty until the rack has answered
        self._waits = True
        self._stuffed = False
        self._told: dict[tuple[str, str], str] = {}
        self._units: dict[tuple[str, str], str] = {}
        self._pumps: dict[str, dict[str, str]] = {}  # address: unit of each channel with a value
        self._reading: set[str] = set()  # addresses heard since the question
        self._bad_before = 0
        self._seconds = -1

    def pending(self) -> int:
        return len(self._framer)

    def on_open(self, now: int) -> Iterable[Output]:
        return self._greet(now)

    def _greet(self, now: int) -> Iterable[Output]:
        self._bed, self._waits = "", True
        self.wake_at = now + PATIENCE_NS
        return (Send(ALIVE[self._stuffed]),)

    def _ask(self, now: int) -> Iterable[Output]:
        self._waits, self._reading, self._bad_before = True, set(), self.counts.bad
        self.wake_at = now + PATIENCE_NS
        return (Send(GET[self._bed, self._stuffed]),)

    def on_time(self, now: int) -> Iterable[Output]:
        if self._bed and not self._waits:
            return self._ask(now)
        self._stuffed = not self._stuffed
        return self._greet(now)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        out: list[Output] = []
        for body in self._framer.feed(data):
            found = BODY.fullmatch(body[:-1].decode("utf-8", "replace"))
            assert found, "cut() lets nothing else through"
            records = [record.split(",", 3) for record in found["records"].split("\x1e")]
            out.append(Send(ACK))
            out += self._part(records)
            out += self._next(found["bed"], records, body[-1] == LAST, now)
        return out

    def _next(self, bed: str, records: list[list[str]], is_last: bool, now: int) -> Iterable[Output]:
        """The first answer is followed by the first question, a whole reading by a pause."""
        if not self._bed and any(name == "GNACK" for _, _, name, _ in records):
            self._bed = bed if bed in BEDS else BEDS[0]
            return self._ask(now)
        was_asked, self._waits = self._waits, not is_last
        self.wake_at = now + (POLL_NS if is_last else PATIENCE_NS)
        if was_asked and self._bed and is_last and self.counts.bad == self._bad_before:
            return [output for gone in sorted(self._pumps.keys() - self._reading) for output in self._withdrawn(gone)]
        return ()

    def _withdrawn(self, address: str) -> Iterator[Output]:
        """A whole reading without a pump: its last rate must not stand."""
        for channel, unit in self._pumps.pop(address).items():
            yield Numeric(channel, None, unit, Why.UNAVAILABLE)

    def _part(self, records: list[list[str]]) -> Iterator[Output]:
        """A unit stands behind its value: units first."""
        seconds = int(records[0][0][:10])
        if seconds != self._seconds:
            self._seconds = seconds
            yield DeviceTime(ticks=seconds)
        for _, address, name, value in records:
            if name in UNIT_CODES.values() and address[3:] != "00":
                self._units[address, name] = value
        for _, address, name, value in records:
            if name != "GNERR":
                self._reading.add(address)
            yield from self._record(address, name, value)

    def _record(self, address: str, name: str, value: str) -> Iterator[Output]:
        channel = f"bbraun_bcc:{address[3:]}.{name}"
        if name in UNITS:
            yield from self._numeric(channel, value, UNITS[name], name, address)
        elif name in UNIT_CODES:
            code = self._units.get((address, UNIT_CODES[name]), "")
            yield from self._numeric(channel, value, DOSE_UNITS.get(code, ""), name, address)
        else:
            text = "" if value in ABSENT or not value.strip("0") else value
            if name == "GNERR":
                text = f"{value} {ERRORS.get(value, '')}".strip()
            yield from self._state(name, text, address)

    def _numeric(self, channel: str, value: str, unit: str, name: str, address: str) -> Iterator[Output]:
        if unit and value in ABSENT:
            yield Numeric(channel, None, unit, ABSENT[value])
        elif name == "INRMT" and value == NO_TIME:
            yield Numeric(channel, None, unit, Why.UNAVAILABLE)
        elif unit and NUMBER.fullmatch(value):
            yield Numeric(channel, Decimal(value) if "." in value else int(value), unit)
        else:
            yield from self._state(name, value, address)
            return
        self._pumps.setdefault(address, {})[channel] = unit

    def _state(self, code: str, text: str, address: str) -> Iterator[Output]:
        """Said when it changes; none of it is on before it has been heard."""
        if self._told.get((address, code), "") == text or len(self._told) > 4096:
            return
        self._told[address, code] = text
        phase = Phase.ON if text else Phase.OFF
        channel = f"bbraun_bcc:{address[3:]}"
        if ALARM.fullmatch(code):
            yield Alarm(code, text or "0", "unknown", phase, channel)
        else:
            yield Status(code, phase, text, channel)
