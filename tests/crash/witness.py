"""What a spool said, kept outside of it, and the judgement over its folder when it is opened again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from agent.spool import Accepted, Cause, Damage, Lost, Spool, Stored

Name = tuple[int, int, int]  # (class, epoch, seq)
Body = Callable[[int, int, int], bytes]  # what was appended under that name


class Witness:
    """Sets of names. `held`: the centre has them; `declared`: a statement about their loss was durable.

    `made`: (class, epoch) -> the number after the last one that was ever handed in.
    """

    def __init__(self) -> None:
        self.made: dict[tuple[int, int], int] = {}
        self.accepted: set[Name] = set()
        self.evicted: set[Name] = set()
        self.held: set[Name] = set()
        self.declared: set[Name] = set()
        self.epochs: list[int] = []

    @property
    def gone(self) -> set[Name]:
        """What need not be there any more, and was said so."""
        return self.evicted | self.held | self.declared

    def note(self, accepted: Iterable[Accepted], evicted: Iterable[Lost]) -> None:
        for cls, epoch, first, last in accepted:
            self.accepted |= names(cls, epoch, first, last)
        for lost in evicted:
            self.evicted |= names(lost.cls, lost.epoch, lost.first, lost.last)

    def opened(self, epoch: int) -> None:
        self.epochs.append(epoch)

    def copy(self) -> Witness:
        other = Witness()
        for name, value in vars(self).items():
            setattr(other, name, value.copy())
        return other


@dataclass
class Judgement:
    """`problems` must be empty. The sets are of what was accepted and is not there any more."""

    problems: list[str] = field(default_factory=list)
    there: dict[Name, bytes] = field(default_factory=dict)
    evicted: set[Name] = field(default_factory=set)  # a statement is owed: it was overwritten
    damaged: set[Name] = field(default_factory=set)  # told: it cannot be read
    named: set[Name] = field(default_factory=set)  # those of them that a statement is owed for
    silent: set[Name] = field(default_factory=set)  # nobody said so


def names(cls: int, epoch: int, first: int, last: int) -> set[Name]:
    return {(cls, epoch, seq) for seq in range(first, last + 1)}


def told(damage: Iterable[Damage], name: Name) -> bool:
    """Whether this loss was reported, by its name or as a place that nobody can name."""
    cls, epoch, seq = name
    return any(
        d.cls == cls
        and (d.epoch is None or (d.epoch == epoch and d.first is not None and d.last is not None))
        and (d.epoch is None or d.first <= seq <= d.last)
        for d in damage
    )


def judge(spool: Spool, witness: Witness, body: Body) -> Judgement:
    """A spool just opened again, without faults, against what was said before: right, once, offered; or named."""
    out = Judgement()
    if witness.epochs != sorted(set(witness.epochs)):
        out.problems.append(f"an epoch was given twice: {witness.epochs}")
    frames: list[Stored] = []
    spool.export(frames.append)
    out.problems += spool.check()  # after everything was read once: damage inside a finished segment shows then
    out.there = {name_of(stored): stored.data for stored in frames}
    _say(out, "is there twice", sorted(set(map(name_of, frames))) if len(frames) > len(out.there) else ())
    _say(out, "is not what was appended", (name for name, data in out.there.items() if data != body(*name)))
    owed: dict[Cause, set[Name]] = {cause: set() for cause in Cause}
    for lost in spool.undeclared():
        owed[lost.cause] |= names(lost.cls, lost.epoch, lost.first, lost.last)
    missing = witness.accepted - out.there.keys() - witness.held - witness.declared
    out.evicted = missing & owed[Cause.EVICTED]
    missing -= out.evicted | witness.evicted
    out.named = missing & owed[Cause.DAMAGED]
    out.damaged = out.named | {name for name in missing if told(spool.damage, name)}
    out.silent = missing - out.damaged
    _say(out, "was accepted, is not there, is not told", out.silent)
    stated = set().union(*owed.values())
    _say(out, "is owed a statement of loss, and is there", stated & out.there.keys())
    _say(out, "is owed a statement of loss, and never was", (n for n in stated if n[2] >= witness.made.get(n[:2], 0)))
    backlog = set(map(name_of, spool.backlog(1 << 40, lambda *_: False)))
    _say(out, "would be sent, and is not there", backlog - out.there.keys())
    _say(out, "is there, and would never be sent", out.there.keys() - backlog - witness.held)
    return out


def goes_on(spool: Spool, body: Body) -> list[str]:
    """Whether it still takes one more, and gives it back."""
    name = (1, spool.epoch, 0)
    spool.append(Stored(1, spool.epoch, 0, 0, body(*name)))
    accepted = spool.commit().accepted
    read = [stored.data for stored in spool.read(1, spool.epoch, 0, 0)]
    return [] if accepted == [Accepted(1, spool.epoch, 0, 0)] and read == [body(*name)] else ["it does not go on"]


def name_of(stored: Stored) -> Name:
    return stored.cls, stored.epoch, stored.seq


def _say(out: Judgement, what: str, about: Iterable[Name]) -> None:
    listed = sorted(about)
    if listed:
        some = ", ".join("/".join(map(str, name)) for name in listed[:5])
        out.problems.append(f"{len(listed)} frames (class/epoch/seq {some}): {what}")
