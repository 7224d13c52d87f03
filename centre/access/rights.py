"""Who may ask for what: a pure function of role, sites and path. What is not named here is for doctors alone.

| | doctor | nurse | engineer |
|---|---|---|---|
| list of beds, pages, interface descriptions | yes | yes | yes, without pseudonyms |
| readings, waves, history, alarms, live | yes | yes | no |
| exports, prints | yes | no | no |
| ledger, streams, device, pace, commands, audit logs of gateways, counters | yes | no | yes |
"""

from __future__ import annotations

import re
from enum import Enum

from centre.access.people import Person


class Kind(Enum):
    """What a path gives away."""

    OPEN = "open"  # nothing: how to come in, looks of the pages, whether we live
    LIST = "list"
    CLINICAL = "clinical"
    TECHNICAL = "technical"
    BULK = "bulk"


_OPEN = re.compile(r"/(login|logout|healthz|static/[a-z0-9_./-]+|oidc/(start|back))")
_LIST = re.compile(r"/(|waves|beds/[a-z0-9-]{1,24}(/ecg12)?|api/beds|openapi\.json|asyncapi\.yaml)")
_OF_A_BED = re.compile(r"/api/beds/([a-z0-9-]{1,24})/([a-z-]+)(/.*)?")
_CLINICAL = frozenset({"samples", "history", "ecg", "numerics", "notices", "live", "patient", "envelope"})
_BOTH = frozenset({"streams"})
_TECHNICAL = frozenset({"ledger", "device", "pace", "commands", "audit"})
_MAY = {
    "doctor": frozenset(Kind),
    "nurse": frozenset({Kind.OPEN, Kind.LIST, Kind.CLINICAL}),
    "engineer": frozenset({Kind.OPEN, Kind.LIST, Kind.TECHNICAL}),
}


def kind_of(path: str, role: str = "doctor") -> Kind:
    """What is asked for. A word that two roles need for their own reasons counts as theirs."""
    if _OPEN.fullmatch(path) and ".." not in path:
        return Kind.OPEN
    if _LIST.fullmatch(path):
        return Kind.LIST
    if path == "/metrics":
        return Kind.TECHNICAL
    found = _OF_A_BED.fullmatch(path)
    word = found[2] if found else ""
    if word in _CLINICAL:
        return Kind.CLINICAL
    if word in _BOTH:
        return Kind.TECHNICAL if role == "engineer" else Kind.CLINICAL
    return Kind.TECHNICAL if word in _TECHNICAL else Kind.BULK


def bed_of(path: str) -> str | None:
    """The gateway whose bed a path is about."""
    found = re.match(r"/(?:api/)?beds/([a-z0-9-]{1,24})(?:/|$)", path)
    return found[1] if found else None


def may(person: Person, path: str) -> bool:
    """By role; whose beds, `at` says."""
    return kind_of(path, person.role) in _MAY[person.role]


def at(person: Person, site: str) -> bool:
    """Whether the beds of a site are theirs."""
    return not person.sites or site in person.sites


def sees_patients(person: Person) -> bool:
    return Kind.CLINICAL in _MAY[person.role]
