"""Ivy Biomedical 450C patient monitor, ANSAR-B: one message a second with five waves and the numerics.

    FF "ANSAR-B " | 200 ECG | 50 resp | 50 pleth | 50 P1 | 50 P2 | line CR line CR ... | FE
    line: NAME=code;value;..;label;alarm       wave bytes 00..FA; FB fills a channel that is off; no FE or FF inside
    HR=1;80;ECG-II-DIAG;   SPO2=1;100;PR=80 ;   NIBP=4;121;75;92;80;;   P2=3;;;;NO TRANSDUCER;

Source: mdpnp/mdpnp at 1ae7f72a (BSD-2): a recording of a 450C fed by a simulator, and OpenICE's AnsarB, which names the
last field of a line the alarm and the one before it the label. The maker's text is not in hand.

Not protected: there is no checksum. A message is good if its wave part is exactly 400 bytes without FE and FF and its
text is printable and begins with a line we know (so a lost wave byte is seen). A flipped bit is not.
Not known: the meaning of the code (told as a status when it changes); units: mV (0.02 a step about 100), mm[Hg] and Cel
are what the monitor's displays use, not what the line says. NIBP is repeated every second until the next measurement.
P1 and P2: OpenICE subtracts 80 and 251, but in every message of the recording the greatest and the smallest P1 byte are
its own systolic and diastolic numbers (111 and 73) to within 1, so the bytes are mm[Hg] as they stand; 251 is FB, off.
Respiration is taken as impedance while ETCO2 is empty; with a CO2 value its origin is not told (`resp.wave`).
T1 and T2 are two sites not told: T1 is `temp.unspecified`, T2 keeps the monitor's label.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from drivers.contract import (
    Alarm,
    Driver,
    Info,
    Integrity,
    Mark,
    Numeric,
    Output,
    Phase,
    Scale,
    Serial,
    Status,
    Wave,
    Why,
)
from drivers.framing import MORE, Bad, Frame, Framer, Skip, find

START, END = b"\xffANSAR-B ", 0xFE
WAVE_BYTES = 400
TEXT_AT = len(START) + WAVE_BYTES
TEXT_LIMIT_BYTES = 2048

LEADS = {
    lead.upper(): f"ecg.{lead}" for lead in ("i", "ii", "iii", "avr", "avl", "avf", *(f"v{n}" for n in range(1, 7)))
}
LINES = {  # name: (channel, unit) of its values in order, then come label and alarm
    "HR": (("ecg.hr", "/min"),),
    "RR": (("resp.rr", "/min"),),
    "ETCO2": (("co2.et", "mm[Hg]"),),
    "SPO2": (("spo2", "%"),),
    "NIBP": (("nibp.sys", "mm[Hg]"), ("nibp.dia", "mm[Hg]"), ("nibp.map", "mm[Hg]"), ("nibp.pr", "/min")),
    "P1": (("ibp.p1_sys", "mm[Hg]"), ("ibp.p1_dia", "mm[Hg]"), ("ibp.p1_map", "mm[Hg]")),
    "P2": (("ibp.p2_sys", "mm[Hg]"), ("ibp.p2_dia", "mm[Hg]"), ("ibp.p2_map", "mm[Hg]")),
    "T1": (("temp.unspecified", "Cel"),),
    "T2": (("ivy_450c:T2", "Cel"),),
}
ABSENT = {  # by label or alarm; only the first was seen, the others say what they mean
    "NO TRANSDUCER": Why.NO_SENSOR,
    "NO PROBE": Why.NO_SENSOR,
    "NO SENSOR": Why.NO_SENSOR,
    "LEAD OFF": Why.SENSOR_OFF,
    "LEADS OFF": Why.SENSOR_OFF,
}
ECG_SCALE = Scale(Fraction(200), "mV", Fraction(1, 50), Fraction(100), 8)
RESP_SCALE = Scale(Fraction(50), "1", bits=8)
PLETH_SCALE = Scale(Fraction(50), "1", offset=Fraction(86), bits=8)
PRESSURE_SCALE = Scale(Fraction(50), "mm[Hg]", bits=8)
PULSE = re.compile(r"PR=\s*(\S*)\s*")
NUMBER = re.compile(r"-?\d+(\.\d+)?")
BREAKS = re.compile(rb"[\xfe\xff]")
PRINTABLE = re.compile(rb"[\x20-\x7e\r\n]*")


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    """The body is 400 wave bytes and the text."""
    elsewhere = find(buffer, START)
    if elsewhere is not None:
        return elsewhere
    limit = TEXT_AT + TEXT_LIMIT_BYTES
    stop = BREAKS.search(buffer, len(START), limit)
    if stop is None:
        return Bad("too long") if len(buffer) >= limit else MORE
    at = stop.start()
    if buffer[at] != END:
        return Bad("no end", at)
    if at < TEXT_AT:
        return Bad("wave part short", at + 1)
    text = bytes(buffer[TEXT_AT:at])
    if text.partition(b"=")[0].decode("latin-1") not in LINES or not PRINTABLE.fullmatch(text):
        return Bad("text", at + 1)
    return Frame(at + 1, bytes(buffer[len(START) : at]))


@dataclass(slots=True)
class Gathered:
    """The samples of one channel and chunk."""

    samples: list[int] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    def add(self, data: bytes) -> None:
        start = len(self.samples)
        self.marks += [Mark(start + run.start(), "off", run.end() - run.start()) for run in re.finditer(b"\xfb+", data)]
        self.samples += data


class Ivy450C(Driver):
    info = Info(
        id="ivy_450c",
        models=("Ivy Biomedical 450C",),
        claims=(Serial(9600),),
        emits=(
            *("ecg.*", "resp.impedance", "resp.wave", "pleth", "ibp.p1", "ibp.p2", "spo2.pr"),
            *(channel for values in LINES.values() for channel, _ in values if not channel.startswith("ecg.")),
        ),
        integrity=Integrity.NONE,
        wiring="RS-232 port of the monitor with its ANSAR-B output switched on in the monitor's menu, 9600 8N1; "
        "the monitor sends one message a second unasked.",
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(cut, self.counts)
        self._texts: dict[tuple[str, str], str] = {}

    def pending(self) -> int:
        return len(self._framer)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        out: list[Output] = []
        gathered: dict[tuple[str, Scale], Gathered] = {}
        for body in self._framer.feed(data):
            lines = [line for line in re.split("[\r\n]+", body[WAVE_BYTES:].decode("ascii")) if line]
            fields = {name: rest.split(";") for name, _, rest in (line.partition("=") for line in lines)}
            for key, part in shares(body, fields):
                gathered.setdefault(key, Gathered()).add(part)
            for line in lines:
                out += self._line(line)
        out += [
            Wave(channel, tuple(all_of.samples), scale, marks=tuple(all_of.marks))
            for (channel, scale), all_of in gathered.items()
        ]
        return out

    def _line(self, line: str) -> Iterator[Output]:
        name, _, rest = line.partition("=")
        values, fields = LINES.get(name), rest.split(";")
        if values is None or len(fields) < len(values) + 3:
            yield from self._changed(line.partition("=")[0][:16], "line", line)
            return
        label, alarm = fields[len(values) + 1].strip(), ";".join(fields[len(values) + 2 :]).strip().rstrip(";")
        why = ABSENT.get(label) or ABSENT.get(alarm) or Why.UNAVAILABLE
        yield from self._changed(name, "code", fields[0], values[0][0])
        for (channel, unit), text in zip(values, fields[1:], strict=False):
            yield from self._numeric(channel, text, unit, why)
        pulse = PULSE.fullmatch(label) if name == "SPO2" else None
        if name == "SPO2":
            yield from self._numeric("spo2.pr", pulse[1] if pulse else "", "/min", why)
        yield from self._changed(name, "label", "" if pulse else label, values[0][0])
        yield from self._alarm(name, alarm, values[0][0])

    def _numeric(self, channel: str, text: str, unit: str, why: Why) -> Iterator[Output]:
        """What is neither empty nor a number is told as it stands."""
        text = text.strip()
        number = NUMBER.fullmatch(text)
        if number:
            yield Numeric(channel, Decimal(text) if number[1] else int(text), unit)
        else:
            yield Numeric(channel, None, unit, Why.INVALID if text else why)
        yield from self._changed(channel, "text", "" if number else text, channel)

    def _changed(self, name: str, what: str, text: str, channel: str = "") -> Iterator[Output]:
        """A status `ivy_450c-<what>` with the text of the line or field where it is not the one told last."""
        was = self._texts.get((name, what), "")
        if text == was:
            return
        self._keep(name, what, text)
        if text:
            yield Status(f"ivy_450c-{what}", Phase.ON, f"{name}: {text}" if what != "line" else text, channel)
        else:
            yield Status(f"ivy_450c-{what}", Phase.OFF, f"{name}: {was}" if what != "line" else was, channel)

    def _alarm(self, name: str, text: str, channel: str) -> Iterator[Output]:
        was = self._texts.get((name, "alarm"), "")
        if text == was:
            return
        self._keep(name, "alarm", text)
        if was:
            yield Alarm(name, was, "unknown", Phase.OFF, channel)
        if text:
            yield Alarm(name, text, "unknown", Phase.ON, channel)

    def _keep(self, name: str, what: str, text: str) -> None:
        """Remember what was told. Names we do not know are the device's (or noise): their number is bounded."""
        if len(self._texts) >= 256:
            self._texts.clear()
        self._texts[name, what] = text


