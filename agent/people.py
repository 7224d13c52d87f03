"""What people and the hospital's system do at the doors of the bed, and what is shown. Loaded once somebody comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from agent.binding import codes, deeds, shown, words
from agent.binding.kept import Kept
from agent.binding.words import AdtState, Answer, Refusal

if TYPE_CHECKING:
    from agent.associating import Associating

REFUSED_KINDS_LIMIT_COUNT = 16


class People:
    """`hurry` closes the interval at once."""

    def __init__(self, bed: Associating, hurry: Callable[[], None]) -> None:
        self._bed = bed
        self._hurry = hurry
        self._rules = bed.gateway.config.patient
        self._adt = AdtState() if self._rules.adt else None
        self._shown = b""
        self.said = msgspec.json.Decoder(words.Said)
        self.adt = msgspec.json.Decoder(words.Adt)

    def shown(self) -> bytes:
        """How it stands now: one JSON object."""
        self._shown = self._looks(self._bed.gateway.world.now())
        return self._shown

    def changed(self, now: int) -> bool:
        """Since it was shown."""
        return self._looks(now) != self._shown

    def _looks(self, now: int) -> bytes:
        bed = self._bed
        return msgspec.json.encode(shown.bed(bed.binding, now, bed.key, bed.refused, self._adt))

    @staticmethod
    def misspoken() -> Answer:
        return Answer(0, False, "words")

    async def do(self, said: words.Said) -> Answer:
        """What a person does at the page: done once it is durable."""
        bed = self._bed
        async with bed.deciding:
            now, before, was_bound = bed.gateway.world.now(), bed.encoded(), bed.binding.course.since
            why = self._judged(said, now)
            if why == "" and not await bed.store() and self._binds(was_bound):
                bed.binding.kept = msgspec.json.decode(before, type=Kept)
                why = "storage"
        if not isinstance(said, words.Performer):
            self._audit("page", str(type(said).__struct_config__.tag), why)
        bed.wake.set()
        self._hurry()
        return Answer(said.n, why == "", why)

    def _binds(self, was: tuple[int, int]) -> bool:
        """An end counts even where the card is dead; a binding that a restart would forget does not."""
        course = self._bed.binding.course
        return course.is_bound and course.since != was

    def _judged(self, said: words.Said, now: int) -> Refusal:
        bed = self._bed
        if isinstance(said, words.Scanned):
            before = bed.refused
            bed.scanned(said.code)
            bed.settle(now)
            return "" if bed.refused in (None, before) else "form"
        if isinstance(said, words.Typed):
            try:
                codes.wristband(said.id, self._rules.wristbands, self._rules.check)
            except codes.RefusedError:
                return "form"
        return deeds.do(bed.binding, said, now)

    async def told(self, said: words.Adt) -> Answer:
        """What the hospital's system said, or why it was not taken."""
        bed, state = self._bed, self._adt or AdtState()
        if said.refused:
            refused = {**state.refused, said.refused: state.refused.get(said.refused, 0) + 1}
            if len(refused) <= REFUSED_KINDS_LIMIT_COUNT:
                self._adt = msgspec.structs.replace(state, refused=refused)
            bed.count(f"adt {said.refused}", peer=said.peer)
            bed.wake.set()
            return Answer(said.n, True)
        clean = msgspec.structs.replace(said, person=codes.person(said.person), former=codes.normalised(said.former))
        if not clean.person.id:
            return Answer(said.n, False, "form")
        async with bed.deciding:
            now = bed.gateway.world.now()
            bed.binding.told(clean, now)
            self._adt = msgspec.structs.replace(state, heard_ns=now, taken=state.taken + 1)
            stored = await bed.store()
        bed.wake.set()
        self._hurry()
        return Answer(said.n, stored, "" if stored else "storage")

    # by scans alone

    def stands(self, badge: str, now: int) -> None:
        deeds.do(self._bed.binding, words.Performer(0, badge), now)

    def labelled(self, label: str, now: int) -> None:
        """Wristband, then the label of this bed, by somebody whose badge is known: that is a person's word."""
        binding = self._bed.binding
        side, performer = binding.label(label, now), binding.performer(now)
        if side is not None and performer:
            self._audit("scan", "confirm", deeds.do(binding, words.Confirm(0, side.key, performer), now))

    def _audit(self, who: str, what: str, why: str) -> None:
        course = self._bed.binding.course
        outcome = why or f"{course.status} by {course.method}"
        self._bed.gateway.obeying.auditing.say(who, what, outcome=outcome, ended=self._bed.binding.kept.ended)
