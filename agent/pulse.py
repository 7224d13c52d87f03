"""The beat of the data path: at each interval, what was heard becomes sealed envelopes. Synchronous, no I/O.

It also says what is due by time: a new data key each hour, a manifest each minute, anchors, catalogues.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from agent.clock import STEP_LIMIT_US, stepped
from agent.sessions.ward import Ward
from discipline.machine import grown
from wire.audit import Head
from wire.bundle import BUNDLE_SAMPLES_LIMIT, pack_vital, pack_wave, samples_of
from wire.envelope import Header
from wire.keys import Recipient
from wire.records import Anchor, Association, AuditHead, Block, Boot, EnvelopeGap, Record, Room
from wire.seal import Sealer
from wire.statement import Recovered
from wire.topics import Class

HOUR_NS = 3_600_000_000_000
MANIFEST_NS = 60_000_000_000
ANCHOR_NS = 900_000_000_000
LINES_NS = 10_000_000_000
ROOM_NS = 300_000_000_000
BUNDLE_GOAL_BYTES = 256 * 1024  # a larger bundle is sent in parts
SEALED_BYTES = 64  # at most, around a bundle
Envelope = tuple[Header, bytes]
T = TypeVar("T")


class Who(Protocol):
    """Whose data these are."""

    def current(self, t: int) -> Association:
        """What stands, for a reader who just came; `t` in microseconds."""
        ...

    def hear(self, now: int, records: list[Record]) -> list[Record]:
        """The records without names, and what was said of the patient since; `now` in nanoseconds."""
        ...


class Nobody:
    """Says that nobody knows."""

    def __init__(self, bed: str) -> None:
        self._bed = bed

    def current(self, t: int) -> Association:
        return Association(t, "none", "unvalidated", "", "", self._bed)

    def hear(self, now: int, records: list[Record]) -> list[Record]:
        return records


class Pulse:
    """Turns a ward into envelopes. `now` is monotonic nanoseconds; `anchor` reads the clocks."""

    def __init__(
        self,
        ward: Ward,
        sealer: Sealer,
        anchor: Callable[[], Anchor | None],
        bed: str,
        limit_bytes: int = BUNDLE_GOAL_BYTES + SEALED_BYTES,
    ) -> None:
        """`limit_bytes`: what an envelope may have at most."""
        self._ward = ward
        self._sealer = sealer
        self._read_anchor = anchor
        self.who: Who = Nobody(bed)
        self._goal_bytes = min(BUNDLE_GOAL_BYTES, limit_bytes - SEALED_BYTES)
        self._hour_at = self._manifest_at = self._anchor_at = self._lines_at = self._room_at = 0
        self._introduce = True
        self._restate = False
        self._tails: Sequence[tuple[int, int, int]] = ()
        self._recovered: Sequence[Recovered] = ()
        self._anchor: Anchor | None = None
        self._declared: list[Record] = []
        self.room: Sequence[tuple[int, int, int | None]] = ()  # (class, waiting, seconds), as known of late
        self._room_known: set[int] = set()
        self.boot = (bytes(16), 0)  # the boot's id, and its number by our own count
        self._audit: tuple[int, bytes] | None = None  # (count, hash) of the audit log
        self._audit_at = 0

    def introduce(self) -> None:
        """Say who everybody is with the next beat: a reader may just have come."""
        self._introduce = True

    def grant_to(self, recipients: Sequence[Recipient]) -> None:
        """Who may open what is sealed from the next beat on; where they are others than before it begins a new hour."""
        self._sealer.grant_to(recipients)

    def audited(self, head: Head) -> None:
        """The audit log has come to this: said with the next beat, and each hour."""
        self._audit, self._audit_at = (head.count, head.hash), 0

    def lost(self, t: int, epoch: int, cls: int, ranges: Iterable[tuple[int, int]], cause: str) -> None:
        """Declare sealed envelopes that are gone; `t` in microseconds. What explains the others is said again."""
        if epoch == self._sealer.epoch:
            self._restate = self._restate or cls == Class.KEY
            self._introduce = self._introduce or cls == Class.VITAL
        self._declared += [EnvelopeGap(t, epoch, cls, first, last, cause) for first, last in ranges]

    def ended(self, tails: Sequence[tuple[int, int, int]], recovered: Sequence[Recovered] = ()) -> list[Envelope]:
        """State where earlier epochs end in the spool, and what of them no manifest lists."""
        self._tails, self._recovered = tails, recovered
        return [self._sealer.ended(tails, recovered)] if tails else []

    def beat(self, now: int, last: bool = False) -> list[Envelope]:
        """Everything since the last beat, sealed; grants first. `last`: a manifest ends it, the key is forgotten."""
        t = now // 1000
        made: list[Envelope] = []
        if now >= self._hour_at or self._sealer.wants_hour:
            self._hour_at = now + HOUR_NS
            made.append(self._sealer.begin_hour())
            self._introduce = True
        elif self._restate:
            made.append(self._sealer.grant())
        if self._restate:
            self._restate = False
            made += self.ended(self._tails, self._recovered)
        records, blocks = self._ward.take(t)
        records = self._due(now, last) + self.who.hear(now, records)
        made += [self._sealer.seal(Class.VITAL, bundle) for bundle in self._bundles(records, pack_vital)]
        for part in _parts(blocks):
            made += [self._sealer.seal(Class.WAVE, bundle) for bundle in self._bundles(part, pack_wave)]
        if now >= self._manifest_at or last:
            self._manifest_at = now + MANIFEST_NS
            manifest = self._sealer.manifest()
            made += [manifest] if manifest else []
        if last:
            self._sealer.forget()
        return made

    def _due(self, now: int, last: bool) -> list[Record]:
        """What the time asks for, ahead of what was heard."""
        t = now // 1000
        records, self._declared = self._declared, []
        anchor = self._read_anchor()
        if anchor and (self._introduce or last or now >= self._anchor_at or self._moved(anchor)):
            self._anchor, self._anchor_at = anchor, now + ANCHOR_NS
            records.append(anchor)
        known = {cls for cls, _, seconds in self.room if seconds is not None}
        if self.room and (self._introduce or now >= self._room_at or known != self._room_known):
            self._room_at, self._room_known = now + ROOM_NS, known
            records += [Room(t, *said) for said in self.room]
        if self._introduce:
            self._introduce = False
            records.append(Boot(t, *self.boot))
            records += self._ward.catalogues(t)
            records.append(self.who.current(t))
        if self._audit and now >= self._audit_at:
            self._audit_at = now + HOUR_NS
            records.append(AuditHead(t, *self._audit))
        if now >= self._lines_at:
            self._lines_at = now + LINES_NS
            records += self._ward.lines(t)
        return records

    def _moved(self, anchor: Anchor) -> bool:
        """Whether UTC stepped, became known (or unknown), or is known twice as well as from the last anchor."""
        last = self._anchor
        if last is None or stepped(last, anchor) or (last.error is None) != (anchor.error is None):
            return True
        if last.error is None or anchor.error is None:
            return False
        known = grown(last.error, anchor.t - last.t)
        return 2 * anchor.error <= known and known > STEP_LIMIT_US

    def _bundles(self, items: Sequence[T], pack: Callable[[Sequence[T]], bytes]) -> Iterator[bytes]:
        """The items packed, halved until each part is of a good size or one item."""
        if not items:
            return
        packed = pack(items)
        if len(packed) <= self._goal_bytes or len(items) == 1:
            yield packed
            return
        middle = len(items) // 2
        yield from self._bundles(items[:middle], pack)
        yield from self._bundles(items[middle:], pack)


def _parts(blocks: Sequence[Block]) -> Iterator[Sequence[Block]]:
    """Halved until each part has no more samples than a bundle may say."""
    if len(blocks) <= 1 or samples_of(blocks) <= BUNDLE_SAMPLES_LIMIT:
        yield blocks
        return
    middle = len(blocks) // 2
    yield from _parts(blocks[:middle])
    yield from _parts(blocks[middle:])
