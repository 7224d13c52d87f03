"""The last minute of an epoch that was cut off, signed for by the next one: a recovery manifest (docs/formats.md 4).

A manifest comes each minute, so what a power cut leaves behind the last one nobody has signed a list of. The next start
hashes what lies there. Bounded: it reads a few statements and the tail, whatever the spool holds.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace

from agent.spool.spool import Spool
from agent.spool.terms import StorageError, Stored
from wire import statement
from wire.envelope import EnvelopeError
from wire.statement import Grant, Manifest, Recovered, Sealed
from wire.topics import Class

STATEMENTS_LIMIT_COUNT = 64  # as many are looked at, back from the last
TAIL_LIMIT_COUNT = 4096
TAIL_LIMIT_BYTES = 16 << 20
RUNS_LIMIT_COUNT = 64
log = logging.getLogger("wardlink.spool")


def last_minutes(spool: Spool, gateway: str) -> list[Recovered]:
    """Of the epochs that nobody has signed an end of; mostly one. Nothing where the disk refuses."""
    tails = spool.tails()
    out: list[Recovered] = []
    try:
        for epoch in sorted({epoch for epoch, _ in tails}, reverse=True):
            found = _recovered(spool, gateway, epoch, tails)
            out += [found] if found.sealed else []
            if tails.get((epoch, Class.KEY), 0):  # it began with a word on those before it
                break
    except StorageError as error:
        log.warning("the last minute is not signed for why=%r", str(error))
        return []
    return out


def _recovered(spool: Spool, gateway: str, epoch: int, tails: dict[tuple[int, int], int]) -> Recovered:
    previous, listed = _last_manifest(spool, gateway, epoch, tails.get((epoch, Class.KEY), 0))
    sealed: list[Sealed] = []
    for cls in (Class.VITAL, Class.WAVE):
        following = tails.get((epoch, cls), 0)
        first = max(listed.get(cls, 0), following - TAIL_LIMIT_COUNT, 0)
        sealed += list(_listed(_tail(spool, cls, epoch, first, following)))
    return Recovered(epoch, previous, sealed[:RUNS_LIMIT_COUNT])


def _last_manifest(spool: Spool, gateway: str, epoch: int, following: int) -> tuple[bytes, dict[int, int]]:
    """SHA-256 of the last manifest, and by class the number after the last that a manifest lists.

    A class of which the last ones say nothing was listed long ago: of that, the tail is signed for once more.
    """
    previous, listed = b"", dict[int, int]()
    for stored in reversed(list(_tail(spool, Class.KEY, epoch, max(0, following - STATEMENTS_LIMIT_COUNT), following))):
        try:
            said = statement.read(gateway, stored.data)[1]
        except EnvelopeError:  # damaged before it was stored: it proves nothing
            continue
        if isinstance(said, Grant):  # it names the last manifest too
            previous = previous or said.previous
        elif isinstance(said, Manifest):
            previous = previous or hashlib.sha256(stored.data).digest()
            for one in said.sealed:
                listed[one.cls] = max(listed.get(one.cls, 0), one.first + one.count)
    return previous or bytes(32), listed


def _tail(spool: Spool, cls: int, epoch: int, first: int, following: int) -> Iterator[Stored]:
    """What can be read of `first` to `following`, as much as is bounded, a part at a time."""
    room = TAIL_LIMIT_BYTES
    while room > 0 and first < following and (some := spool.read(cls, epoch, first, following - 1)):
        yield from some
        room -= sum(len(stored.data) for stored in some)
        first = some[-1].seq + 1


def _listed(tail: Iterable[Stored]) -> Iterator[Sealed]:
    """A digest for each run of numbers without a hole; holds hashes, not envelopes."""
    runs: list[tuple[Stored, list[bytes]]] = []
    for stored in tail:
        if not runs or runs[-1][0].seq + len(runs[-1][1]) != stored.seq:
            runs.append((replace(stored, data=b""), []))
        runs[-1][1].append(hashlib.sha256(stored.data).digest())
    for first, leaves in runs:
        yield Sealed(first.cls, first.seq, len(leaves), hashlib.sha256(b"".join(leaves)).digest())
