"""Generic health sensors of the Bluetooth SIG (service 1840): observations of any kind, live and from the memory.

    live 2B8B      segment u8 (0 first, 1 last, 2-7 counter) | observation, over as many segments as it takes
    stored 2BDD    the same; before the observation its record's number u32
    features 2BF3  flags u8 | count u8, types u32 .. | flag 0: count u8, specializations u24 ..
    control 2BF4   01 send live observations; answer 80 for yes
    records 2A52   07 01 all · 07 03 01 u32 from number on; answer 08 00 | count u32; else 06 00 07 | code

What an observation says stands in `drivers.bluetooth.observations`, requests in `drivers.bluetooth.records`.

Source: Bluetooth GHSS 1.0 and ETS 1.0, read through programs that follow them: the examples of ST's health sensor for
STM32WBA at cedc31bd and Philips' server simulator (philips-labs/BLE-GHS-Server-Simulator), both sensors themselves.
No byte of a device on sale is known: proven on ST's examples.

The type chooses the channel, its vocabulary's key or `mdc:<code>`; a value without a type has `untyped`. What the
status says is a reason or a state. A code, a text and several codes are states of their channel. A person is a place
in the sensor's memory, and no patient. A stored observation is history: its time stands before it.
A lost segment costs its observation; if it was stored, the count in the answer no longer fits, the mark stays, and the
next connection asks again. One that is all there and cannot be read is a state: it is not asked for again. The time is
as the sensor counts it (`time-base` says UTC or local).

Sent: 07 01 and 07 03 01 with a number, which report; 01 to 2BF4, which lets live observations come on this connection:
it changes no setting and records nothing. Never 02, which deletes records; users and clocks are not written.
Not protected: no checksum. A recording is not read: segments have no ends there.
Left out: sample arrays, states with masks, TLV (a status each), relations between observations, schedules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar
from zlib import crc32

from drivers.bluetooth.numbers import number, uuid
from drivers.bluetooth.observations import Observation, Part, observations, time_of, zone_of
from drivers.bluetooth.profile import Profile, Shape
from drivers.bluetooth.records import (
    ANSWER,
    ANSWER_BYTES,
    DONE,
    RACP,
    REPORT_COMBINED,
    Records,
    every,
    refusal,
    since,
)
from drivers.contract import Ble, Info, Integrity, Numeric, Output, Phase, Read, Send, Status, Subscribe, Why
from drivers.ieee11073.fields import MalformedError
from drivers.ieee11073.objects import FAMILIES, unit_of
from drivers.vocabulary import channel_of

LIVE, STORED, FEATURES, CONTROL = uuid(0x2B8B), uuid(0x2BDD), uuid(0x2BF3), uuid(0x2BF4)
SEGMENT = Shape(1, 1, ())
FIRST, LAST, COUNTERS = 0x01, 0x02, 64
COMBINED_ANSWER, NOT_COMPLETED = 0x08, 8
NUMBER_BYTES, COUNT_AT = 4, 2
COMBINED_BYTES = 6
LIMIT_OBSERVATION_BYTES = 0x10010
START = b"\x01"
YES = 0x80
UNTYPED = "gatt_health_sensor:untyped"
ABSENT = {0: Why.INVALID, 2: Why.UNAVAILABLE}
DOUBTED = {4: Why.TEST, 3: Why.CALIBRATING, 1: Why.QUESTIONABLE}  # the strongest reason first
STATES = {5: "early-estimate", 6: "manually-entered", 7: "setting", 14: "threshold-error", 15: "threshold-disabled"}


class GattHealthSensor(Profile):
    info = Info(
        id="gatt_health_sensor",
        models=("Bluetooth generic health sensors (service 1840)",),
        claims=(Ble(uuid(0x1840)),),
        emits=("spo2", "nibp", *(f"{family}.*" for family in FAMILIES), "mdc:*", UNTYPED, "gatt_health_sensor:battery"),
        integrity=Integrity.NONE,
        wiring="Bluetooth LE: pair the sensor once if the host asks for it. A sensor of several users tells what "
        "belongs to the user who was chosen on it. Its clock is set by the maker's app.",
        sends=frozenset((every(REPORT_COMBINED), START)),
        masked=(since(NUMBER_BYTES, REPORT_COMBINED),),
    )
    shapes: ClassVar[Mapping[str, Shape]] = {LIVE: SEGMENT, STORED: SEGMENT}
    answers: ClassVar[Mapping[str, tuple[int, ...]]] = {
        RACP: (ANSWER_BYTES, COMBINED_BYTES),
        CONTROL: (1,),
        FEATURES: tuple(range(2, 512)),
    }

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._halves: dict[str, tuple[int, bytes]] = {}  # by characteristic: the last counter, and what came so far
        self._records = Records(NUMBER_BYTES, REPORT_COMBINED)
        self._stored_count = 0

    def begin(self, now: int) -> Iterable[Output]:
        records = self._records.open(self.reached)
        return (Subscribe(CONTROL), Subscribe(RACP), Read(FEATURES), records, Send(START, CONTROL))

    def size_of(self, value: bytes | bytearray, source: str, whole: bool) -> int:
        return len(value) if whole and len(value) > 1 else -1

    def is_evident(self, value: bytes) -> bool:
        return False

    def hear(self, value: bytes, source: str) -> Iterable[Output]:
        if source == FEATURES:
            return self.state("features", value.hex().upper())
        if source == CONTROL:
            return self.state("live-refused", None if value[0] == YES else f"code {value[0]:02X}")
        return self._answered(value)

    def _answered(self, value: bytes) -> Iterator[Output]:
        answer = value
        if value[0] == COMBINED_ANSWER:
            is_all = number(value[COUNT_AT : COUNT_AT + 4]) == self._stored_count
            answer = bytes((ANSWER, 0, REPORT_COMBINED, DONE if is_all else NOT_COMPLETED))
        why = refusal(answer, REPORT_COMBINED)
        if why is None:
            return
        self._stored_count = 0
        yield from self.state("stored-records-refused", why or None)
        yield from self._records.answered(answer)

    def tell(self, value: bytes, source: str) -> Iterable[Output]:
        whole = self._whole(value, source)
        if whole is None:
            return
        if source == LIVE:
            yield from self._observed(self._read(whole))
        else:
            yield from self._stored(number(whole[:NUMBER_BYTES]), whole[NUMBER_BYTES:])

    def _read(self, data: bytes) -> list[Observation]:
        try:
            return list(observations(data))
        except MalformedError:
            self.note("structure")
            return [Observation(unread="structure")]

    def _whole(self, value: bytes, source: str) -> bytes | None:
        """All of an observation, once its last segment is there."""
        head, counter = value[0], value[0] >> 2
        before, data = self._halves.pop(source, (-1, b""))
        if head & FIRST:
            if data:
                self.note("lost segment")
            data = b""
        elif not data or counter != (before + 1) % COUNTERS or len(data) > LIMIT_OBSERVATION_BYTES:
            self.note("lost segment")
            return None
        data += value[1:]
        if head & LAST:
            return data
        self._halves[source] = counter, data
        return None

    def _stored(self, at: int, data: bytes) -> Iterator[Output]:
        self._stored_count += 1
        if not self._records.is_news(at, f"{crc32(data):08x}"):
            self.note("said before")
            return
        yield from self._observed(self._read(data))
        yield from self._records.told(at)

    def _observed(self, found: list[Observation]) -> Iterator[Output]:
        stamp = None
        for one in found:
            if one.stamp and one.stamp != stamp:
                yield from self.state("time-base", zone_of(one.stamp))
            yield from self.state("no-device-time", None if one.stamp else "")
            stamp = one.stamp
            self.measured_at = time_of(stamp) if stamp else None
            yield from self.state("person", None if one.person is None else str(one.person))
            yield from self.state("about", " ".join(channel_of(code) for code in one.more) or None)
            yield from self.state("duration", None if one.duration is None else f"{one.duration} s")
            yield from self.states(STATES, one.status)
            if one.unread:
                yield Status("not-read", Phase.ON, one.unread, channel(one.kind))
            for part in one.parts:
                yield _said(part, one.status)


def channel(kind: int) -> str:
    """The vocabulary's channel of what a sensor may measure, else the code."""
    key = channel_of(kind)
    return UNTYPED if not kind else key if key.partition(".")[0] in FAMILIES else f"mdc:{kind}"


def _said(part: Part, status: int) -> Output:
    where = channel(part.kind)
    if part.number is None:
        words = part.text or " ".join(channel_of(code) for code in part.codes)
        return Status("says", Phase.ON, words, where)
    unit = unit_of(part.unit)
    absent = next((why for bit, why in ABSENT.items() if status >> bit & 1), None)
    if absent or isinstance(part.number, Why):
        return Numeric(where, None, unit, absent or (part.number if isinstance(part.number, Why) else None))
    return Numeric(where, part.number, unit, next((why for bit, why in DOUBTED.items() if status >> bit & 1), None))
