r"""Mindray patient monitors over the network, HL7 version 2 in MLLP blocks.

    0B | MSH|^~\&|... CR OBX|... CR ... | 1C 0D
    PDS (MSH-12 2.3.1)   we call the monitor at 4601: heartbeats both ways, a query, then each second
        204 readings, 503 readings with a time of their own (cuff), 157 waves, 54 and 56 alarms, 103 patient
    PCD (MSH-12 2.6)     the monitor or an eGateway calls us: ORU^R01 readings and waves, ORU^R40 alarms; each message
        is to be receipted where MSH-15 says AL

How messages, readings, alarms, the talk and who speaks work stands in `drivers.hl7` and `drivers.mindray`.

Source: "Patient Data Share Protocol Programmer's Guide" (H-0010-20-43061-2) read through public programs that follow
it (hankersyan/mindray_t1, MR_iPM, capture_umec12, UmecDecode); a BeneView T8's answers as printed in
DataParserMaiRuiT8.java, an iPM's waves as in MR_iPM; the shape of one alarm and one wave message of a BeneVision
published by panda666789/mindray_hl7_pipeline, whose owner asks not to pass them on (the captures hold look-alikes);
IHE PCD technical framework for OBX-8, OBX-11 and ORU^R40.

A PDS message says no units. Readings are in those of the monitor's own setting: the options `pressure`, `temperature`
and `co2` name them where it is not set to mm[Hg], Cel and mm[Hg]. ST, O2, N2O and agents are said without a unit.
-100, -1000 and -10000 mean no value in PDS. 00 of a cuff's time means none was taken. Option `ask` = `first`: the query
is sent as soon as the connection stands, for a monitor that waits for it; else it is asked after its first heartbeat.
Option `bed`: whom to hear where an eGateway sends several beds (see `drivers.mindray.speaker`).

Not protected by anything of its own: TCP's sum alone. Not known: what a monitor does without a receipt, and whether it
wants a time in one (we have none to give); the levels of alarms without stars; what OBX-4 of a PDS alarm means; what a
count of a PDS wave means (it has a sum of its own). Nothing is sent that asks a device to do anything but tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from drivers.contract import Driver, Info, Integrity, Output, Phase, Send, Status, Tcp, Wave
from drivers.framing import Bad, Frame, Framer, Skip
from drivers.hl7 import blocks
from drivers.hl7.messages import Message, Segment, parse
from drivers.mindray import codes, readings, zmw
from drivers.mindray.alarms import PATIENT, TECHNICAL, Alarms
from drivers.mindray.speaker import Speaker, moment
from drivers.mindray.talk import NUMBER_LIMIT_DIGITS, RECEIPTS, SENDS, Talk, receipt

PERIODIC, APERIODIC, WAVES = "204", "503", "157"
STAMPS_LIMIT = 256


class MindrayHl7(Driver):
    info = Info(
        id="mindray_hl7",
        models=("Mindray BeneView T1-T9", "Mindray iPM", "Mindray uMEC", "Mindray BeneVision N", "Mindray eGateway"),
        claims=(Tcp(4601), Tcp(6600, calls=True)),
        emits=(
            *("body.*", "cardiac.*", "co2.*", "ecg.*", "gluc.*", "ibp.*", "nibp", "nibp.*", "o2.*", "pleth", "pulse.*"),
            *("hba1c", "resp.*", "spiro.*", "spo2", "spo2.*", "temp.*", "vent.*", "mdc:*", "mindray_hl7:*"),
        ),
        integrity=Integrity.NONE,
        wiring="LAN port of the monitor on a network of its own, fixed address. PDS: tcp://ADDRESS:4601, nothing to set"
        " (one client at a time). PCD: set our address and port as HL7 server in the maintenance menu or the"
        " eGateway, results and alarms to the same port, and pin tcp-from://ADDRESS:PORT",
        sends=SENDS,
        masked=RECEIPTS,
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(self._cut, self.counts, blocks.BLOCK_LIMIT_BYTES)
        self._message: Message | None = None
        self._talk = Talk()
        self._alarms = Alarms()
        self._speaker = Speaker(self.options.get("bed", ""))
        self._units = {word: self.options.get(word, unit) for word, unit in codes.SET_UNITS.items()}
        self._stamps: dict[str, str] = {}

    def pending(self) -> int:
        return len(self._framer)

    def _cut(self, buffer: bytearray) -> Frame | Skip | Bad:
        found = blocks.cut(buffer)
        if isinstance(found, Frame):
            self._message = parse(found.body)
            if self._message is None:
                return Bad("not HL7", found.size)
        return found

    def on_open(self, now: int) -> list[Output]:
        self._talk = Talk()  # what was said before, or only heard again, this connection knows nothing of
        said = list(self._talk.begin(now)) if self.options.get("ask") == "first" else []
        self.wake_at = self._talk.wake_at
        return [*said]

    def on_bytes(self, data: bytes, now: int, source: str = "") -> list[Output]:
        said: list[Output] = []
        for _ in self._framer.feed(data):
            assert self._message is not None, "a frame is a message"
            said += self._heard(self._message, now)
        self.wake_at = self._talk.wake_at
        return said

    def on_time(self, now: int) -> list[Output]:
        said = list(self._talk.wake(now))
        self.wake_at = self._talk.wake_at
        return [*said]

    def _heard(self, message: Message, now: int) -> Iterator[Output]:
        header = message.header
        is_pds = header.part(12, 1).startswith("2.3")
        control = header.field(10)
        if is_pds:
            yield from self._talk.heard(control, control in (PERIODIC, APERIODIC), now)
        elif header.field(15) == "AL":
            yield from self._receipt(control)
        if message.charset:
            self._count("character set")
        if not is_pds and not self._speaker.is_ours(message):
            self._count("another bed")
            mixed = self._speaker.mixed()
            if mixed is not None:
                yield mixed
            return
        yield from self._speaker.introduced(message, is_pds)
        yield from self._told(message, is_pds)

    def _receipt(self, number: str) -> Iterator[Send]:
        """Only a number is given back: nothing else of a message may become what we send."""
        if number.isascii() and number.isdecimal() and len(number) <= NUMBER_LIMIT_DIGITS:
            yield Send(receipt(number.encode()))
        else:
            self._count("no receipt")

    def _told(self, message: Message, is_pds: bool) -> Iterator[Output]:
        kind, event = message.header.part(9, 1), message.header.part(9, 2)
        control = message.header.field(10)
        if kind != "ORU":
            self._count("not told")
        elif is_pds and control in (PATIENT, TECHNICAL):
            yield from self._alarms.listed(message)
        elif is_pds and control == WAVES:
            yield from self._waves(zmw.wave(one.field(1).encode(message.codec)) for one in message.all("ZMW"))
        elif is_pds and control not in (PERIODIC, APERIODIC):
            if message.first("OBX") is not None:
                self._count("setting")
        elif event == "R40":
            yield from self._alarms.told(message)
        else:
            yield from self._read(message, is_pds)

    def _read(self, message: Message, is_pds: bool) -> Iterator[Output]:
        taken = ""
        for segment in message.segments:
            if segment.name == "OBR":
                taken = segment.field(7)
            elif segment.name == "OBX" and segment.field(2) == "NM" and not readings.is_attribute(segment):
                yield from self._numeric(segment, is_pds, taken)
        yield from self._waves(readings.waves(message.all("OBX")))

    def _waves(self, found: Iterable[Wave | None]) -> Iterator[Wave]:
        for wave in found:
            if wave is None:
                self._count("wave")
            else:
                yield wave

    def _numeric(self, obx: Segment, is_pds: bool, taken: str) -> Iterator[Output]:
        """A reading; one that was taken at a moment of its own says so before, once."""
        said = readings.numeric(obx, is_pds, self._units)
        if said is None:
            self._count("reading")
            return
        stamp = moment(obx.field(14)) if obx.field(14) != taken else ""
        if stamp and said.value is not None and self._stamps.get(said.channel) != stamp:
            if len(self._stamps) >= STAMPS_LIMIT:
                self._stamps.clear()
            self._stamps[said.channel] = stamp
            yield Status("measured-at", Phase.ON, stamp, said.channel)
        yield said

    def _count(self, reason: str) -> None:
        """What a good message holds and is not told; the message itself is not refused."""
        self.counts.reasons[reason] = self.counts.reasons.get(reason, 0) + 1
