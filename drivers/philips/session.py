"""The talk with the monitor: associate, answer its introduction, ask for data, keep asking, begin again.

    asking --accepted--> accepted --introduced--> polling          (answer, then polls; polls again every few seconds)
    any --refused, given up, released--> waiting --> asking        polling --silent--> asking

A poll asks for results over 30 s and is renewed every 3 s: a monitor that hears nothing for 10 s ends the association,
and when wardlink stops the results stop too. An object class that stays silent although it is polled so is polled
singly as well. The serial number is asked for once. Everything that may be sent is built here, once, and nothing else
is ever sent: no set but the list of waves to export, no release, no patient data, nothing that starts, silences,
limits or erases.

The list of waves (priority list) chooses what is exported to us and changes nothing at the bedside. It is sent only
to a monitor that has sent no wave two renewals after it was asked for waves: in the recording at hand the list was
empty until the host had set it. Entries a monitor does not have are ignored by it.

Source: Philips Data Export Interface Programming Guide rev. G.0, "Protocol Commands", "Association Control Protocol";
association bytes as xeonfusion/VSCaptureMP sends them and an IntelliVue M8000 accepted them.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

from drivers.contract import Send
from drivers.philips import codes
from drivers.philips.frames import framed
from drivers.philips.messages import (
    ABORT,
    ACCEPT,
    CONFIRMED_ACTION,
    CONFIRMED_EVENT,
    CONFIRMED_SET,
    EXTENDED_POLL,
    INVOKE,
    MDS_CREATED,
    POLL,
    REFUSE,
    RELEASE,
    RELEASED,
    RESULT,
    Control,
    Created,
    Message,
    Polled,
)

SECOND_NS = 1_000_000_000
ANSWER_NS = 5 * SECOND_NS  # an association request or an introduction that does not come is asked for again
RENEW_NS = 3 * SECOND_NS
SILENT_NS = 10 * SECOND_NS
PAUSE_NS = {REFUSE: 10 * SECOND_NS, ABORT: 3 * SECOND_NS, RELEASE: 10 * SECOND_NS, RELEASED: 10 * SECOND_NS}
RENEWALS_WITHOUT_WAVES = 2
MORE_LIMIT = 2  # requests beside the renewed ones: a monitor reads four or five frames in 128 ms

INVOKE_IDS = range(16)
ACTIVE_TICKS = 30 * 8000
ALARM_GROUP, PRODUCTION_GROUP, ALL_GROUPS = 0x0801, 0x080C, 0
# Labels of waves, most wanted first: ECG (three leads in one object), pleth, arterial pressures, respiration, CO2.
WAVE_LABELS = (0x0100, 0x4BB4, 0x4A14, 0x4A10, 0x5000, 0x50AC)


def _words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(2, "big") for number in numbers)


def _sized(data: bytes) -> bytes:
    return _words(len(data)) + data


def _operation(kind: int, invoke: int, command: int, argument: bytes) -> bytes:
    return framed(bytes.fromhex("E1000002") + _words(kind) + _sized(_words(invoke, command) + _sized(argument)))


def _poll(number: int, polled: int, group: int) -> bytes:
    """Ask once. The monitor takes one such request a second for each class."""
    argument = _words(codes.MDS, 0, 0, 0, 0, POLL) + _sized(_words(number, 1, polled, group))
    return _operation(INVOKE, number, CONFIRMED_ACTION, argument)


def _extended_poll(number: int, polled: int, group: int) -> bytes:
    """Ask for results over ACTIVE_TICKS, as often as they come: numerics and alarms 1.024 s, waves 256 ms."""
    period = _words(0xF13E) + _sized(ACTIVE_TICKS.to_bytes(4, "big"))
    request = _words(number, 1, polled, group, 1) + _sized(period)
    return _operation(INVOKE, number, CONFIRMED_ACTION, _words(codes.MDS, 0, 0, 0, 0, EXTENDED_POLL) + _sized(request))


# ASN.1 of the session and presentation layers, the same from every host; the length of what follows it comes next.
_SESSION = bytes.fromhex("0508130100160102800014020002C1FF")
_PRESENTATION = bytes.fromhex(
    "3180A0808001010000A280A003000001A480"
    "308002010106045201000130800602510100000000"
    "3080020102060C2A8648CE14020100000001013080060C2A8648CE1402010000000201000000000000"
    "61803080020101A0806080A180060C2A8648CE14020100000003010000BE802880060C2A8648CE14020100000001010201028182"
)


def _associate() -> bytes:
    """Client, poll profile 1 with its extension (1 s numerics, waves), and the object classes we know of."""
    extension = _words(0xF001) + _sized(bytes.fromhex("8E00000000000000"))
    profile = bytes.fromhex("8000000000000FA0000005B0000005B0FFFFFFFF60000000") + _words(1) + _sized(extension)
    known = ((codes.MDS, 1), (codes.NUMERICS, 201), (codes.WAVES, 60), (0x0005, 16), (0x002A, 1), (codes.ALARMS, 1))
    classes = _words(len(known)) + _sized(b"".join(_words(1, code, 0, most) for code, most in known))
    profiles = _words(1) + _sized(profile) + _words(0x0102) + _sized(classes)
    user = bytes.fromhex("800000004000000000000000800000002000000000000000") + _words(2) + _sized(profiles)
    presentation = _PRESENTATION + _sized(user) + bytes(16)
    return framed(b"\x0d\xff" + _sized(_SESSION + _sized(presentation)))


def _introduction_result(invoke: int) -> bytes:
    """The answer to the MDS create event. Hosts in the field send this fixed time, and monitors take it."""
    argument = _words(codes.MDS, 0, 0) + bytes.fromhex("000ABD00") + _words(MDS_CREATED, 0)
    return _operation(RESULT, invoke, CONFIRMED_EVENT, argument)


def _wave_list() -> bytes:
    labels = b"".join(_words(2, code) for code in WAVE_LABELS)
    change = _words(0, 0xF23A) + _sized(_words(len(WAVE_LABELS)) + _sized(labels))
    return _operation(INVOKE, 7, CONFIRMED_SET, _words(codes.MDS, 0, 0, 0, 0, 1) + _sized(change))


ASSOCIATE = _associate()
INTRODUCTION_RESULTS = {invoke: _introduction_result(invoke) for invoke in INVOKE_IDS}
NUMERICS_FOR_A_WHILE = _extended_poll(1, codes.NUMERICS, ALL_GROUPS)
WAVES_FOR_A_WHILE = _extended_poll(2, codes.WAVES, ALL_GROUPS)
ALARMS_FOR_A_WHILE = _extended_poll(3, codes.ALARMS, ALARM_GROUP)
NUMERICS_ONCE = _poll(4, codes.NUMERICS, ALL_GROUPS)
ALARMS_ONCE = _poll(5, codes.ALARMS, ALARM_GROUP)
PRODUCTION_ONCE = _poll(6, codes.MDS, PRODUCTION_GROUP)
EXPORT_WAVES = _wave_list()
RELEASE_RESULT = framed(bytes.fromhex("0A18C11661803080020101A0806380800100" + 16 * "0"))

RENEWED = (NUMERICS_FOR_A_WHILE, WAVES_FOR_A_WHILE, ALARMS_FOR_A_WHILE)
SINGLY = {codes.NUMERICS: NUMERICS_ONCE, codes.ALARMS: ALARMS_ONCE}
SENDS = frozenset(
    (ASSOCIATE, *INTRODUCTION_RESULTS.values(), *RENEWED, *SINGLY.values(), PRODUCTION_ONCE, EXPORT_WAVES)
) | {RELEASE_RESULT}


def _has_samples(result: Polled) -> bool:
    names = {name for observation in result.observations for name, _ in observation.attributes}
    return not names.isdisjoint((codes.WAVE, codes.WAVES_COMPOUND))


class Phase(Enum):
    """Where the talk stands."""

    ASKING = auto()
    ACCEPTED = auto()
    POLLING = auto()
    WAITING = auto()


class Talk:
    """One talk from plug to unplug. Bytes to send go back as values; `wake_at` says when to be woken."""

    def __init__(self) -> None:
        self.phase = Phase.WAITING
        self.wake_at: int | None = None
        self._heard_at = 0
        self._told: set[int] = set()  # object classes that gave a result since the last renewal
        self._renewals = 0
        self._waves = False

    def open(self, now: int) -> Iterator[Send]:
        yield from self._ask(now)

    def hear(self, message: Message, now: int) -> Iterator[Send]:
        """The monitor said something."""
        self._heard_at = now
        match message:
            case Created():
                yield from self._introduced(message, now)
            case Polled():
                if self.phase is not Phase.POLLING:  # an association from before we opened the port
                    self._begin(now)
                    self.wake_at = now
                self._told.add(message.polled)
                self._waves = self._waves or _has_samples(message)
            case Control(kind=kind) if kind == ACCEPT:
                if self.phase in (Phase.ASKING, Phase.WAITING):  # it may come again, and late
                    self.phase, self.wake_at = Phase.ACCEPTED, now + ANSWER_NS
            case Control(kind=kind) if kind in PAUSE_NS:
                self.phase, self.wake_at = Phase.WAITING, now + PAUSE_NS[kind]
                if kind == RELEASE:
                    yield Send(RELEASE_RESULT)

    def wake(self, now: int) -> Iterator[Send]:
        """`wake_at` has passed."""
        if self.phase is Phase.POLLING and now - self._heard_at < SILENT_NS:
            yield from self._renew(now)
        else:
            yield from self._ask(now)

    def _ask(self, now: int) -> Iterator[Send]:
        self.phase, self.wake_at = Phase.ASKING, now + ANSWER_NS
        yield Send(ASSOCIATE)

    def _introduced(self, event: Created, now: int) -> Iterator[Send]:
        if event.confirmed:
            yield Send(INTRODUCTION_RESULTS.get(event.invoke, INTRODUCTION_RESULTS[1]))
        self._begin(now)
        for request in RENEWED:
            yield Send(request)

    def _begin(self, now: int) -> None:
        self.phase, self.wake_at = Phase.POLLING, now + RENEW_NS
        self._told, self._renewals, self._waves = set(), 0, False

    def _renew(self, now: int) -> Iterator[Send]:
        self.wake_at = now + RENEW_NS
        self._renewals += 1
        more = [PRODUCTION_ONCE] if self._renewals == 1 else []
        if not self._waves and self._renewals == RENEWALS_WITHOUT_WAVES:
            more.append(EXPORT_WAVES)
        more += [request for polled, request in SINGLY.items() if polled not in self._told]
        self._told = set()
        for request in (*RENEWED, *more[:MORE_LIMIT]):
            yield Send(request)