def shares(body: bytes, fields: Mapping[str, list[str]]) -> Iterator[tuple[tuple[str, Scale], bytes]]:
    """The wave part by channel and scale. The lead is in the label of HR, which comes after the samples it names."""
    label = fields.get("HR", [])[2:3]
    yield ecg(label[0].strip() if label else ""), body[:200]
    capnograph = any(field.strip() for field in fields.get("ETCO2", [])[1:2])
    yield ("resp.wave" if capnograph else "resp.impedance", RESP_SCALE), body[200:250]
    yield ("pleth", PLETH_SCALE), body[250:300]
    yield ("ibp.p1", PRESSURE_SCALE), body[300:350]
    yield ("ibp.p2", PRESSURE_SCALE), body[350:400]


def ecg(label: str) -> tuple[str, Scale]:
    """`ECG-II-DIAG` is lead II with the filter DIAG; any other label is no lead and no filter."""
    kind, _, rest = label.partition("-")
    lead, _, mode = rest.partition("-")
    if kind != "ECG":
        return "ecg.unspecified", ECG_SCALE
    scale = Scale(ECG_SCALE.rate, ECG_SCALE.unit, ECG_SCALE.gain, ECG_SCALE.offset, ECG_SCALE.bits, mode)
    return LEADS.get(lead.upper(), "ecg.unspecified"), scale
