"""What the gateway remembers of its bed, across restarts: one small file, sealed, replaced as a whole.

Times in nanoseconds are of the monotonic clock of the boot that `boot` names; a `Moment` is (epoch, t), as in records.
"""

from __future__ import annotations

import msgspec

from agent.binding.terms import Ended, Method, Person, Source, Status
from wire.records import Association

BED_FILE = "bed.sealed"  # in the state folder
Moment = tuple[int, int]


class Rules(msgspec.Struct, frozen=True):
    """The gateway's id, the bed of the configuration, and whether "whoever lies here" may be confirmed."""

    gateway: str = ""
    bed: str = ""
    location: bool = True


class Side(msgspec.Struct):
    """What one source says: a proposal."""

    key: str
    source: Source
    detail: str
    person: Person
    since_ns: int
    is_overruled: bool = False


class Course(msgspec.Struct):
    """An episode. `part` is since when it stands as it does now: what was before was said and closed."""

    since: Moment
    part: Moment
    begin_ns: int
    bed: str
    method: Method = "none"
    status: Status = "unvalidated"
    performer: str = ""
    pseudonym: str = ""
    person: Person = Person()
    confirmed_ns: int = 0
    until: Moment | None = None
    end_ns: int | None = None
    ended: Ended = ""

    @property
    def key(self) -> str:
        return f"{self.since[0]}.{self.since[1]}"

    @property
    def is_bound(self) -> bool:
        return self.method != "none"

    def said(self, t: int, since: Moment, until: Moment | None, ended: Ended = "") -> Association:
        return Association(t, self.method, self.status, self.performer, self.pseudonym, self.bed, since, until, ended)


class Kept(msgspec.Struct):
    """All of it. `owed` was not yet durable in the spool, oldest first: it is said again until it is."""

    course: Course
    boot: bytes = b""
    alive_ns: int = 0
    utc: tuple[int, int] | None = None  # (microseconds since 1970, error) at `alive_ns`, where it was known
    bed: str = ""  # where it stands: what the configuration says, or a label that was scanned since
    configured: str = ""
    sides: list[Side] = []
    past: list[Course] = []  # newest first
    owed: list[Association] = []
    ended: Ended = ""
    had_device: bool = False  # of this episode
    quiet_ns: int | None = None  # since when no device is plugged in
    transport_ns: int | None = None  # until when
    is_held: bool = False  # under way and unplugged: nobody vouches for it until the scan on arrival
    performer: str = ""
    performer_ns: int = 0


def shift(kept: Kept, by_ns: int) -> None:
    """Move all times, so that they count on the clock of another boot."""
    for course in (kept.course, *kept.past):
        course.begin_ns += by_ns
        course.confirmed_ns += by_ns
        course.end_ns = None if course.end_ns is None else course.end_ns + by_ns
    for side in kept.sides:
        side.since_ns += by_ns
    kept.quiet_ns = None if kept.quiet_ns is None else kept.quiet_ns + by_ns
    kept.transport_ns = None if kept.transport_ns is None else kept.transport_ns + by_ns
    kept.performer_ns += by_ns
    kept.alive_ns += by_ns
