"""What a monitor's messages mean, whatever line they came on: the talk, who it is, numbers, waves, alarms, states."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from drivers.contract import Counts, DeviceTime, Identity, Numeric, Output, Phase, Status
from drivers.philips import codes
from drivers.philips.alarms import Alarms
from drivers.philips.attributes import TICKS_HERTZ, TICKS_WRAP, compound, identity, moment, numeric
from drivers.philips.messages import Created, Failed, Message, Observation, Polled
from drivers.philips.session import Talk
from drivers.philips.waves import Objects, arrays, wave

STAMPS_LIMIT = 256
NUMERIC_BYTES = 10
EMITS = (
    *("body.*", "cardiac.*", "co2.*", "ecg.*", "gluc.*", "ibp.*", "nibp", "nibp.*", "o2.*", "pleth", "pulse.*"),
    *("hba1c", "resp.*", "spiro.*", "spo2", "spo2.*", "temp.*", "vent.*", "mdc:*", "philips_intellivue:*"),
)


class Monitor:
    """One monitor from plug to unplug. What is to be sent is framed as on the serial line."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._talk = Talk()
        self._objects = Objects()
        self._alarms = Alarms()
        self._monitor: dict[int, bytes] = {}
        self._identity = Identity()
        self._newest: int | None = None
        self._states: set[str] = set()
        self._stamps: dict[tuple[int, int], str] = {}

    @property
    def wake_at(self) -> int | None:
        return self._talk.wake_at

    def open(self, now: int) -> Iterator[Output]:
        """The line is open."""
        yield from self._talk.open(now)

    def hear(self, message: Message, now: int) -> Iterator[Output]:
        """It said something."""
        yield from self._talk.hear(message, now)
        yield from self._told(message)

    def wake(self, now: int) -> Iterator[Output]:
        """`wake_at` has passed."""
        yield from self._talk.wake(now)

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
        self._counts.reasons[reason] = self._counts.reasons.get(reason, 0) + 1
