"""A simulated Philips IntelliVue monitor on its MIB/RS232 port.

It answers as the monitor in the recording did: accepts, introduces itself until it is answered, sends linked numerics
every 1.024 s and waves every 256 ms while a poll is active, and gives up an association of which it hears nothing for
10 s. It raises and ends one alarm a minute. With `exports` false it sends no wave before its list of waves is set.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import ClassVar

from agent.lab.voice import Record, Voice, Wanted
from drivers.contract import Counts
from drivers.framing import Framer
from drivers.philips.frames import cut_payload, framed

SECOND_NS = 1_000_000_000
TICK_NS = 125_000
STEP_NS = 256_000_000  # one result of waves; every fourth comes with numerics and alarms
STEPS_PER_SET = 4
LONELY_NS = 10 * SECOND_NS
INTRODUCE_NS = 3 * SECOND_NS
ALARM_FROM_S, ALARM_TO_S = 20, 30

NUMERICS, WAVES, ALARMS, MDS = 0x0006, 0x0009, 0x0036, 0x0021
# What the recorded monitor answered to the request of a host, and how one gives up an association.
ACCEPTED = bytes.fromhex(
    "0ECE0508130100160102800014020002C1BE3180A0808001010000A280A003000001A58030808001008102510100003080800100810C"
    "2A8648CE14020100000002010000000061803080020101A0806180A180060C2A8648CE14020100000003010000A203020100A305A103"
    "020100BE80288002010281488000000040000000000000000080000080000000000000000001002C000100288000000000000FA00000"
    "03E4000003E4FFFFFFFF600000000001000CF00100088E0000000000000000000000000000000000000000000000"
)
GIVEN_UP = bytes.fromhex(
    "192E110103C129A080A0803080020101060251010000000061803080020101A080648080010100000000000000000000"
)


def words(*numbers: int) -> bytes:
    return b"".join((number & 0xFFFF).to_bytes(2, "big") for number in numbers)


def sized(data: bytes) -> bytes:
    return words(len(data)) + data


def listed(*items: bytes) -> bytes:
    return words(len(items)) + sized(b"".join(items))


def attribute(name: int, value: bytes) -> bytes:
    return words(name) + sized(value)


def decimal(mantissa: int, exponent: int = 0) -> bytes:
    """A FLOAT-Type."""
    return ((exponent & 0xFF) << 24 | mantissa & 0xFFFFFF).to_bytes(4, "big")


def utf16(text: str) -> bytes:
    return sized(text.encode("utf-16-be") + b"\0\0")


def result(invoke: int, argument: bytes, linked: bytes = b"") -> bytes:
    kind = words(5 if linked else 2)
    return framed(bytes.fromhex("E1000002") + kind + sized(linked + words(invoke, 7) + sized(argument)))


def simple(handle: int, physio: int, unit: int, value: bytes, state: int = 0) -> bytes:
    """An object with one number."""
    said = (
        attribute(0x093F, bytes.fromhex("000020000001422800000000")),
        attribute(0x0924, words(2, physio)),
        attribute(0x0950, words(physio, state, unit) + value),
    )
    return words(handle) + listed(*said)


CUFF = words(0x8272) + listed(
    attribute(0x093F, bytes.fromhex("000020000001522801030000")),
    attribute(0x094B, listed(*(words(0x4A05 + at, 0, 0x0F20) + decimal(kpa) for at, kpa in enumerate((121, 78, 92))))),
    attribute(0x0990, bytes.fromhex("2024010207300000")),
)
PARTS = (
    (simple(0x82CF, 0x4182, 0x0AA0, decimal(72)), simple(0x82D6, 0x500A, 0x0AE0, decimal(16))),
    (CUFF, simple(0x8619, 0x4B48, 0x17A0, decimal(368, -1))),
    (simple(0x8400, 0x4BB8, 0x0220, decimal(975, -1)), simple(0x8406, 0x4822, 0x0AA0, decimal(0x7FFFFF), 0x8001)),
)
ECG_SAYS = (
    attribute(0x0996, words(0x10B2)),
    attribute(0x096F, decimal(-4096, -2) + decimal(40955, -3) + words(0, 16383)),
    attribute(0x096D, bytes.fromhex("0040100E3000")),
    attribute(0x098D, bytes.fromhex("00000020")),
    attribute(0x0A16, bytes.fromhex("0003000C000480080003400100028004")),
    attribute(0x0945, words(0x0120)),
)
PLETH_SAYS = (
    attribute(0x098D, bytes.fromhex("00000040")),
    attribute(0x096D, bytes.fromhex("0020100C8000")),
    attribute(0x096F, decimal(0x7FFFFF) + decimal(0x7FFFFF) + words(0, 4095)),
    attribute(0x0996, words(0x0200)),
)
OBJECTS = (("ecg.ii", 0x02CA, 0x0102, 64, ECG_SAYS), ("pleth", 0x0402, 0x4BB4, 32, PLETH_SAYS))


class PhilipsIntelliVueVoice(Voice):
    wanted: ClassVar[Mapping[str, Wanted]] = {
        "ecg.ii": Wanted(Fraction(250), 0, 16383),
        "pleth": Wanted(Fraction(125), 0, 4095),
    }

    def __init__(self, signals: Mapping[str, Sequence[int]], record: Record) -> None:
        super().__init__(signals, record)
        self._framer = Framer(cut_payload, Counts())
        self._signals = {name: itertools.cycle(signal) for name, signal in signals.items()}
        self.exports = True
        self._associated = self._known = self._waved = False
        self._until: dict[int, int] = {}  # polls by object class
        self._invokes: dict[int, int] = {}
        self._sequence = 0
        self._heard = self._introduce_at = self._step_at = 0
        self._steps = 0

    def on_bytes(self, data: bytes, now: int) -> bytes:
        said = b"".join(self._answer(payload, now) for payload in self._framer.feed(data))
        self._plan()
        return said

    def on_time(self, now: int) -> bytes:
        said = b"".join(self._due(now))
        self._plan()
        return said

    def _plan(self) -> None:
        """What comes next: the next results, or giving the association up."""
        self.wake_at = None
        if self._associated:
            self.wake_at = min(self._heard + LONELY_NS, self._step_at if self._known else self._introduce_at)

    def _due(self, now: int) -> Iterator[bytes]:
        while self.wake_at is not None and self.wake_at <= now:
            at = self.wake_at
            if at >= self._heard + LONELY_NS:
                self._associated = self._known = False
                yield framed(GIVEN_UP)
            elif not self._known:
                yield self._introduction(at)
            else:
                self._step_at += STEP_NS
                yield from self._results(at)
            self._plan()

    def _answer(self, payload: bytes, now: int) -> bytes:
        if payload[0] == 0x0D:
            self._associated, self._known, self._waved = True, False, False
            self._heard, self._until = now, {}
            return framed(ACCEPTED) + self._introduction(now)
        if not self._associated or payload[0] != 0xE1:
            return b""
        self._heard = now
        kind, command = int.from_bytes(payload[4:6], "big"), int.from_bytes(payload[10:12], "big")
        if kind == 2 and command == 1:
            self._known, self._step_at = True, now + STEP_NS
        elif self._known and kind == 1 and command == 5:
            self.exports = True
            body = words(MDS, 0, 0) + listed(payload[30:])  # the attribute as it was asked for
            return framed(bytes.fromhex("E1000002") + words(2) + sized(payload[8:10] + words(5) + sized(body)))
        elif self._known and kind == 1 and command == 7:
            return self._polled(payload, now)
        return b""

    def _polled(self, payload: bytes, now: int) -> bytes:
        invoke, action = int.from_bytes(payload[8:10], "big"), int.from_bytes(payload[24:26], "big")
        polled = int.from_bytes(payload[32:34], "big")
        if action == 0xF13B:
            first = self._until.get(polled, 0) < now
            self._until[polled] = now + int.from_bytes(payload[-4:], "big") * TICK_NS
            self._invokes[polled] = invoke
            return result(invoke, self._extended(polled, now, ())) if first else b""
        objects = (self._alarm(now),) if polled == ALARMS else tuple(itertools.chain(*PARTS[:1]))
        if polled == MDS:
            serial = words(1, 8) + sized(b"DE00000001")
            objects = (words(1) + listed(attribute(0x092D, listed(serial))),)
        said = words(invoke) + self._stamp(polled, now) + listed(words(0, len(objects)) + sized(b"".join(objects)))
        return result(invoke, words(MDS, 0, 0, 0x0C16) + sized(said))

    def _introduction(self, now: int) -> bytes:
        self._introduce_at = now + INTRODUCE_NS
        ticks = self._ticks(now)
        said = listed(
            attribute(0x0984, bytes.fromhex("00060009FBDE0001")),
            attribute(0x0928, sized(b"Philips\0") + sized(b"M8000\0")),
            attribute(0x0946, words(0x4000)),
            attribute(0x0987, bytes.fromhex("2024010207450000")),
            attribute(0x098F, ticks),
        )
        event = words(MDS, 0, 0) + ticks + words(0x0D06) + sized(words(MDS, 0, 0) + said)
        return framed(bytes.fromhex("E1000002") + words(1) + sized(words(1, 1) + sized(event)))

    def _results(self, now: int) -> Iterator[bytes]:
        self._steps += 1
        if self.exports and self._until.get(WAVES, 0) > now:
            yield result(self._invokes[WAVES], self._extended(WAVES, now - STEP_NS, tuple(self._waves())))
        if self._steps % STEPS_PER_SET:
            return
        if self._until.get(NUMERICS, 0) > now:
            for at, part in enumerate(PARTS, 1):
                state = 1 if at == 1 else 3 if at == len(PARTS) else 2
                yield result(self._invokes[NUMERICS], self._extended(NUMERICS, now, part), bytes([state, at]))
            yield result(self._invokes[NUMERICS], self._extended(NUMERICS, now, ()))
        if self._until.get(ALARMS, 0) > now:
            yield result(self._invokes[ALARMS], self._extended(ALARMS, now, (self._alarm(now),)))

    def _waves(self) -> Iterator[bytes]:
        """One array of each wave; one object in turn describes itself, at first all do."""
        for at, (channel, handle, physio, size, says) in enumerate(OBJECTS):
            samples = tuple(itertools.islice(self._signals[channel], size))
            self.record(channel, samples)
            array = words(physio, 0) + sized(words(*samples))
            value = attribute(0x0967, listed(array)) if channel == "ecg.ii" else attribute(0x096E, array)
            turn = not self._waved or self._steps % (STEPS_PER_SET * len(OBJECTS)) == at * STEPS_PER_SET
            yield words(handle) + listed(value, *(says if turn else ()))
        self._waved = True

    def _alarm(self, now: int) -> bytes:
        active = ALARM_FROM_S <= now // SECOND_NS % 60 < ALARM_TO_S
        info = words(1, 0, 0x1234, 0x0200, 0x4000) + utf16("** HR 72 > 70")
        entry = words(0x4182, 40, 0x0200, 0x0008, NUMERICS, 0, 0x82CF, 0x0204) + sized(info)
        lists = (attribute(0x0902, listed(*((entry,) if active else ()))), attribute(0x0904, listed()))
        return words(0x0001) + listed(*lists)

    def _extended(self, polled: int, now: int, objects: tuple[bytes, ...]) -> bytes:
        self._sequence += 1
        said = words(self._invokes[polled], self._sequence) + self._stamp(polled, now)
        contexts = (words(0, len(objects)) + sized(b"".join(objects)),) if objects else ()
        return words(MDS, 0, 0, 0xF13B) + sized(said + listed(*contexts))

    def _stamp(self, polled: int, now: int) -> bytes:
        return self._ticks(now) + b"\xff" * 8 + words(1, polled, 0)

    @staticmethod
    def _ticks(now: int) -> bytes:
        return (now // TICK_NS & 0xFFFFFFFF).to_bytes(4, "big")
