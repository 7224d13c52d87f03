"""What a person does: the only way anybody is ever bound. Each deed is done whole or refused with a word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent.binding import codes, words
from agent.binding.kept import Course, Side
from agent.binding.state import BOUND, CORRECT_LIMIT_NS, TRANSPORT_LIMIT_NS, Binding
from agent.binding.terms import Person, Status
from agent.binding.words import PERFORMER_LIMIT_LETTERS, Refusal, Said

UNNAMED = "location"  # the key of "whoever lies in this bed"


class RefusedError(Exception):
    """It is not done; `why` is the word."""

    def __init__(self, why: Refusal) -> None:
        super().__init__(why)
        self.why: Refusal = why


def do(binding: Binding, said: Said, now: int) -> Refusal:
    """ "" if it is done; else nothing has changed. `Scanned` is judged by who knows the patterns, not here."""
    try:
        DEEDS[type(said)](binding, said, now)
    except RefusedError as error:
        return error.why
    return ""


def _confirm(binding: Binding, said: words.Confirm, now: int) -> None:
    performer, course = _performer(binding, said.performer, now), binding.course
    if said.proposal == BOUND:
        _must(course.is_bound, "nobody bound")
        _must(not binding.sides(), "conflict")
        _must(binding.kept.transport_ns is None, "scan on arrival")
        binding.confirm(now, course.method, performer)
        return
    side = _side(binding, said.proposal, course)
    _must(not binding.sides(), "conflict")
    if side is None or course.person.id != side.person.id:
        _must(not course.person.id and not (side is None and course.is_bound), "bound already")
        binding.bind(side, performer, now)
    else:
        _must(binding.kept.transport_ns is None, "scan on arrival")
        course.person = side.person
        binding.confirm(now, side.source, performer)


def _choose(binding: Binding, said: words.Choose, now: int) -> None:
    performer, sides = _performer(binding, said.performer, now), binding.sides()
    _must(bool(sides), "no conflict")
    _must(said.proposal in sides, "no such proposal")
    _take(binding, None if said.proposal == BOUND else _side(binding, said.proposal), performer, now)


def _take(binding: Binding, side: Side | None, performer: str, now: int) -> None:
    """It is this one, None: who is bound. Who says another is overruled, until he says something else."""
    chosen = side.person.id if side else binding.course.person.id
    for other in binding.kept.sides:
        other.is_overruled = other.person.id != chosen
    if side is None or binding.course.person.id == chosen:
        binding.confirm(now, side.source if side else binding.course.method, performer)
    else:
        binding.bind(side, performer, now)


def _unbind(binding: Binding, said: words.Unbind, now: int) -> None:
    _performer(binding, said.performer, now)
    _must(binding.course.is_bound or bool(binding.sides()), "nobody bound")
    if binding.sides():
        for side in binding.kept.sides:
            side.is_overruled = True
    if binding.course.is_bound:
        binding.end(now, "unbound")
    binding.refresh(now)


def _wrong(binding: Binding, said: words.Wrong, now: int) -> None:
    performer, course = _performer(binding, said.performer, now), _episode(binding, said.episode, now)
    _must(course.is_bound, "nobody bound")
    side = _side(binding, said.proposal) if said.proposal else None
    _must(side is None or side.person.id != course.person.id, "no such proposal")
    is_present = course is binding.course
    if is_present:
        binding.end(now, "wrong")
    course.status, course.ended, course.performer = "wrong", "wrong", performer
    _say(binding, course, now)
    course.method, course.pseudonym, course.person = "none", "", Person()
    if side is not None:
        _correct(binding, course, side, performer, now, "validated")
        if is_present:
            _take(binding, side, performer, now)


def _bind_late(binding: Binding, said: words.BindLate, now: int) -> None:
    performer, course = _performer(binding, said.performer, now), _episode(binding, said.episode, now)
    side = _side(binding, said.proposal)
    _must(side is not None, "no identifier")
    assert side is not None
    _must(not course.person.id, "not anonymous")
    if course is binding.course:
        _must(not binding.sides(), "conflict")
        binding.bind(side, performer, now)
    _correct(binding, course, side, performer, now, "corrected")


def _correct(binding: Binding, course: Course, side: Side, performer: str, now: int, status: Status) -> None:
    """An episode that is over gets its patient: appended, the samples stay as they are."""
    course.method, course.status, course.performer = side.source, status, performer
    course.person, course.pseudonym = side.person, binding.name(side.person.id)
    _say(binding, course, now)


def _say(binding: Binding, course: Course, now: int) -> None:
    """Of the whole of it, whatever its parts were."""
    if course.until is not None and course.until > course.since:
        binding.owe(course.said(now // 1000, course.since, course.until, course.ended))


def _transport(binding: Binding, said: words.Transport, now: int) -> None:
    _performer(binding, said.performer, now)
    _must(binding.course.is_bound, "nobody bound")
    _must(bool(binding.course.person.id), "no identifier")  # no wristband could end it
    _must(not binding.sides(), "conflict")
    _must(binding.kept.transport_ns is None, "scan on arrival")
    binding.kept.transport_ns = now + TRANSPORT_LIMIT_NS
    binding.kept.is_held = binding.kept.quiet_ns is not None
    binding.refresh(now)


def _stand(binding: Binding, said: words.Performer, now: int) -> None:
    binding.kept.performer, binding.kept.performer_ns = _name(said.performer), now


def _typed(binding: Binding, said: words.Typed, now: int) -> None:
    person = codes.person(Person(said.id, said.name, said.born))
    _must(bool(person.id), "form")
    binding.hears("location", person, now)


def _dismiss(binding: Binding, said: words.Dismiss, now: int) -> None:
    side = _side(binding, said.proposal)
    _must(side is not None and side.source in ("scan", "location"), "no such proposal")
    _must(said.proposal not in binding.sides(), "conflict")
    binding.kept.sides = [one for one in binding.kept.sides if one is not side]
    binding.refresh(now)


DEEDS: dict[type, Callable[[Binding, Any, int], None]] = {
    words.Confirm: _confirm,
    words.Choose: _choose,
    words.Unbind: _unbind,
    words.Wrong: _wrong,
    words.BindLate: _bind_late,
    words.Transport: _transport,
    words.Performer: _stand,
    words.Typed: _typed,
    words.Dismiss: _dismiss,
}


def _must(holds: bool, why: Refusal) -> None:
    if not holds:
        raise RefusedError(why)


def _name(performer: str) -> str:
    return codes.cleaned(performer)[:PERFORMER_LIMIT_LETTERS]


def _performer(binding: Binding, performer: str, now: int) -> str:
    """Somebody says that it is so: never nobody."""
    name = _name(performer)
    _must(bool(name), "no performer")
    binding.kept.performer, binding.kept.performer_ns = name, now
    return name


def _side(binding: Binding, key: str, course: Course | None = None) -> Side | None:
    """The proposal; None for "whoever lies in this bed", where that may be confirmed."""
    if key == UNNAMED and course is not None and binding.rules.location:
        return None
    side = next((one for one in binding.kept.sides if one.key == key), None)
    if side is None:
        raise RefusedError("no such proposal")
    _must(bool(side.person.id), "no identifier")
    return side


def _episode(binding: Binding, key: str, now: int) -> Course:
    found = next((one for one in (binding.course, *binding.kept.past) if one.key == key), None)
    if found is None:
        raise RefusedError("no such episode")
    _must(found.end_ns is None or now - found.end_ns <= CORRECT_LIMIT_NS, "too late")
    return found
