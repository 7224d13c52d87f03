"""Who the patient is, in the running gateway: scans and devices are heard, people are obeyed, records are said.

The state machine (agent/binding) is given what happened; what it owes goes into the next bundle, and is forgotten here
once that is durable. What must survive lies in `<state>/bed.sealed`, encrypted under a key of the gateway's own, for
names stand in it; they are deleted a day after the patient left. No name and no number is ever logged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from agent import bed_file
from agent.binding import codes, pseudonym
from agent.binding.kept import Rules
from agent.binding.state import Binding, begun, resumed
from agent.binding.terms import Person
from agent.enrol import places
from wire.records import Association, PatientIdAt, Record, SessionAt, StatusAt

if TYPE_CHECKING:
    from agent.gateway import Gateway
    from agent.identity import Identity
    from agent.people import People

ALIVE_NS = 60_000_000_000  # how often it is written that we live, while somebody is bound
PRIVATE_STATES = ("user", "patient")  # a device's state whose code begins so carries a name
RADIO_PORT = "ble "
UNWRITTEN = "it cannot be written down: a restart forgets it"
log = logging.getLogger("wardlink.patient")


class Associating:
    """`hurry` closes the interval at once."""

    def __init__(self, gateway: Gateway, who: Identity, hurry: Callable[[], None]) -> None:
        config, world = gateway.config, gateway.world
        self.gateway = gateway
        self._hurry = hurry
        self._rules = config.patient
        secret = who.signer.private_bytes_raw()
        self._file = bed_file.BedFile(world.files(), Path(config.state), pseudonym.derived(secret, "bed"))
        site_key, self._key_problem = site_key_of(Path(config.keys))
        self.problem = self._key_problem
        self.key: Literal["site", "own"] = "site" if site_key else "own"
        name = pseudonym.namer(site_key or pseudonym.derived(secret, "pseudonym"))
        rules = Rules(gateway.address.gateway, config.bed, config.patient.location)
        self.binding = self._resumed(name, rules)
        self.refused: tuple[str, int] | None = None
        self._counts: dict[str, int] = {}
        self._told = 0  # of what is owed, was in the last bundle
        self._sessions: dict[int, tuple[str, bool]] = {}  # (port, whether a scanner) by number
        self._waiting: list[Callable[[int], None]] = []  # what happened while a deed was made durable
        self.deciding = asyncio.Lock()
        self._written = b""
        self._written_ns = 0
        self.wake = asyncio.Event()
        self._people: People | None = None
        self._doors = world.doors(Path(config.runtime), lambda: self.people)

    @property
    def people(self) -> People:
        """Loaded once somebody comes to a door, or a badge or a label is scanned."""
        if self._people is None:
            from agent.people import People  # noqa: PLC0415  many beds never need it

            self._people = People(self, self._hurry)
        return self._people

    # the data path

    def current(self, t: int) -> Association:
        course = self.binding.course
        return course.said(t, course.part, None)

    def hear(self, now: int, records: list[Record]) -> list[Record]:
        """The records without names and numbers, and what is owed about the patient."""
        here = {one.number: (one.port, not one.driver.info.emits) for one in self.gateway.ward.sessions}
        known, self._sessions = {**self._sessions, **here}, here
        said = [self._heard(record, known) for record in records]
        devices = sum(not (scans or port.startswith(RADIO_PORT)) for port, scans in self._sessions.values())
        self._waiting.append(lambda now: self.binding.plugged(devices, now))
        self._told = 0
        if self.deciding.locked():
            return said  # what is being decided is said once it is durable
        self.settle(now)
        owed = self.binding.kept.owed
        self._told = len(owed)
        return said + [msgspec.structs.replace(one, t=now // 1000) for one in owed]

    def durable(self) -> None:
        """What was said with the last beat lies in the spool."""
        del self.binding.kept.owed[: self._told]
        self._told = 0

    def settle(self, now: int) -> None:
        waiting, self._waiting = self._waiting, []
        for happened in waiting:
            happened(now)
        self.binding.tick(now)
        if self._is_unwritten(now) or (self._doors.visited and self.people.changed(now)):
            self.wake.set()

    def _is_unwritten(self, now: int) -> bool:
        late = self.binding.course.is_bound and now - self._written_ns > ALIVE_NS
        return late or self.encoded() != self._written

    def _heard(self, record: Record, sessions: dict[int, tuple[str, bool]]) -> Record:
        """As it may leave: a number only as its pseudonym, a name never."""
        if isinstance(record, PatientIdAt):
            port, scans = sessions.get(record.session, ("", False))
            number = codes.normalised(record.code)
            if scans:
                number = self.scanned(record.code)
            else:
                person = Person(number, codes.cleaned(record.name))
                self._waiting.append(lambda now: self.binding.hears("device", person, now, port))
            return msgspec.structs.replace(record, code=self.binding.name(number) if number else "", name="")
        if isinstance(record, SessionAt) and record.phase == "closed":
            gone = sessions.get(record.session, ("", False))[0]
            self._waiting.append(lambda now: self.binding.gone(gone, now))
        if isinstance(record, StatusAt) and record.code.startswith(PRIVATE_STATES):
            return msgspec.structs.replace(record, text="")
        return record

    # scans

    def scanned(self, code: str) -> str:
        """The patient's number, "" where it is none: a badge, a bed's label, or nothing of ours."""
        try:
            bed = codes.bed_of(code, self.gateway.config.site)
            if bed is not None:
                self._waiting.append(lambda now: self.people.labelled(bed, now))
                return ""
            badge = codes.normalised(code)
            if any(codes.fits(badge, pattern) for pattern in self._rules.badges):
                self._waiting.append(lambda now: self.people.stands(badge, now))
                return ""
            number = codes.wristband(code, self._rules.wristbands, self._rules.check)
        except codes.RefusedError as error:
            reason = str(error)
            self._waiting.append(lambda now: self._refuse(reason, now))
            return ""
        self._waiting.append(lambda now: self._read(number, now))
        return number

    def _read(self, number: str, now: int) -> None:
        self.refused = None
        told = [side.person for side in self.binding.kept.sides if side.person.id == number and side.person.name]
        self.binding.scanned(told[0] if told else Person(number), now)

    def _refuse(self, reason: str, now: int) -> None:
        self.refused = reason, now
        self.count(f"scan {reason}")

    def count(self, what: str, peer: str = "") -> None:
        """The first, and then each tenfold, is written down: a flood is a few lines."""
        count = self._counts[what] = self._counts.get(what, 0) + 1
        if count in (1, 10, 100, 1000) or count % 10_000 == 0:
            log.warning("refused what=%r count=%d peer=%r", what, count, peer)
            self.gateway.obeying.auditing.say("patient", "refused", reason=what, count=str(count), peer=peer)

    # what is kept, and what is shown

    async def run(self) -> None:
        """Until cancelled: the doors for page and ADT, and what changed made durable and shown."""
        try:
            await self._doors.open()
            while True:
                await self.wake.wait()
                self.wake.clear()
                async with self.deciding:
                    if self._is_unwritten(self.gateway.world.now()):
                        await self.store()
                self._doors.show()
        finally:
            self._doors.close()
            await self.store()

    def words(self) -> str:
        """For the status: nothing of the patient."""
        course = self.binding.course
        state = f"{course.status} by {course.method}" if course.is_bound else "nobody is bound"
        whose = "the site's key" if self.key == "site" else "this gateway's own key, so nobody can link them"
        return f"{state}, pseudonyms by {whose}" + (f"; {self.problem}" if self.problem else "")

    def encoded(self) -> bytes:
        return msgspec.json.encode(self.binding.kept)

    def _resumed(self, name: Callable[[str], str], rules: Rules) -> Binding:
        """As it was left, or from the beginning."""
        gateway, world = self.gateway, self.gateway.world
        now = world.now()
        kept = self._file.read()
        binding = Binding(kept or begun(gateway.epoch, now, rules.bed), gateway.epoch, name, rules)
        if kept is not None:
            resumed(binding, now, world.boot(), self._utc())
        return binding

    async def store(self) -> bool:
        """Whether it is durable."""
        kept, world = self.binding.kept, self.gateway.world
        kept.boot, kept.alive_ns, kept.utc = world.boot(), world.now(), self._utc()
        self._written_ns, plain = kept.alive_ns, self.encoded()
        nonce = world.entropy(bed_file.NONCE_BYTES)
        try:
            await self.gateway.keeping.on_thread(lambda: self._file.write(plain, nonce))
        except OSError as error:
            if self.problem != UNWRITTEN:
                log.error("who is bound cannot be written error=%s", error.strerror)
            self.problem = UNWRITTEN
            return False
        self.problem, self._written = self._key_problem, plain
        return True

    def _utc(self) -> tuple[int, int] | None:
        anchor = self.gateway.utc.anchor()
        return None if anchor is None or anchor.error is None else (anchor.utc, anchor.error)


def site_key_of(folder: Path) -> tuple[bytes | None, str]:
    """(the site's key, what is wrong with it): the unit's credential, or the file in the keys folder; None without."""
    file = places.credential(places.SITE_KEY_FILE) or folder / places.SITE_KEY_FILE
    try:
        return pseudonym.parsed(file.read_text("utf-8")), ""
    except FileNotFoundError:
        return None, ""
    except (OSError, UnicodeDecodeError, pseudonym.SiteKeyError) as error:
        return None, f"{places.SITE_KEY_FILE} cannot be used: {type(error).__name__}"
