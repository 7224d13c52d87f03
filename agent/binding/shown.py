"""What the page is shown: the bed, as words.py has it."""

from __future__ import annotations

from typing import Literal

from agent.binding.deeds import UNNAMED
from agent.binding.kept import Course
from agent.binding.state import (
    CONFIRMED_LIMIT_NS,
    CORRECT_LIMIT_NS,
    SCAN_LIMIT_NS,
    UNPLUGGED_LIMIT_NS,
    Binding,
)
from agent.binding.terms import Person
from agent.binding.words import AdtState, Bed, Episode, Proposal


def bed(
    binding: Binding, now: int, key: Literal["site", "own"], refused: tuple[str, int] | None, adt: AdtState | None
) -> Bed:
    """`refused`: why the last scan was none, and when."""
    kept, course = binding.kept, binding.course
    told = [Proposal(one.key, one.source, one.person, one.since_ns, one.detail, one.is_overruled) for one in kept.sides]
    if binding.rules.location and not course.is_bound and not any(one.source == "location" for one in told):
        told.append(Proposal(UNNAMED, "location", Person(), course.begin_ns, kept.bed))
    recent = refused if refused and now - refused[1] <= SCAN_LIMIT_NS else None
    quiet = kept.quiet_ns if kept.transport_ns is None else None
    return Bed(
        bed=kept.bed,
        status=course.status,
        episode=episode(course),
        proposals=told,
        sides=binding.sides(),
        ended="" if course.is_bound else kept.ended,
        confirm_until_ns=course.confirmed_ns + CONFIRMED_LIMIT_NS if course.is_bound else None,
        transport_until_ns=kept.transport_ns,
        unplugged_until_ns=None if quiet is None else quiet + UNPLUGGED_LIMIT_NS,
        performer=binding.performer(now),
        history=[episode(one) for one in kept.past],
        refused=recent[0] if recent else "",
        refused_ns=recent[1] if recent else None,
        key=key,
        adt=adt,
    )


def episode(course: Course) -> Episode:
    return Episode(
        key=course.key,
        method=course.method,
        status=course.status,
        performer=course.performer,
        pseudonym=course.pseudonym,
        person=course.person,
        bed=course.bed,
        begin_ns=course.begin_ns,
        end_ns=course.end_ns,
        ended=course.ended,
        correct_until_ns=None if course.end_ns is None else course.end_ns + CORRECT_LIMIT_NS,
    )
