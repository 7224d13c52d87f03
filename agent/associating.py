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
from agent.bed_doors import Doors
from agent.binding import codes, deeds, pseudonym, shown, words
from agent.binding.kept import Kept, Rules
from agent.binding.state import Binding, begun, resumed
from agent.binding.words import AdtState, Answer, Bed, Person, Refusal
from agent.enrol import places
from wire.records import Association, PatientIdAt, Record, SessionAt, StatusAt

if TYPE_CHECKING:
    from agent.gateway import Gateway
    from agent.identity import Identity

ALIVE_NS = 60_000_000_000  # how often it is written that we live, while somebody is bound
PRIVATE_STATES = ("user", "patient")  # a device's state whose code begins so carries a name
RADIO_PORT = "ble "
REFUSED_KINDS_LIMIT_COUNT = 16
log = logging.getLogger("wardlink.patient")


class Associating:
    """`hurry` closes the interval at once."""

    def __init__(self, gateway: Gateway, who: Identity, hurry: Callable[[], None]) -> None:
        config, world = gateway.config, gateway.world
        self._gateway = gateway
        self._hurry = hurry
        self._rules = config.patient
        secret = who.signer.private_bytes_raw()
        self._file = bed_file.BedFile(world.files(), Path(config.state), pseudonym.derived(secret, "bed"))
        site_key, self._key_problem = site_key_of(Path(config.keys))
        self.problem = self._key_problem
        self._key: Literal["site", "own"] = "site" if site_key else "own"
        name = pseudonym.namer(site_key or pseudonym.derived(secret, "pseudonym"))
        rules = Rules(gateway.address.gateway, config.bed, config.patient.location)
        self.binding = self._resumed(name, rules)
        self._refused: tuple[str, int] | None = None
        self._adt = AdtState() if config.patient.adt else None
        self._counts: dict[str, int] = {}
        self._told = 0  # of what is owed, was in the last bundle
        self._sessions: dict[int, tuple[str, bool]] = {}  # (port, whether a scanner) by number
        self._waiting: list[Callable[[int], None]] = []  # what happened while a deed was made durable
        self._deciding = asyncio.Lock()
        self._written = b""
        self._written_ns = 0
        self._shown = b""
        self._wake = asyncio.Event()
        self._doors = Doors(Path(config.runtime), self.do, self.told, lambda: self._shown)

    # the data path

    def current(self, t: int) -> Association:
        course = self.binding.course
        return course.said(t, course.part, None)

    def hear(self, now: int, records: list[Record]) -> list[Record]:
        """The records without names and numbers, and what is owed about the patient."""
        here = {one.number: (one.port, not one.driver.info.emits) for one in self._gateway.ward.sessions}
        known, self._sessions = {**self._sessions, **here}, here
        said = [self._heard(record, known) for record in records]
        devices = sum(not (scans or port.startswith(RADIO_PORT)) for port, scans in self._sessions.values())
        self._waiting.append(lambda now: self.binding.plugged(devices, now))
        self._told = 0
        if self._deciding.locked():
            return said  # what is being decided is said once it is durable
        self._settle(now)
        owed = self.binding.kept.owed
        self._told = len(owed)
        return said + [msgspec.structs.replace(one, t=now // 1000) for one in owed]

    def durable(self) -> None:
        """What was said with the last beat lies in the spool."""
        del self.binding.kept.owed[: self._told]
        self._told = 0

    def _settle(self, now: int) -> None:
        waiting, self._waiting = self._waiting, []
        for happened in waiting:
            happened(now)
        self.binding.tick(now)
        if self._changed(now):
            self._wake.set()

    def _changed(self, now: int) -> bool:
        late = self.binding.course.is_bound and now - self._written_ns > ALIVE_NS
        return late or self._encoded() != self._written or self._looks(now) != self._shown

    def _heard(self, record: Record, sessions: dict[int, tuple[str, bool]]) -> Record:
        """As it may leave: a number only as its pseudonym, a name never."""
        if isinstance(record, PatientIdAt):
            port, scans = sessions.get(record.session, ("", False))
            number = codes.normalised(record.code)
            if scans:
                number = self._scanned(record.code)
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

    def _scanned(self, code: str) -> str:
        """The patient's number, "" where it is none: a badge, a bed's label, or nothing of ours."""
        try:
            bed = codes.bed_of(code, self._gateway.config.site)
            if bed is not None:
                self._waiting.append(lambda now: self._labelled(bed, now))
                return ""
            badge = codes.normalised(code)
            if any(codes.fits(badge, pattern) for pattern in self._rules.badges):
                self._waiting.append(lambda now: self._stands(badge, now))
                return ""
            number = codes.wristband(code, self._rules.wristbands, self._rules.check)
        except codes.RefusedError as error:
            reason = str(error)
            self._waiting.append(lambda now: self._refuse(reason, now))
            return ""
        self._waiting.append(lambda now: self._read(number, now))
        return number

    def _read(self, number: str, now: int) -> None:
        self._refused = None
        told = [side.person for side in self.binding.kept.sides if side.person.id == number and side.person.name]
        self.binding.scanned(told[0] if told else Person(number), now)

    def _stands(self, badge: str, now: int) -> None:
        deeds.do(self.binding, words.Performer(0, badge), now)

    def _labelled(self, bed: str, now: int) -> None:
        """Wristband, then the label of this bed, by somebody whose badge is known: that is a person's word."""
        side, performer = self.binding.label(bed, now), self.binding.performer(now)
        if side is not None and performer:
            why = deeds.do(self.binding, words.Confirm(0, side.key, performer), now)
            self._audit("scan", "confirm", why)

    def _refuse(self, reason: str, now: int) -> None:
        self._refused = reason, now
        self._count(f"scan {reason}")

    # people, and the hospital's system

    async def do(self, said: words.Said) -> Answer:
        """What a person does at the page: done once it is durable."""
        async with self._deciding:
            now, before, was_bound = self._gateway.world.now(), self._encoded(), self.binding.course.since
            why = self._judged(said, now)
            if why == "" and not await self._store() and self._binds(was_bound):
                self.binding.kept = msgspec.json.decode(before, type=Kept)
                why = "storage"
        if not isinstance(said, words.Performer):
            self._audit("page", str(type(said).__struct_config__.tag), why)
        self._wake.set()
        self._hurry()
        return Answer(said.n, why == "", why)

    def _binds(self, was: tuple[int, int]) -> bool:
        """An end counts even where the card is dead; a binding that a restart would forget does not."""
        return self.binding.course.is_bound and self.binding.course.since != was

    def _judged(self, said: words.Said, now: int) -> Refusal:
        if isinstance(said, words.Scanned):
            before = self._refused
            self._scanned(said.code)
            self._settle(now)
            return "" if self._refused in (None, before) else "form"
        if isinstance(said, words.Typed):
            try:
                codes.wristband(said.id, self._rules.wristbands, self._rules.check)
            except codes.RefusedError:
                return "form"
        return deeds.do(self.binding, said, now)

    async def told(self, said: words.Adt) -> Answer:
        """What the hospital's system said, or why it was not taken."""
        now, state = self._gateway.world.now(), self._adt or AdtState()
        if said.refused:
            refused = {**state.refused, said.refused: state.refused.get(said.refused, 0) + 1}
            if len(refused) <= REFUSED_KINDS_LIMIT_COUNT:
                self._adt = msgspec.structs.replace(state, refused=refused)
            self._count(f"adt {said.refused}", peer=said.peer)
            return Answer(said.n, True)
        async with self._deciding:
            person = codes.person(said.person)
            if not person.id:
                return Answer(said.n, False, "form")
            clean = msgspec.structs.replace(said, person=person, former=codes.normalised(said.former))
            self.binding.told(clean, now)
            self._adt = msgspec.structs.replace(state, heard_ns=now, taken=state.taken + 1)
            stored = await self._store()
        self._wake.set()
        self._hurry()
        return Answer(said.n, stored, "" if stored else "storage")

    def _audit(self, who: str, what: str, why: str) -> None:
        course = self.binding.course
        outcome = why or f"{course.status} by {course.method}"
        self._gateway.obeying.auditing.say(who, what, outcome=outcome, ended=self.binding.kept.ended)

    def _count(self, what: str, peer: str = "") -> None:
        """The first, and then each tenfold, is written down: a flood is a few lines."""
        count = self._counts[what] = self._counts.get(what, 0) + 1
        if count in (1, 10, 100, 1000) or count % 10_000 == 0:
            log.warning("refused what=%r count=%d peer=%r", what, count, peer)
            self._gateway.obeying.auditing.say("patient", "refused", reason=what, count=str(count), peer=peer)

    # what is kept, and what is shown

    async def run(self) -> None:
        """Until cancelled: the doors for page and ADT, and what changed made durable and shown."""
        try:
            await self._doors.open()
            while True:
                await self._wake.wait()
                self._wake.clear()
                async with self._deciding:
                    await self._store()
                self._shown = self._looks(self._gateway.world.now())
                self._doors.show(self._shown)
        finally:
            self._doors.close()
            await self._store()

    def words(self) -> str:
        """For the status: nothing of the patient."""
        course = self.binding.course
        state = f"{course.status} by {course.method}" if course.is_bound else "nobody is bound"
        whose = "the site's key" if self._key == "site" else "this gateway's own key, so nobody can link them"
        return f"{state}, pseudonyms by {whose}" + (f"; {self.problem}" if self.problem else "")

    def _looks(self, now: int) -> bytes:
        look: Bed = shown.bed(self.binding, now, self._key, self._refused, self._adt)
        return msgspec.json.encode(look)

    def _encoded(self) -> bytes:
        return msgspec.json.encode(self.binding.kept)

    def _resumed(self, name: Callable[[str], str], rules: Rules) -> Binding:
        """As it was left, or from the beginning."""
        gateway, world = self._gateway, self._gateway.world
        now = world.now()
        kept = self._file.read()
        binding = Binding(kept or begun(gateway.epoch, now, rules.bed), gateway.epoch, name, rules)
        if kept is not None:
            resumed(binding, now, world.boot(), self._utc())
        return binding

    async def _store(self) -> bool:
        """Whether it is durable."""
        kept, world = self.binding.kept, self._gateway.world
        kept.boot, kept.alive_ns, kept.utc = world.boot(), world.now(), self._utc()
        self._written_ns, plain = kept.alive_ns, self._encoded()
        nonce = world.entropy(bed_file.NONCE_BYTES)
        try:
            await self._gateway.keeping.on_thread(lambda: self._file.write(plain, nonce))
        except OSError as error:
            log.error("who is bound cannot be written error=%s", error.strerror)
            self.problem = "it cannot be written down: a restart forgets it"
            return False
        self.problem, self._written = self._key_problem, plain
        return True

    def _utc(self) -> tuple[int, int] | None:
        anchor = self._gateway.utc.anchor()
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
