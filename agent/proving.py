"""What `wardlink verify` is given: a spool's folder, or an exported file, as evidence. Reads only."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.spool.salvage import Salvage
from wire import bundle, codec, export
from wire.bundle import BundleError
from wire.codec import CodecError
from wire.envelope import EnvelopeError, Header
from wire.keys import RecipientSecret
from wire.proof import Evidence
from wire.records import Anchor, EnvelopeGap, Record
from wire.seal import NoGrantError, Opener
from wire.topics import Class
from wire.verdict import Kind, Place

NOWHERE = Place(0, Class.KEY)  # epochs are numbered from 1
Item = export.Head | tuple[Header, bytes] | export.End | export.Fault


class NoEvidenceError(Exception):
    """Nothing here tells whose data it is, or it cannot be read at all."""


@dataclass(slots=True)
class Times:
    """What opened envelopes say of time: `t` of each, and the anchors of each epoch. Microseconds."""

    spans: dict[Place, dict[int, int]] = field(default_factory=dict)
    anchors: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def within(self, since: int, until: int) -> dict[Place, tuple[int, int]]:
        """Of each sequence the first and last number from `since` to `until` (UTC); without an anchor none."""
        out: dict[Place, tuple[int, int]] = {}
        for place, spans in self.spans.items():
            said = sorted(self.anchors.get(place.epoch, ()))
            numbers = [seq for seq, t in spans.items() if said and since <= _utc(said, t) < until]
            if numbers:
                out[place] = min(numbers), max(numbers)
        return out


def _utc(anchors: Sequence[tuple[int, int]], t: int) -> int:
    """By the nearest anchor."""
    at = bisect_left(anchors, (t, 0))
    near = min(anchors[max(0, at - 1) : at + 1], key=lambda one: abs(one[0] - t))
    return near[1] + t - near[0]


class Witness:
    """Takes envelopes of one gateway, class key first, and opens them where it was given a key."""

    def __init__(self, gateway: str, secrets: Sequence[RecipientSecret]) -> None:
        self.gateway = gateway
        self.evidence = Evidence(gateway)
        self.times = Times()
        self.opened = 0
        self._opener = Opener(gateway, secrets) if secrets else None

    def take(self, data: bytes, stored_as: Place | None = None, seq: int = 0) -> None:
        """One envelope; `stored_as` and `seq`: where it was found."""
        try:
            header = self.evidence.envelope(data)
        except EnvelopeError as error:
            self.evidence.find(Kind.DAMAGED, stored_as or Place(0, Class.KEY), seq, str(error))
            return
        place = Place(header.epoch, header.cls)
        if stored_as is not None and (stored_as, seq) != (place, header.seq):
            why = f"in its place lies epoch {header.epoch} {header.cls.word} {header.seq}"
            self.evidence.find(Kind.ALTERED, stored_as, seq, why)
        if self._opener is None:
            return
        if header.cls is Class.KEY:
            self._learn(data)
        else:
            self._open(self._opener, header, data)

    def _learn(self, data: bytes) -> None:
        assert self._opener is not None
        try:
            self._opener.statement(data)
        except EnvelopeError:  # forged, which the evidence says, or for others, which shows when nothing opens
            return

    def _open(self, opener: Opener, header: Header, data: bytes) -> None:
        place = Place(header.epoch, header.cls)
        try:
            plain = opener.open(data)[1]
            self._read(place, header.seq, plain)
            self.opened += 1
        except NoGrantError:
            self.evidence.find(Kind.CLOSED, place, header.seq, "no grant for this key")
        except EnvelopeError as error:
            self.evidence.find(Kind.ALTERED, place, header.seq, str(error))
        except (BundleError, CodecError) as error:
            self.evidence.find(Kind.DAMAGED, place, header.seq, f"it opens, and means nothing: {error}")

    def _read(self, place: Place, seq: int, plain: bytes) -> None:
        if place.cls is Class.WAVE:
            blocks = bundle.read_wave(plain)
            for block in blocks:
                codec.decode(block.coded, block.rows, block.count)
            self._at(place, seq, (block.t for block in blocks))
            return
        records = bundle.read_vital(plain)
        self._at(place, seq, (record.t for record in records))
        for record in records:
            self._heed(place.epoch, record)

    def _at(self, place: Place, seq: int, times: Iterable[int]) -> None:
        first = min(times, default=None)
        if first is not None:
            self.times.spans.setdefault(place, {})[seq] = first

    def _heed(self, epoch: int, record: Record) -> None:
        if isinstance(record, EnvelopeGap):
            place = Place(record.epoch, Class(record.cls))
            self.evidence.lose(place, record.first, record.last, record.cause)
        elif isinstance(record, Anchor):
            self.times.anchors.setdefault(epoch, []).append((record.t, record.utc))


def of_spool(folder: Path, secrets: Sequence[RecipientSecret]) -> Witness:
    """A spool's folder, also while its daemon runs. OSError, SpoolError: it cannot be read at all."""
    salvage = Salvage(folder, unheld=False)
    gateway, _ = salvage.proof()
    if not gateway:
        raise NoEvidenceError(f"no statement in {folder} can be read, so nothing tells whose it is")
    witness = Witness(gateway, secrets)
    for stored in salvage.frames():
        witness.take(stored.data, Place(stored.epoch, Class(stored.cls)), stored.seq)
    for lost in salvage.lost():
        witness.evidence.lose(Place(lost.epoch, Class(lost.cls)), lost.first, lost.last, lost.cause)
    for (cls, epoch), ranges in salvage.confirmed().items():
        witness.evidence.keep_elsewhere(Place(epoch, Class(cls)), ranges)
    _unread(witness, salvage.missing(), salvage.unnamed)
    return witness


def of_export(path: Path, secrets: Sequence[RecipientSecret]) -> Witness:
    """A file of `wardlink spool export`."""
    with path.open("rb") as file:
        items = export.read(file, lenient=True)
        head = next((item for item in items if isinstance(item, export.Head)), None)
        if head is None:
            raise NoEvidenceError(f"{path} is no file of `wardlink spool export`")
        witness = Witness(head.gateway, secrets)
        end = _take_all(witness, items)
    if end is None:
        witness.evidence.find(Kind.DAMAGED, NOWHERE, 0, "the file has no end: it was cut")
    else:
        _unread(witness, end.missing, end.unnamed)
    if head.unheld:
        witness.evidence.excuse()
    return witness


def _unread(witness: Witness, missing: Iterable[tuple[int, int, int, int]], unnamed: int) -> None:
    """What was in the spool and cannot be read."""
    for cls, epoch, first, last in missing:
        witness.evidence.find(Kind.DAMAGED, Place(epoch, Class(cls)), first, "cannot be read", last)
    if unnamed:
        witness.evidence.find(
            Kind.DAMAGED, NOWHERE, 0, f"{unnamed} places cannot be read, and nothing tells what they were"
        )


def _take_all(witness: Witness, items: Iterable[Item]) -> export.End | None:
    end = None
    for item in items:
        if isinstance(item, tuple):
            witness.take(item[1])
        elif isinstance(item, export.Fault):
            witness.evidence.find(Kind.DAMAGED, NOWHERE, 0, item.why)
        elif isinstance(item, export.End):
            end = item
    return end
