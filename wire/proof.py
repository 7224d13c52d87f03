"""Whether what is here of a gateway is complete and untouched, by its own signatures (docs/formats.md 4). Pure.

Given in any order: statements whole, of other envelopes the SHA-256; judged at the end. A manifest proves each envelope
that it lists; behind the last one nothing is listed yet. What nobody signed for is said, not guessed.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from wire import statement
from wire.envelope import EnvelopeError, Header, header_of
from wire.ranges import Ranges
from wire.statement import Ended, Grant, Manifest, Sealed
from wire.topics import Class
from wire.verdict import Finding, Kind, Place, Row, Verdict, cut, in_order

SEQ_LAST = (1 << 32) - 1
_KEPT = (Class.VITAL, Class.WAVE)
_CONFIRMED = "the centre had confirmed them, so they need not be here"
_UNSAID = "they were sealed, are not here, and nothing here says why"
_AFTER = "sealed after what the disk kept, and lost with the power"
_UNSIGNED = "sealed after the last manifest: not listed yet"
_WITH_GONE = "listed in one manifest with what is gone"


@dataclass(slots=True)
class _Known:
    """Of one sequence: digests by number, what is explained, what is wrong, and how far it goes."""

    leaves: dict[int, bytes] = field(default_factory=dict)
    lost: list[tuple[int, int, str]] = field(default_factory=list)
    elsewhere: Ranges = field(default_factory=Ranges)
    bad: Ranges = field(default_factory=Ranges)  # here, and named one by one already
    unread: Ranges = field(default_factory=Ranges)  # not here, and named already
    following: int = 0
    is_ended: bool = False


class Evidence:
    """Collects what is here of one gateway, and judges it."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._known: defaultdict[Place, _Known] = defaultdict(_Known)
        self._listed: list[tuple[Place, Sealed]] = []
        self._manifests: dict[int, dict[int, tuple[bytes, bytes]]] = {}  # epoch, seq: digest, previous
        self._follows: list[tuple[Place, int, bytes]] = []  # grants and recoveries: which manifest was the last
        self._nonces: dict[int, bytes] = {}
        self._findings: list[Finding] = []
        self._is_part = False

    def find(self, kind: Kind, place: Place, first: int, why: str = "", last: int | None = None) -> None:
        """Something that the source knows, of one number or several."""
        end = first if last is None else last
        self._findings.append(Finding(kind, place, first, end, why))
        if kind in (Kind.ALTERED, Kind.FORGED):
            self._known[place].bad.add(first, end)
        elif kind is Kind.DAMAGED and place.epoch:
            self._known[place].unread.add(first, end)

    def lose(self, place: Place, first: int, last: int, cause: str) -> None:
        """The gateway declared these lost."""
        self._known[place].lost.append((first, last, cause))

    def keep_elsewhere(self, place: Place, ranges: Iterable[tuple[int, int]]) -> None:
        """These need not be here: the centre confirmed them."""
        for first, last in ranges:
            self._known[place].elsewhere.add(first, last)

    def excuse(self) -> None:
        """What is missing may be elsewhere, all of it."""
        self._is_part = True

    def leaf(self, place: Place, seq: int, digest: bytes) -> bool:
        """An envelope is here, and this is its SHA-256; False where one of this number was here before."""
        known = self._known[place]
        known.following = max(known.following, seq + 1)
        before = known.leaves.get(seq)
        if before is None:
            known.leaves[seq] = digest
        elif before != digest:
            self.find(Kind.TWICE, place, seq, "two different envelopes under one number")
        return before is None

    def envelope(self, data: bytes) -> Header:
        """Any envelope. Raises EnvelopeError where it is none."""
        header = header_of(data)
        place = Place(header.epoch, header.cls)
        if self.leaf(place, header.seq, hashlib.sha256(data).digest()) and header.cls is Class.KEY:
            self._statement(place, header.seq, data)
        return header

    def _statement(self, place: Place, seq: int, data: bytes) -> None:
        try:
            said = statement.read(self._gateway, data)[1]
        except EnvelopeError as error:
            self.find(Kind.FORGED, place, seq, str(error))
            return
        if isinstance(said, Grant):
            self._follows.append((place, seq, said.previous))
            if self._nonces.setdefault(place.epoch, said.nonce) != said.nonce:
                self.find(Kind.TWICE, place, seq, "two starts of the gateway under one epoch: a card put back?")
        elif isinstance(said, Manifest):
            self._manifests.setdefault(place.epoch, {})[seq] = hashlib.sha256(data).digest(), said.previous
            self._list(place, seq, place.epoch, said.sealed)
        else:
            self._ended(place, seq, said)

    def _ended(self, place: Place, seq: int, said: Ended) -> None:
        for epoch, cls, following in said.tails:
            known = self._known[Place(epoch, Class(cls))]
            known.following, known.is_ended = max(known.following, following), True
            known.lost.append((following, SEQ_LAST, _AFTER))
        for one in said.recovered:
            self._follows.append((Place(one.epoch, Class.KEY), SEQ_LAST, one.previous))
            self._list(place, seq, one.epoch, one.sealed)

    def _list(self, place: Place, seq: int, epoch: int, sealed: Iterable[Sealed]) -> None:
        for one in sealed:
            if one.cls not in _KEPT or one.first < 0 or one.count < 1:
                self.find(Kind.FORGED, place, seq, "it lists what cannot be")
                continue
            listed = Place(epoch, Class(one.cls))
            known = self._known[listed]
            known.following = max(known.following, one.first + one.count)
            self._listed.append((listed, one))

    def places(self) -> list[Place]:
        """The sequences of which anything is known to have been sealed."""
        return [place for place, known in self._known.items() if known.following]

    def judge(self, within: Mapping[Place, tuple[int, int]] | None = None) -> Verdict:
        """`within`: of each sequence only these numbers, both included, and of others nothing; None: everything."""
        findings = [*self._findings, *self._chain()]
        rows = []
        for place in sorted(self.places()):
            row, found = self._sequence(place)
            rows.append(row)
            findings += found
        if within is not None:
            findings = [part for one in findings for part in cut(one, within)]
            rows = [self._sequence(place, bounds)[0] for place, bounds in sorted(within.items())]
        return Verdict(rows, in_order(findings))

    def _sequence(self, place: Place, bounds: tuple[int, int] = (0, SEQ_LAST)) -> tuple[Row, list[Finding]]:
        known = self._known[place]
        first, last = bounds[0], min(bounds[1], known.following - 1)
        here = _runs(seq for seq in known.leaves if first <= seq <= last)
        found = list(self._absent(place, _runs(known.leaves)))
        proven = Ranges()
        if place.cls is not Class.KEY:
            proven = self._prove(place, found)
        else:  # each proves itself
            for start, end in here:
                for a, b in known.bad.missing(start, end):
                    proven.add(a, b)
        if not known.is_ended and place.cls is Class.KEY:
            end = known.following
            found.append(Finding(Kind.OPEN, place, end, end, "no later start says where this epoch ends"))
        count = sum(b - a + 1 for run in here for a, b in _both(proven, *run))
        return Row(place, first, last, len(here), count), found

    def _absent(self, place: Place, here: Ranges) -> Iterator[Finding]:
        known = self._known[place]
        left = here.missing(0, known.following - 1)
        for first, last, cause in known.lost:
            gone = [part for run in left for part in _both(Ranges([(first, last)]), *run)]
            yield from (Finding(Kind.LOST, place, a, b, cause) for a, b in gone)
            left = [part for run in left for part in Ranges(gone).missing(*run)]
        left = [part for run in left for part in known.unread.missing(*run)]
        elsewhere = Ranges(left) if self._is_part else known.elsewhere
        for run in left:
            yield from (Finding(Kind.ELSEWHERE, place, a, b, _CONFIRMED) for a, b in _both(elsewhere, *run))
            yield from (Finding(Kind.MISSING, place, a, b, _UNSAID) for a, b in elsewhere.missing(*run))

    def _prove(self, place: Place, found: list[Finding]) -> Ranges:
        """What the manifests prove of a sequence; what they refute goes to `found`."""
        known, proven, listed, lonely = self._known[place], Ranges(), Ranges(), Ranges()
        for _, one in (pair for pair in self._listed if pair[0] == place):
            first, last = one.first, one.first + one.count - 1
            listed.add(first, last)
            leaves = [known.leaves[seq] for seq in range(first, last + 1) if seq in known.leaves]
            if len(leaves) < one.count:
                lonely.add(first, last)
            elif hashlib.sha256(b"".join(leaves)).digest() == one.digest:
                proven.add(first, last)
            elif not _both(known.bad, first, last):
                found.append(Finding(Kind.ALTERED, place, first, last, "at least one is not what the manifest lists"))
        for first, last in _runs(known.leaves):
            found += [Finding(Kind.UNLISTED, place, a, b, _UNSIGNED) for a, b in listed.missing(first, last)]
            for a, b in _both(lonely, first, last):
                found += [Finding(Kind.LONELY, place, c, d, _WITH_GONE) for c, d in proven.missing(a, b)]
        return proven

    def _chain(self) -> Iterator[Finding]:
        """Each manifest names the one before it; so do grants, and the recovery of a tail."""
        for epoch, manifests in sorted(self._manifests.items()):
            place = Place(epoch, Class.KEY)
            statements = self._genuine(place)
            before, at = bytes(32), -1
            for seq, (digest, previous) in sorted(manifests.items()):
                if previous != before and statements.covers(at + 1, seq):
                    yield Finding(Kind.CHAIN, place, seq, seq, "it does not follow the manifest before it")
                before, at = digest, seq
        for place, seq, previous in self._follows:
            statements = self._genuine(place)
            earlier = [(n, digest) for n, (digest, _) in self._manifests.get(place.epoch, {}).items() if n < seq]
            at, last = max(earlier, default=(-1, bytes(32)))
            until = min(seq, self._known[place].following - 1)
            if last != previous and (until <= at or statements.covers(at + 1, until)):
                yield Finding(Kind.CHAIN, place, until, until, "it names another manifest as the last before it")

    def _genuine(self, place: Place) -> Ranges:
        """Statements that are here, and that the gateway signed."""
        known = self._known[place]
        return _runs(seq for seq in known.leaves if seq not in known.bad)


def _both(ranges: Ranges, first: int, last: int) -> list[tuple[int, int]]:
    """The parts of `first..last` that are in `ranges`."""
    return [(max(a, first), min(b, last)) for a, b in ranges if a <= last and b >= first]


def _runs(numbers: Iterable[int]) -> Ranges:
    return Ranges((number, number) for number in sorted(numbers))
