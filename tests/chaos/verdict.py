"""Was everything stored, once, as it was sealed, and does everybody know? Asked of what is on the disks at the end.

Three accounts are compared for each gateway: what the maker wrote down (and every manifest a gateway signed), what
lies in the spool, and what the centre's store has.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agent.spool import Limits, Spool, read_folder
from tests.chaos.backlog import MADE_FILE, QUOTAS, Name, recorded
from wire import codec, statement
from wire.receipt import Receipt
from wire.statement import Manifest
from wire.topics import Class

NAMED_LIMIT_COUNT = 20

Digests = dict[Name, bytes]


@dataclass(slots=True)
class Verdict:
    """Each list holds sentences that name what is wrong; all are empty where all is well."""

    made: int = 0  # envelopes of the backlogs
    sealed: int = 0  # all, live ones included
    stored: int = 0
    manifests: int = 0
    samples: int = 0  # that the live devices said
    unspooled: int = 0  # stored by the centre, lost by a gateway that was killed before its disk answered
    held_last: int = 0  # held only by the receipt that lay at the broker when the gateways had ended
    missing: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)
    unheld: list[str] = field(default_factory=list)
    unheard: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> dict[str, list[str]]:
        words = ("missing", "altered", "double", "invented", "unproven", "unheld", "unheard", "crashed")
        return {word: getattr(self, word) for word in words if getattr(self, word)}


@dataclass(frozen=True, slots=True)
class Witness:
    """One gateway, ended: its folder, what its device said, and the last receipt for it."""

    gateway: str
    state: Path
    port: str
    said: list[int]
    receipt: Receipt


def judge(store: Path, witnesses: list[Witness]) -> Verdict:
    """Reads everything once; the spools are opened as at a next start and told their last receipt."""
    verdict = Verdict()
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        for witness in witnesses:
            number = db.execute("SELECT gw FROM gateway WHERE gateway = ?", (witness.gateway,)).fetchone()[0]
            made = dict(recorded(witness.state)) if (witness.state / MADE_FILE).exists() else {}
            stored = _stored(db, number)
            verdict.made += len(made)
            verdict.stored += len(stored)
            _compare(verdict, witness.gateway, made, _spooled(witness.state), stored)
            _count(verdict, db, number, witness.gateway, stored)
            _prove(verdict, db, number, witness.gateway, stored)
            _listen(verdict, db, number, witness)
            _settle(verdict, witness)
    return verdict


def _stored(db: sqlite3.Connection, number: int) -> Digests:
    rows = db.execute("SELECT epoch, cls, seq, digest FROM envelope WHERE gw = ?", (number,))
    return {(epoch, cls, seq): digest for epoch, cls, seq, digest in rows}


def _spooled(state: Path) -> Digests:
    found = read_folder(state / "spool")
    return {(one.epoch, one.cls, one.seq): hashlib.sha256(one.data).digest() for one in found}


def _compare(verdict: Verdict, gateway: str, made: Digests, spooled: Digests, stored: Digests) -> None:
    verdict.sealed += len(made.keys() | spooled.keys())
    for truth in (made, spooled):
        for name, digest in truth.items():
            if name not in stored:
                verdict.missing.append(_named(gateway, name))
            elif stored[name] != digest:
                verdict.altered.append(_named(gateway, name))
    live_from = max((epoch for epoch, _, _ in made), default=0)
    for name in stored.keys() - made.keys() - spooled.keys():
        if name[0] > live_from:
            verdict.unspooled += 1
        else:
            verdict.invented.append(_named(gateway, name))


def _count(verdict: Verdict, db: sqlite3.Connection, number: int, gateway: str, stored: Digests) -> None:
    """The store's key forbids a second row for one envelope; what an envelope carried must be there once too."""
    if len(set(stored.values())) != len(stored):
        verdict.double.append(f"{gateway}: one content under two numbers")
    runs = "SELECT epoch, seq, count(*) FROM block WHERE gw = ? GROUP BY epoch, stream, first HAVING count(*) > 1"
    for epoch, seq, count in db.execute(runs, (number,)):
        verdict.double.append(f"{_named(gateway, (epoch, int(Class.WAVE), seq))} samples {count} times")
    for table, cls in (("block", Class.WAVE), ("statement", Class.KEY)):
        asked = f"SELECT epoch, seq FROM {table} WHERE gw = ?"
        carried = set(db.execute(asked, (number,)))
        for name in stored:
            if name[1] == cls and (name[0], name[2]) not in carried:
                verdict.missing.append(f"{_named(gateway, name)} what it carried")


def _prove(verdict: Verdict, db: sqlite3.Connection, number: int, gateway: str, stored: Digests) -> None:
    """What a manifest lists is here and is what was sealed."""
    asked = "SELECT epoch, data FROM statement WHERE gw = ? AND NOT grants"
    for epoch, data in db.execute(asked, (number,)):
        _, said = statement.read(gateway, data)
        if not isinstance(said, Manifest):
            continue
        verdict.manifests += 1
        for sealed in said.sealed:
            run = range(sealed.first, sealed.first + sealed.count)
            digests = b"".join(stored.get((epoch, sealed.cls, seq), b"") for seq in run)
            if hashlib.sha256(digests).digest() != sealed.digest:
                verdict.unproven.append(
                    f"{_named(gateway, (epoch, sealed.cls, sealed.first))} and {sealed.count - 1} more"
                )


def _listen(verdict: Verdict, db: sqlite3.Connection, number: int, witness: Witness) -> None:
    """Every sample of the live device, once and in order."""
    verdict.samples += len(witness.said)
    runs = list(_heard(db, number, witness.port))
    heard = np.concatenate(runs) if runs else np.zeros(0, np.int32)
    if not np.array_equal(heard, np.array(witness.said, np.int32)):
        verdict.unheard.append(f"{witness.gateway} device said {len(witness.said)} samples, {len(heard)} are stored")


def _heard(db: sqlite3.Connection, number: int, port: str) -> Iterator[np.ndarray]:
    asked = """SELECT b.coded, b.rows, b.count FROM block b
        JOIN stream t ON t.gw = b.gw AND t.epoch = b.epoch AND t.stream = b.stream
        JOIN session s ON s.gw = t.gw AND s.epoch = t.epoch AND s.session = t.session
        WHERE b.gw = ? AND s.port = ? ORDER BY b.epoch, b.stream, b.first"""
    for coded, rows, count in db.execute(asked, (number, port)):
        yield codec.decode(coded, rows, count)[0]


def _settle(verdict: Verdict, witness: Witness) -> None:
    """The next start of this gateway, as far as its spool: what does the last receipt leave to be sent?"""
    spool = Spool.open(witness.state / "spool", QUOTAS)
    try:
        verdict.held_last += sum(spool.held(held.cls, held.epoch, held.ranges) for held in witness.receipt.held)
        lost = [f"{witness.gateway} lost {loss}" for loss in spool.undeclared()]
        lost += [f"{witness.gateway} evicted {loss}" for loss in spool.damage if not loss.torn]
        left = spool.backlog(Limits().read_bytes, lambda *_: False)
        verdict.unheld += [_named(witness.gateway, (one.epoch, one.cls, one.seq)) for one in left] + lost
    finally:
        spool.close()


def _named(gateway: str, name: Name) -> str:
    epoch, cls, seq = name
    return f"{gateway} epoch {epoch} {Class(cls).word} {seq}"
