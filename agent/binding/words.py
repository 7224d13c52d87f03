"""What the bedside page and the gateway say to each other about the patient: JSON lines on a Unix socket.

`bed.sock` in the runtime folder, mode 660. Who connects is told at once how it stands (`Bed`), and again after each
change; who sends a deed gets an `Answer` with its number `n`, and then the new `Bed`. One JSON object a line, UTF-8:

    page     {"deed": "confirm", "n": 1, "proposal": "scan", "performer": "n-12"}
    gateway  {"said": "answer", "n": 1, "done": true, "why": ""}
    gateway  {"said": "bed", "bed": "bed 3", "status": "validated", ...}

`adt.sock` is another door, for `wardlink adt`: whoever comes in there can say what the hospital's system said (`Adt`),
is answered, and can do nothing else; it is never told how it stands.

Times end in `_ns`: nanoseconds of the machine's monotonic clock (`agent.clock.now()`), negative for what was before
this start of the machine. Words that people read are keys of closed lists here; the page has the sentences.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from agent.binding.terms import ADT_SOCKET, BED_SOCKET, LINE_LIMIT_BYTES, Ended, Method, Person, Source, Status

# They are said here, and stand where less is loaded.
__all__ = ["ADT_SOCKET", "BED_SOCKET", "LINE_LIMIT_BYTES", "Ended", "Method", "Person", "Source", "Status"]

PERFORMER_LIMIT_LETTERS = 48

Refusal = Literal[
    "",
    "no performer",  # a person must say who does it
    "no such proposal",  # it was withdrawn, or says something else by now
    "no identifier",  # a name alone binds nobody
    "conflict",  # sources disagree: choose, or leave unbound
    "no conflict",
    "nobody bound",
    "bound already",  # to another patient: unbind first
    "no such episode",
    "too late",  # more than 24 hours
    "not anonymous",  # late binding is for episodes without a patient; else `wrong`
    "scan on arrival",  # in transport, only a scan ends it
    "form",  # no wristband of this hospital: pattern, check digit, characters
    "words",  # not a deed that is known
    "storage",  # it could not be made durable, so it is not done
]


class Proposal(msgspec.Struct, frozen=True):
    """What one source says now. `key` names it in deeds and changes when it says something else.

    `location` without an id is "whoever lies in this bed": confirmed, it is an episode of one unknown patient, and
    stays `unvalidated`. `detail`: the device that said it, or the kind of ADT message. `is_overruled`: a person chose
    another, and it counts for no conflict until it says something else.
    """

    key: str
    source: Source
    person: Person
    since_ns: int
    detail: str = ""
    is_overruled: bool = False


class Episode(msgspec.Struct, frozen=True):
    """One patient (or nobody) from `begin_ns` to `end_ns` (None: goes on). `key` names it in deeds.

    `correct_until_ns`: until then `wrong` (where somebody is bound) or `bind_late` (where nobody is) is taken. `person`
    is empty again 24 hours after the end: only the pseudonym is kept.
    """

    key: str
    method: Method
    status: Status
    performer: str
    pseudonym: str
    person: Person
    bed: str
    begin_ns: int
    end_ns: int | None = None
    ended: Ended = ""
    correct_until_ns: int | None = None


class AdtState(msgspec.Struct, frozen=True):
    """The hospital's system: when it was heard last, and what was refused, by reason (counts)."""

    heard_ns: int | None = None
    taken: int = 0
    refused: dict[str, int] = {}


class Bed(msgspec.Struct, frozen=True, tag="bed", tag_field="said"):
    """How it stands: everything the page shows of the patient.

    `episode` is the one that goes on: it is bound where `episode.method` is not "none". `status` is its status. `sides`
    are the keys of the proposals that disagree, at least two where `status` is "conflict" (a bound patient's own side
    is the key "bound"). `ended`: why the last binding ended, for as long as nobody is bound.
    """

    bed: str
    status: Status
    episode: Episode
    proposals: list[Proposal] = []
    sides: list[str] = []
    ended: Ended = ""
    confirm_until_ns: int | None = None  # 24 hours after the last confirmation: then it ends
    transport_until_ns: int | None = None  # under way: then it ends, unless the patient's wristband is scanned
    unplugged_until_ns: int | None = None  # no device: then it ends
    performer: str = ""  # who said last who they are, or scanned a badge; forgotten after 15 minutes
    history: list[Episode] = []  # the last ones, newest first, while they can be corrected
    refused: str = ""  # why the last scan was none: "form", "site" (another hospital's), "check digit"
    refused_ns: int | None = None
    key: Literal["site", "own"] = "own"  # pseudonyms are the site's, or only this gateway's (nobody can link them)
    adt: AdtState | None = None  # None: not configured


class Answer(msgspec.Struct, frozen=True, tag="answer", tag_field="said"):
    n: int
    done: bool
    why: Refusal = ""


class Deed(msgspec.Struct, frozen=True, tag_field="deed", forbid_unknown_fields=True):
    """What a person does. `n` comes back in the answer."""

    n: int


class Confirm(Deed, frozen=True, tag="confirm"):
    """It is this patient: binds, or confirms again for another 24 hours who is bound. Refused in a conflict."""

    proposal: str  # a key; "bound" for who is bound
    performer: str


class Choose(Deed, frozen=True, tag="choose"):
    """In a conflict: it is this one. The others are overruled until they say something else."""

    proposal: str
    performer: str


class Unbind(Deed, frozen=True, tag="unbind"):
    """Nobody is bound from now on; in a conflict: leave it unbound."""

    performer: str


class Wrong(Deed, frozen=True, tag="wrong"):
    """That was not this patient, from begin to end (or now). `proposal`: who it was instead, "" if not known."""

    episode: str
    performer: str
    proposal: str = ""


class BindLate(Deed, frozen=True, tag="bind_late"):
    """Within 24 hours: who an episode without a patient was of."""

    episode: str
    proposal: str
    performer: str


class Transport(Deed, frozen=True, tag="transport"):
    """The patient is moved with this gateway: the binding is kept for 60 minutes, and a scan ends it."""

    performer: str


class Performer(Deed, frozen=True, tag="performer"):
    """Who stands here, for what is done by scans alone. "" forgets."""

    performer: str


class Typed(Deed, frozen=True, tag="typed"):
    """A patient's number (name, birth date) that a person typed: a proposal of `location`, to be confirmed."""

    id: str
    name: str = ""
    born: str = ""


class Scanned(Deed, frozen=True, tag="scanned"):
    """A code that a reader typed into the page, or its camera saw: judged as the scan of a reader at a port."""

    code: str


class Dismiss(Deed, frozen=True, tag="dismiss"):
    """Take a proposal of `scan` or `location` away."""

    proposal: str


class Adt(Deed, frozen=True, tag="adt"):
    """What the hospital's system said for this bed; only at `adt.sock`.

    `trigger`: A01, A02, A03, A08, A11, A40. `person` is who it is about; `former`: with A40, the number that is no
    more. `was_here`: with A02, the patient leaves this bed (else comes to it). `refused`: instead of all, why a message
    was not taken, to be counted and audited; `peer` is who sent it.
    """

    trigger: str = ""
    person: Person = Person()
    former: str = ""
    was_here: bool = False
    refused: str = ""
    peer: str = ""


Said = Confirm | Choose | Unbind | Wrong | BindLate | Transport | Performer | Typed | Scanned | Dismiss
Told = Bed | Answer
