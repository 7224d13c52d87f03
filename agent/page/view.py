"""What the templates are given: how it stands now, and what may be done about the patient, in one language. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from agent.binding.words import Bed, Episode, Proposal
from agent.page.sessions import Session
from agent.page.state import Data, Device, Patient, State, Word
from agent.page.words import BESIDE, Words

MINUTE_S = 60
HOUR_S = 3600
HOURS_FROM_S = 2 * HOUR_S
SECOND_NS = 1_000_000_000
BOUND = "bound"  # the key of the bound patient's own side


@dataclass(frozen=True, slots=True)
class Safe:
    """A sentence on which safety rests: in the page's language, and beside a draft in others."""

    text: str
    is_draft: bool
    beside: tuple[tuple[str, str], ...]  # (language, text)


@dataclass(frozen=True, slots=True)
class Fact:
    """One of the three: `kind` names its shape."""

    name: str
    kind: str
    label: str
    lines: tuple[Markup, ...]


@dataclass(frozen=True, slots=True)
class Now:
    """The word, what to do, and the three facts. `watch` stands there while the doctor sees no live values."""

    word: Word
    said: Markup
    todo: Markup
    facts: tuple[Fact, ...]
    watch: Safe | None


def span(words: Words, seconds: float) -> str:
    """A length of time, rounded down: minutes below two hours, then hours."""
    whole = max(0, int(seconds))
    return words.count("minutes", whole // MINUTE_S) if whole < HOURS_FROM_S else words.count("hours", whole // HOUR_S)


def safe(words: dict[str, Words], language: str, key: str) -> Safe:
    own = words[language]
    is_draft = own.is_draft(key)
    others = [one for one in BESIDE if one != language and one in words] if is_draft else []
    return Safe(own.safety[key].text, is_draft, tuple((one, words[one].safety[key].text) for one in others))


def now(words: dict[str, Words], language: str, state: State, device: str) -> Now:
    """`device` is what people call the one that is silent."""
    own = words[language]
    return Now(
        word=state.word,
        said=own.say(f"state.{state.word}", code=state.code),
        todo=own.say(f"todo.{state.word}", device=device),
        facts=(_device(own, state.device), _patient(own, state), _data(own, state)),
        watch=safe(words, language, "stored") if state.data is Data.STORED else None,
    )


def _device(own: Words, device: Device) -> Fact:
    return Fact("device", str(device), own.text["fact.device"], (own.say(f"device.{device}"),))


def _patient(own: Words, state: State) -> Fact:
    key = "patient.bed" if state.is_bed_only and state.patient is Patient.NOBODY else f"patient.{state.patient}"
    return Fact("patient", str(state.patient), own.text["fact.patient"], (own.say(key),))


def _data(own: Words, state: State) -> Fact:
    lines = [own.say(f"data.{state.data}")]
    if state.data is Data.STORED:
        if state.stored_s is not None:
            lines = [own.say("data.stored_for", time=span(own, state.stored_s))]
        if state.room_h is not None:
            lines.append(own.say("data.room", time=span(own, state.room_h * HOUR_S)))
    return Fact("data", str(state.data), own.text["fact.data"], tuple(lines))


@dataclass(frozen=True, slots=True)
class People:
    """The patient's screen. `step` is what is being done; `episode` whom it is done to, None where it is not known."""

    step: str
    session: Session
    bed: Bed | None
    is_bound: bool
    sides: tuple[Proposal, ...]  # in a conflict: who they are, each as its source says
    others: tuple[Proposal, ...]
    episode: Episode | None
    earlier: tuple[Episode, ...]
    notes: tuple[Markup, ...]


def people(own: Words, session: Session, bed: Bed | None, step: str, episode: str, now_ns: int) -> People:
    if bed is None:
        return People("", session, None, False, (), (), None, (), ())
    is_conflict = bed.status == "conflict"
    sides = tuple(one for one in _sides(bed) if one.key in bed.sides) if is_conflict else ()
    named = {one.key: one for one in (bed.episode, *bed.history)}
    return People(
        step=step,
        session=session,
        bed=bed,
        is_bound=bed.episode.method != "none",
        sides=sides,
        others=tuple(one for one in bed.proposals if one not in sides),
        episode=named.get(episode),
        earlier=tuple(one for one in bed.history if (one.correct_until_ns or 0) > now_ns),
        notes=tuple(_notes(own, bed, now_ns)),
    )


def _sides(bed: Bed) -> Sequence[Proposal]:
    """The bound patient is a side of its own; its source is how it was bound."""
    method = bed.episode.method
    if BOUND not in bed.sides or method == "none":
        return bed.proposals
    return [Proposal(BOUND, method, bed.episode.person, bed.episode.begin_ns), *bed.proposals]


def _notes(own: Words, bed: Bed, now_ns: int) -> list[Markup]:
    """What runs out, what ended and why, and a scan that was none."""

    def left(until_ns: int) -> str:
        return span(own, (until_ns - now_ns) / SECOND_NS)

    said: list[Markup] = []
    if bed.transport_until_ns is not None:
        said.append(own.say("says.under_way", time=left(bed.transport_until_ns)))
    elif bed.unplugged_until_ns is not None and bed.episode.method != "none":
        said.append(own.say("says.unplugged", time=left(bed.unplugged_until_ns)))
    elif bed.confirm_until_ns is not None:
        said.append(own.say("says.confirm_within", time=left(bed.confirm_until_ns)))
    if bed.ended:
        said.append(own.say(f"ended.{bed.ended}"))
    if bed.refused:
        said.append(own.say("says.scan_refused"))
    return said
