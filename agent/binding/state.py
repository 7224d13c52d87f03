"""What is said of the patient, and what follows from it by itself: conflicts and ends, never a binding.

Pure: words and monotonic nanoseconds come in, `Association` records gather in `kept.owed`. What a person does is in
deeds.py. Source: REQUIREMENTS NUR-05 to NUR-11 and NUR-15; IHE PCIM (statements are unvalidated, validated, corrected
or wrong; only a person validates).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.binding.kept import Course, Kept, Moment, Rules, Side, shift
from agent.binding.terms import Ended, Method, Person, Source, Status
from wire.records import Association

if TYPE_CHECKING:
    from agent.binding.words import Adt

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
UNPLUGGED_LIMIT_NS = 5 * MINUTE_NS
POWER_LIMIT_NS = 15 * MINUTE_NS
TRANSPORT_LIMIT_NS = 60 * MINUTE_NS
CONFIRMED_LIMIT_NS = 24 * 60 * MINUTE_NS
CORRECT_LIMIT_NS = 24 * 60 * MINUTE_NS
SCAN_LIMIT_NS = 15 * MINUTE_NS  # a wristband that nobody confirmed
PERFORMER_LIMIT_NS = 15 * MINUTE_NS
LABEL_LIMIT_NS = MINUTE_NS  # from the wristband to the bed's label, which confirms it
PAST_LIMIT_COUNT = 16
SIDES_LIMIT_COUNT = 16
ADT_ENDS: dict[str, Ended] = {"A02": "transferred", "A03": "discharged", "A11": "cancelled"}
BOUND = "bound"  # the key of who is bound, among the sides of a conflict


class Binding:
    """`name` gives the pseudonym of a number. `epoch` is the gateway's present one."""

    def __init__(self, kept: Kept, epoch: int, name: Callable[[str], str], rules: Rules) -> None:
        self.kept = kept
        self.epoch = epoch
        self.name = name
        self.rules = rules

    @property
    def course(self) -> Course:
        return self.kept.course

    def moment(self, now: int) -> Moment:
        return (self.epoch, now // 1000)

    # what is said

    def hears(self, source: Source, person: Person, now: int, detail: str = "") -> None:
        """A source says who it is; a person without number and name: that it knows nobody (any more)."""
        old = self._side(source, detail)
        if old is None or old.person != person:
            self.kept.sides = [side for side in self.kept.sides if side is not old]
            if person != Person() and len(self.kept.sides) < SIDES_LIMIT_COUNT:
                self.kept.sides.append(Side(self._key(source, now), source, detail, person, now))
        elif source == "scan":
            old.since_ns, old.is_overruled = now, False
        self.refresh(now)

    def scanned(self, person: Person, now: int) -> None:
        """A wristband: who is bound arrives, or it is another's and nobody is bound any more."""
        course = self.course
        if course.person.id and course.person.id != person.id:
            self.end(now, "wristband")
        elif course.person.id and self.kept.transport_ns is not None:
            self.kept.transport_ns, self.kept.is_held = None, False
            self.confirm(now, "scan", self.performer(now) or course.performer)
        self.hears("scan", person, now)

    def label(self, bed: str, now: int) -> Side | None:
        """The label of a bed: another bed's ends all; ours gives back the wristband that was scanned just before."""
        if bed != self.kept.bed:
            self.moved(bed, now)
            return None
        side = self._side("scan", "")
        return side if side is not None and now - side.since_ns <= LABEL_LIMIT_NS else None

    def moved(self, bed: str, now: int) -> None:
        self.kept.bed = bed
        self.kept.sides = [side for side in self.kept.sides if side.source == "device"]
        self.end(now, "moved")

    def gone(self, detail: str, now: int) -> None:
        """A device that may have said somebody was unplugged."""
        self.kept.sides = [side for side in self.kept.sides if (side.source, side.detail) != ("device", detail)]
        self.refresh(now)

    def plugged(self, count: int, now: int) -> None:
        """So many devices are at their ports. By radio a device may be silent for hours and still be the patient's."""
        kept = self.kept
        if count:
            kept.quiet_ns, kept.had_device = None, True
        elif kept.had_device and kept.quiet_ns is None:
            kept.quiet_ns = now
            if kept.transport_ns is not None and self.course.is_bound:
                kept.is_held = True
                self.refresh(now)

    def told(self, adt: Adt, now: int) -> None:
        """What the hospital's system said for this bed."""
        here, person = self._side("adt", ""), adt.person
        if adt.trigger == "A40":
            self._merged(adt, now)
        elif adt.trigger == "A08":
            self._renamed(person, now)
        elif adt.trigger in ADT_ENDS and (adt.trigger != "A02" or adt.was_here):
            believed = here is not None and here.person.id == person.id
            if believed:
                self.hears("adt", Person(), now)
            if self.course.is_bound and (believed or self.course.person.id in ("", person.id)):
                self.end(now, ADT_ENDS[adt.trigger])
        else:
            self.hears("adt", person, now)

    def _merged(self, adt: Adt, now: int) -> None:
        """A number is no more: nothing goes on under it, and nobody takes the other without a person."""
        was_ours = any(side.person.id == adt.former for side in self.kept.sides if side.source == "adt")
        self.kept.sides = [side for side in self.kept.sides if side.person.id != adt.former]
        if self.course.person.id == adt.former:
            was_ours = True
            self.end(now, "merged")
        if was_ours:
            self.hears("adt", adt.person, now)
        self.refresh(now)

    def _renamed(self, person: Person, now: int) -> None:
        side = self._side("adt", "")
        if side is not None and side.person.id == person.id:
            self.hears("adt", person, now)
        if self.course.person.id == person.id:
            self.course.person = person

    # what follows

    def sides(self) -> list[str]:
        """The keys of those who disagree; empty where they do not."""
        said = {side.key: side.person.id for side in self.kept.sides if side.person.id and not side.is_overruled}
        if self.course.person.id:
            said[BOUND] = self.course.person.id
        return list(said) if len(set(said.values())) > 1 else []

    def refresh(self, now: int) -> None:
        """Whether the sources agree, and who is bound is vouched for."""
        course = self.course
        status: Status = "validated" if course.person.id and not self.kept.is_held else "unvalidated"
        status = "conflict" if self.sides() else status
        if status != course.status:
            self.part(now, status=status)

    def tick(self, now: int) -> None:
        """What time alone brings about."""
        kept, course = self.kept, self.course
        if kept.performer and now - kept.performer_ns > PERFORMER_LIMIT_NS:
            kept.performer = ""
        kept.past = [one for one in kept.past if now - (one.end_ns or now) <= CORRECT_LIMIT_NS]
        late = [side for side in kept.sides if side.source == "scan" and now - side.since_ns > SCAN_LIMIT_NS]
        if late and self._is_idle(late):
            kept.sides = [side for side in kept.sides if side not in late]
            self.refresh(now)
        if kept.transport_ns is not None:
            if now > kept.transport_ns:
                self.end(now, "transport", kept.quiet_ns)
        elif kept.quiet_ns is not None and now - kept.quiet_ns > UNPLUGGED_LIMIT_NS:
            self.end(now, "unplugged", kept.quiet_ns)
        elif now - (course.confirmed_ns if course.is_bound else course.begin_ns) > CONFIRMED_LIMIT_NS:
            self.end(now, "old")

    def _is_idle(self, late: list[Side]) -> bool:
        """A conflict does not end by waiting."""
        return not any(side.key in self.sides() for side in late)

    # episodes

    def part(self, now: int, **changes: str) -> None:
        """The episode goes on otherwise: what was said is closed, and what is now is said."""
        course, at = self.course, self.moment(now)
        if at > course.part:
            self.owe(course.said(at[1], course.part, at))
        for word, value in changes.items():
            setattr(course, word, value)
        course.part = max(course.part, at)
        self.owe(course.said(at[1], course.part, None))

    def confirm(self, now: int, method: Method, performer: str) -> None:
        """A person vouches for who is bound: for another 24 hours."""
        self.course.confirmed_ns = now
        status = "validated" if self.course.person.id else "unvalidated"
        self.part(now, method=method, performer=performer, status=status)
        self.refresh(now)

    def bind(self, side: Side | None, performer: str, now: int) -> None:
        """From now on it is who this side says; None: whoever lies in this bed, under a name for this episode alone."""
        at = self.moment(now)
        person = side.person if side else Person()
        pseudonym = self.name(person.id or f"stay {self.rules.gateway} {self.epoch}.{at[1]}")
        course = Course(at, at, now, self.kept.bed, side.source if side else "location", confirmed_ns=now)
        course.status = "validated" if person.id else "unvalidated"
        course.performer, course.pseudonym, course.person = performer, pseudonym, person
        self.follow(now, "another" if self.course.is_bound else "bound", course)
        self.kept.ended = ""
        self.refresh(now)

    def end(self, now: int, ended: Ended, since_ns: int | None = None) -> None:
        """Nobody is bound any more: since now, or since `since_ns`, from when on nothing was heard."""
        at = max(self.moment(now if since_ns is None else since_ns), self.course.part)
        self.follow(now, ended, Course(at, at, at[1] * 1000, self.kept.bed))

    def follow(self, now: int, ended: Ended, course: Course) -> None:
        """One episode after the other, without a gap and without an overlap."""
        kept, old, t = self.kept, self.course, now // 1000
        if old.is_bound:
            kept.ended = ended
        if course.since > old.since:
            old.until, old.end_ns, old.ended = course.since, course.begin_ns, ended
            self.owe(old.said(t, old.part, course.since, ended))
            kept.past = [old, *kept.past][:PAST_LIMIT_COUNT]
        kept.course = course
        kept.transport_ns, kept.is_held = None, False
        kept.had_device, kept.quiet_ns = kept.had_device and kept.quiet_ns is None, None
        self.owe(course.said(t, course.part, None))
        self.refresh(now)

    def owe(self, said: Association) -> None:
        self.kept.owed.append(said)

    def performer(self, now: int) -> str:
        """Who stands here, as far as is known."""
        return self.kept.performer if now - self.kept.performer_ns <= PERFORMER_LIMIT_NS else ""

    def _side(self, source: Source, detail: str) -> Side | None:
        return next((one for one in self.kept.sides if (one.source, one.detail) == (source, detail)), None)

    def _key(self, source: Source, now: int) -> str:
        return f"{source}-{self.epoch}.{now // 1000}"


def begun(epoch: int, now: int, bed: str) -> Kept:
    """Nothing is known: nobody is bound."""
    at = (epoch, now // 1000)
    return Kept(Course(at, at, now, bed), bed=bed, configured=bed)


def resumed(binding: Binding, now: int, boot: bytes, utc: tuple[int, int] | None) -> None:
    """The gateway starts again, perhaps another day. Who is bound stays so only if it was surely off for a short time.

    `utc` is (microseconds since 1970, error), None where nobody knows; within one boot the monotonic clock knows.
    """
    kept = binding.kept
    same = kept.boot == boot and kept.alive_ns <= now
    off_ns = now - kept.alive_ns if same else _off_ns(kept.utc, utc)
    if not same:
        shift(kept, now - (off_ns or 0) - kept.alive_ns)
    sure = off_ns is not None and off_ns <= POWER_LIMIT_NS
    kept.sides = [side for side in kept.sides if side.source == "adt" or (sure and side.source != "device")]
    if off_ns is None:
        for course in kept.past:
            course.person = Person()
    if binding.rules.bed not in (kept.bed, kept.configured):
        kept.bed = binding.rules.bed
        kept.sides = []
        _cut(binding, now, "moved", same)
    elif not sure:
        _cut(binding, now, "power", same)
    kept.configured, kept.boot = binding.rules.bed, boot
    kept.quiet_ns = (kept.quiet_ns or now) if kept.had_device else None
    binding.refresh(now)


def _cut(binding: Binding, now: int, ended: Ended, same: bool) -> None:
    """End where the epoch before ended: all of this one is nobody's, also what was read and not yet heard."""
    kept = binding.kept
    at = (binding.epoch, kept.alive_ns // 1000 if same else 0)
    binding.follow(now, ended, Course(at, at, kept.alive_ns if same else now, kept.bed))


def _off_ns(then: tuple[int, int] | None, now: tuple[int, int] | None) -> int | None:
    """How long at most; None where nobody can say."""
    if then is None or now is None:
        return None
    most_us = (now[0] + now[1]) - (then[0] - then[1])
    return most_us * 1000 if most_us >= 0 else None
