"""Personal health devices by ISO/IEEE 11073-20601: oximeters, cuffs, scales and thermometers, heard as their manager.

    choice u16 | length u16 | ..            E200 association request, E400 release, E600 abort, E700 data:
    E700 | length | length | invoke id | choice u16 | length | ..     0100, 0101 event report, 0203 attributes
    event report   handle | time u32 | event u16 | length | 0D1C configuration, 0D1D .. 0D2D readings of objects
    lists          count u16 | length u16 | items; numbers SFLOAT (F3CF = 97.5) and FLOAT (FF00031C = 79.6)

What APDUs, objects and readings are stands in `drivers.ieee11073`.

Source: ISO/IEEE 11073-20601 with -10404, -10407, -10408 and -10415, read through programs that follow them and the HL7
PHD guide (bits of the states); the example APDUs of signove/antidote at dbb27422 (tests/resources/apdu). No byte here
is known to come from a device: proven on those examples, among them an extended cuff and scale, and on made APDUs.
Three of the examples have a length or a count that does not fit: they are refused.

Sent: four fixed APDUs (association accepted, configuration known or not; release answered; one request for the agent's
own attributes), and confirmations, which repeat the agent's invoke id and handle: a configuration is accepted, a report
is confirmed once all of its readings were said. A report that the configuration does not explain, and kept records in a
PM-store, are not confirmed: the agent keeps them, aborts after its time (3 s), and comes again. A confirmed reading is
the gateway's: an agent may forget it then, and a power cut in the same second would lose it. Where an agent tells a
reading again (same stamp and value) it is said once, and confirmed again.

Each reading carries its time stamp: when it was measured, which for a kept reading is not now. Where one report has
several readings of a channel, the newest is a reading and the others a status. A person id is a status: it is a button
on the device, no patient. Identity.serial is the system id until the agent tells a serial.

Not protected: no checksum; an APDU counts if each of its lengths and counts fits, and a report if it fits the
configuration. Not known: real agents' answers to the confirmations, which are the standard's examples with the numbers
of the report (the time in them is 0, as there), configuration 0190 beyond one program.
Left out: kept records in a PM-store (a status), wave samples, compound observations with states of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from drivers.contract import (
    DeviceTime,
    Driver,
    Identity,
    Info,
    Integrity,
    Numeric,
    Output,
    Phase,
    Send,
    Serial,
    Status,
)
from drivers.framing import Framer
from drivers.ieee11073.apdu import (
    CONFIRMATIONS,
    LIMIT_BYTES,
    RELEASE,
    Associate,
    Configured,
    Ended,
    Got,
    Other,
    Reported,
    confirmed,
    cut,
    parse,
)
from drivers.ieee11073.fields import MalformedError, moment
from drivers.ieee11073.identity import CLOCK, identity
from drivers.ieee11073.objects import DRIVER_ID, FAMILIES, STANDARD, Thing
from drivers.ieee11073.readings import Observation, explained
from drivers.moments import taken

OURS = bytes.fromhex("025741524C4E4B01")  # a system id of our own: EUI-64, locally administered


def _accept(result: int) -> bytes:
    """Association response: version 1, MDER, manager."""
    phd = bytes.fromhex("80000000 8000 80000000 00000000 80000000 0008") + OURS + bytes(10)
    body = result.to_bytes(2, "big") + b"\x50\x79" + len(phd).to_bytes(2, "big") + phd
    return b"\xe3\x00" + len(body).to_bytes(2, "big") + body


ACCEPTED, ACCEPTED_UNKNOWN = _accept(0), _accept(3)
RELEASED = bytes.fromhex("E50000020000")
ASK_WHO = bytes.fromhex("E700000E 000C 0001 0103 0006 0000 0000 0000")

REMEMBERED, LEARNED = 256, 16  # states, readings; configurations


class Ieee11073Agent(Driver):
    info = Info(
        id=DRIVER_ID,
        models=(
            "ISO/IEEE 11073-10404 pulse oximeters",
            "ISO/IEEE 11073-10407 blood pressure monitors",
            "ISO/IEEE 11073-10408 thermometers",
            "ISO/IEEE 11073-10415 weighing scales",
        ),
        claims=(Serial(115200),),
        emits=("spo2", *(f"{family}.*" for family in FAMILIES), "nibp", "mdc:*", f"{DRIVER_ID}:*"),
        integrity=Integrity.NONE,
        wiring="These devices have no serial port: a bridge takes the agent's Bluetooth HDP or USB PHDC channel"
        " (or TCP) and passes its APDUs on unchanged, both ways, at 115200 8N1. Readings are confirmed: the"
        " device may forget them then.",
        sends=frozenset((ACCEPTED, ACCEPTED_UNKNOWN, RELEASED, ASK_WHO)),
        masked=tuple(CONFIRMATIONS.values()),
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(cut, self.counts, LIMIT_BYTES)
        self._system = b""
        self._forget()

    def _forget(self) -> None:
        """Another agent: nothing of the one before holds."""
        self._identity = Identity()
        self._things: dict[int, Thing] = {}
        self._learned: dict[int, tuple[Thing, ...]] = {}
        self._told: set[tuple[int | None, str, Numeric]] = set()
        self._states: dict[tuple[str, str], tuple[Phase, str]] = {}

    def pending(self) -> int:
        return len(self._framer)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> list[Output]:
        return [said for body in self._framer.feed(data) for said in self._apdu(body)]

    def _apdu(self, body: bytes) -> Iterator[Output]:
        match parse(body):
            case Associate() as agent:
                yield from self._associate(agent)
            case Ended(choice, reason):
                yield from self._state("associated", Phase.OFF, reason)
                if choice == RELEASE:
                    yield Send(RELEASED)
            case Configured(config_id, things):
                if len(self._learned) < LEARNED or config_id in self._learned:
                    self._learned[config_id] = things
                self._things = {thing.handle: thing for thing in things}
                yield from self._state("configuration", Phase.ON, f"{config_id:04X}")
                if answer := confirmed(body):
                    yield Send(answer)
                    yield Send(ASK_WHO)
            case Reported() as report:
                yield from self._report(report, confirmed(body))
            case Got(attributes):
                yield from self._who(dict(attributes))
            case Other(what):
                yield from self._state(what, Phase.ON)

    def _associate(self, agent: Associate) -> Iterator[Output]:
        if agent.system_id != self._system:
            self._forget()
            self._system = agent.system_id
            self._identity = Identity(serial=agent.system_id.hex().upper())
            yield self._identity
        known = self._learned.get(agent.config_id) or STANDARD.get(agent.config_id, ())
        self._things = {thing.handle: thing for thing in known}
        if not agent.speaks:
            yield from self._state("version-not-understood", Phase.ON)
            return
        yield from self._state("associated", Phase.ON, f"configuration {agent.config_id:04X}")
        if known:
            yield Send(ACCEPTED)
            yield Send(ASK_WHO)
        else:
            yield Send(ACCEPTED_UNKNOWN)

    def _who(self, attributes: dict[int, bytes]) -> Iterator[Output]:
        try:
            said = identity(attributes, self._system)
        except MalformedError:
            self._count("attribute")
            return
        if said not in (self._identity, Identity()):
            self._identity = said
            yield said
        if clock := moment(attributes.get(CLOCK, b"")):
            yield DeviceTime(clock)

    def _report(self, report: Reported, answer: bytes) -> Iterator[Output]:
        for seen in report.seen:
            if seen.is_own:
                yield from self._who(dict(seen.attributes or ()))
        try:
            found = list(explained(report, self._things))
        except MalformedError as error:
            self._count(str(error))
            return
        newest: dict[tuple[int | None, str], str] = {}
        for one in found:
            for numeric in one.numerics:
                key = one.person, numeric.channel
                newest[key] = max(newest.get(key, ""), one.stamp)
        for one in found:
            yield from self._observed(one, newest)
        if answer:
            yield Send(answer)

    def _observed(self, one: Observation, newest: dict[tuple[int | None, str], str]) -> Iterator[Output]:
        if one.unread:
            self._count("attribute")
        news = [numeric for numeric in one.numerics if self._is_news(one, numeric)]
        readings = [numeric for numeric in news if one.stamp == newest[one.person, numeric.channel]]
        if news:
            yield from self._person(one.person)
        for numeric in news:
            if numeric not in readings:
                value = numeric.why if numeric.value is None else numeric.value
                yield Status("earlier-reading", Phase.ON, f"{one.stamp} {value} {numeric.unit}", numeric.channel)
        for state in one.states:
            if state.on or (state.code, state.channel) in self._states:
                yield from self._state(state.code, Phase.ON if state.on else Phase.OFF, state.text, state.channel)
        yield from taken(DeviceTime(one.stamp) if one.stamp else None, readings)

    def _person(self, person: int | None) -> Iterable[Status]:
        if person is None:
            return self._state("person", Phase.OFF) if ("person", "") in self._states else ()
        return self._state("person", Phase.ON, str(person))

    def _is_news(self, one: Observation, numeric: Numeric) -> bool:
        """A reading with its time comes again and again until it is confirmed."""
        key = one.person, one.stamp, numeric
        if one.stamp and key in self._told:
            return False
        if one.stamp:
            if len(self._told) >= REMEMBERED:
                self._told.clear()
            self._told.add(key)
        return True

    def _state(self, code: str, phase: Phase, text: str = "", channel: str = "") -> Iterable[Status]:
        """A status where it is news."""
        if self._states.get((code, channel)) == (phase, text):
            return ()
        if len(self._states) > REMEMBERED:
            self._states.clear()
        self._states[code, channel] = phase, text
        return (Status(code, phase, text, channel),)

    def _count(self, reason: str) -> None:
        """What a good APDU holds and we cannot use; the APDU itself is not refused."""
        self.counts.reasons[reason] = self.counts.reasons.get(reason, 0) + 1
