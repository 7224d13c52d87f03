"""What a proof says: how much of each sequence is here and proven, and what is wrong or to be known. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from wire.topics import Class


class Kind(StrEnum):
    """What may be wrong, or is to be known."""

    MISSING = "missing"  # sealed, not here, and nobody said why
    ALTERED = "altered"  # not what was sealed
    FORGED = "forged"  # a statement that the gateway did not sign
    CHAIN = "chain"  # a manifest that does not follow the one before it
    TWICE = "twice"  # two envelopes under one number, or two starts under one epoch
    CLOSED = "closed"  # does not open with the key that was given
    DAMAGED = "damaged"  # bytes of the file or spool that cannot be read
    LOST = "lost"  # declared by the gateway, with its cause
    ELSEWHERE = "elsewhere"  # not kept here, as the centre had confirmed it
    UNLISTED = "unlisted"  # here, and in no manifest yet
    LONELY = "not provable"  # listed together with what is gone
    OPEN = "open"  # nothing says where this epoch ends


WRONG = (Kind.MISSING, Kind.ALTERED, Kind.FORGED, Kind.CHAIN, Kind.TWICE, Kind.CLOSED, Kind.DAMAGED)


class Place(NamedTuple):
    """One sequence of envelopes."""

    epoch: int
    cls: Class


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about `first..last` of a sequence, both included; `why` in words."""

    kind: Kind
    place: Place
    first: int
    last: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One sequence in numbers of envelopes; `first..last` is what is known to have been sealed."""

    place: Place
    first: int
    last: int
    here: int
    proven: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """`holds`: nothing is wrong. What is only to be known is among the findings too."""

    rows: list[Row]
    findings: list[Finding]

    @property
    def holds(self) -> bool:
        return not any(finding.kind in WRONG for finding in self.findings)


_RANK = {kind: number for number, kind in enumerate((*WRONG, *(kind for kind in Kind if kind not in WRONG)))}


def cut(finding: Finding, within: Mapping[Place, tuple[int, int]]) -> Iterator[Finding]:
    """The part of a finding that lies within. Statements count wherever they are in their epoch."""
    if finding.place.cls is Class.KEY and any(place.epoch == finding.place.epoch for place in within):
        yield finding
    elif finding.place in within:
        first, last = within[finding.place]
        if finding.first <= last and finding.last >= first:
            yield replace(finding, first=max(first, finding.first), last=min(last, finding.last))


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """What is wrong first."""
    return sorted(findings, key=lambda one: (_RANK[one.kind], one.place, one.first))
