"""Philips IntelliVue patient monitors on their MIB/RS232 port: Data Export.

    C0 | 11 01 | length u16 | payload | FCS low, high | C1      C0, C1, 7D inside as 7D and the byte with bit 5 turned
    payload   0E ..                                             association accepted (0C refused, 19 given up)
              E1 00 00 02 | 1 | MDS create event                who the monitor is; to be answered before data come
              E1 00 00 02 | 2 or 5 | .. F13B .. | class, group  results: 0006 numerics, 0009 waves, 0036 alarms
                  contexts > objects by handle > attributes     a set too large for one message comes linked (5, .. 2)

How the frames, messages, values, waves, alarms and the talk work stands in `drivers.philips`.

Source: Philips Data Export Interface Programming Guide rev. G.0 (453564259271), read through the public notes and
programs that follow it; xeonfusion/VSCaptureMP for association bytes that monitors accept; a recording of an IntelliVue
M8000 (vinod898/JVSCapture), of which every frame is read.

Numerics are said as often as the monitor sends them, every 1.024 s. A number the monitor measured at a moment of its
own (a cuff) comes with a status `measured-at`; settings and alarm limits are `philips_intellivue:setting-0x....`,
never the channel of the measurement they are for. Marks of samples need every bit of the monitor's mask: its pace and
its saturation mask share one bit, and the recording has neither. DeviceTime is said for the newest results only: waves
come 0.6 to 1.4 s after the numerics of their time. `first` of a wave counts samples from the monitor's time zero.
When results stop, alarms stay as they were: only the monitor's next list says that one is over.

Protected: every frame by a CRC of 16 bits, so one damaged frame in 65536 passes. Results are numbered by the monitor,
but a lost one is seen by its time only. Not known: how alarms look on a real line (no recording has them), what FAST
or averaged polls give, whether a monitor exports waves before its list of waves is set (`drivers.philips.session`).
Patient data is never asked for. The monitor's clock is never set.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from drivers.contract import (
    DeviceTime,
    Driver,
    Identity,
    Info,
    Integrity,
    Numeric,
    Output,
    Phase,
    Serial,
    Status,
)
from drivers.philips import codes
from drivers.philips.alarms import Alarms
from drivers.philips.attributes import TICKS_HERTZ, TICKS_WRAP, compound, identity, moment, numeric
from drivers.philips.frames import Reader
from drivers.philips.messages import Created, Failed, Message, Observation, Polled
from drivers.philips.session import SENDS, Talk
from drivers.philips.waves import Objects, arrays, wave

STAMPS_LIMIT = 256
NUMERIC_BYTES = 10


class PhilipsIntelliVue(Driver):
    info = Info(
        id=codes.DRIVER_ID,
        models=("Philips IntelliVue MP5-MP90", "Philips IntelliVue MX400-MX850", "Philips Avalon FM20-FM50"),
        claims=(Serial(115200), Serial(19200)),
        emits=(
            *("body.*", "cardiac.*", "co2.*", "ecg.*", "gluc.*", "ibp.*", "nibp", "nibp.*", "o2.*", "pleth", "pulse.*"),
            *("hba1c", "resp.*", "spiro.*", "spo2", "spo2.*", "temp.*", "vent.*", "mdc:*", "philips_intellivue:*"),
        ),
        integrity=Integrity.CRC,
        wiring="MIB/RS232 port of the monitor (RJ45, not the port called RS232; MP2, X2 and X3 have none) to DB9:"
        " 4 ground to 5, 5 TxD to 2, 7 RxD to 3; unshielded cable, no null modem. Main Setup, Operating Modes, Service;"
        " Main Setup, Hardware: Data Export Fix 115200, Interfaces: driver of the port DtOut1; restart the monitor",
        sends=SENDS,
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._reader = Reader(self.counts)
        self._talk = Talk()
        self._objects = Objects()
        self._alarms = Alarms()
        self._monitor: dict[int, bytes] = {}
        self._identity = Identity()
        self._newest: int | None = None
        self._states: set[str] = set()
        self._stamps: dict[tuple[int, int], str] = {}

    def on_open(self, now: int) -> list[Output]:
        said = list(self._talk.open(now))
        self.wake_at = self._talk.wake_at
        return [*said]

    def on_bytes(self, data: bytes, now: int, source: str = "") -> list[Output]:
        said: list[Output] = []
        for message in self._reader.feed(data):
            said += self._talk.hear(message, now)
            said += self._told(message)
        self.wake_at = self._talk.wake_at
        return said

    def on_time(self, now: int) -> list[Output]:
        said = list(self._talk.wake(now))
        self.wake_at = self._talk.wake_at
        return [*said]

    def pending(self) -> int:
        return len(self._reader)

    def _told(self, message: Message) -> Iterator[Output]:
        match message:
            case Created():
                self._objects.forget()
                self._alarms.forget_places()
                self._stamps.clear()
                self._newest = None
                yield from self._introduced(message)
            case Polled():
                yield from self._timed(message.ticks, moment(message.absolute))
                for observation in message.observations:
                    yield from self._observed(observation, message.ticks)
            case Failed():
                self._count(f"refused with error {message.error}" if message.error < 32 else "refused")

    def _introduced(self, event: Created) -> Iterator[Output]:
        said, before = dict(event.attributes), self._monitor
        same = codes.SYSTEM_ID in said and said[codes.SYSTEM_ID] == before.get(codes.SYSTEM_ID)
        self._monitor = {codes.PRODUCTION: before[codes.PRODUCTION]} if same and codes.PRODUCTION in before else {}
        yield from self._presented(said)
        self._newest = event.ticks
        yield DeviceTime(moment(said.get(codes.DATE_AND_TIME, b"")), event.ticks, TICKS_HERTZ)

    def _timed(self, ticks: int, iso: str) -> Iterator[Output]:
        """The parts of a linked result share a time; the time of older results is no news of the clock."""
        if self._newest is None or 0 < (ticks - self._newest) % TICKS_WRAP < TICKS_WRAP // 2:
            self._newest = ticks
            yield DeviceTime(iso, ticks, TICKS_HERTZ)

    def _observed(self, observation: Observation, ticks: int) -> Iterator[Output]:
        """What an object says of itself is taken in before its values, in whatever order they come."""
        key, values = observation.key, []
        for name, value in observation.attributes:
            if name in codes.DESCRIBING:
                try:
                    self._objects.learn(key, name, value)
                except struct.error:
                    self._count("attribute")
            else:
                values.append((name, value))
        stamp = moment(dict(values).get(codes.TIME_STAMP, b""))
        for name, value in values:
            try:
                yield from [*self._value(key, name, value, ticks, stamp)]
            except struct.error:
                self._count("attribute")
        self._stamped(key, stamp)

    def _value(self, key: tuple[int, int], name: int, value: bytes, ticks: int, stamp: str) -> Iterator[Output]:
        if name == codes.NUMERIC:
            yield from self._numeric(key, value, stamp)
        elif name == codes.NUMERICS_COMPOUND:
            for item in compound(value, NUMERIC_BYTES):
                yield from self._numeric(key, item, stamp)
        elif name in (codes.WAVE, codes.WAVES_COMPOUND):
            for array in arrays(name, value):
                found = wave(self._objects.at(key), array, ticks)
                if found is not None:
                    yield found
        elif name in (codes.PATIENT_ALARMS, codes.TECHNICAL_ALARMS):
            yield from self._alarms.listed(name, key, value)
        elif name == codes.ALERT_CONDITION:
            yield from self._stated(codes.ALERT_STATES, int.from_bytes(value[:2], "big"))
        elif name in (codes.MODEL, codes.PRODUCTION, codes.SYSTEM_ID, codes.OPERATING_MODE, codes.DATE_AND_TIME):
            yield from self._presented({name: value})

    def _numeric(self, key: tuple[int, int], item: bytes, stamp: str) -> Iterator[Output]:
        said: Numeric = numeric(item, setting=self._objects.is_setting(key))
        if stamp and said.value is not None and self._stamps.get(key) != stamp:
            yield Status("measured-at", Phase.ON, stamp, said.channel)
        yield said

    def _stamped(self, key: tuple[int, int], stamp: str) -> None:
        if stamp:
            if len(self._stamps) >= STAMPS_LIMIT:
                self._stamps.clear()
            self._stamps[key] = stamp

    def _presented(self, attributes: dict[int, bytes]) -> Iterator[Output]:
        self._monitor |= attributes
        try:
            who = identity(self._monitor)
        except struct.error:
            self._count("attribute")
            return
        if who not in (self._identity, Identity()):
            self._identity = who
            yield who
        if codes.OPERATING_MODE in attributes:
            yield from self._stated(codes.MODES, int.from_bytes(attributes[codes.OPERATING_MODE][:2], "big"))

    def _stated(self, names: tuple[tuple[int, str], ...], bits: int) -> Iterator[Output]:
        """States that began or ended since the monitor last said them."""
        for bit, name in names:
            if bool(bits & bit) != (name in self._states):
                self._states ^= {name}
                yield Status(name, Phase.ON if bits & bit else Phase.OFF)

    def _count(self, reason: str) -> None:
        """What a good frame holds and we cannot use; the frame itself is not refused."""
        self.counts.reasons[reason] = self.counts.reasons.get(reason, 0) + 1
