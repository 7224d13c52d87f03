"""The fleet's folder, and the one way to change it: an act, of which deed and audit line are durable together.

fleet.db            the store
audit.key           signs the audit log; made once
issuing-<key>.key   issuing keys, PEM; the newest signs, an older one only says what is revoked
endpoint.key .crt   the enrolment endpoint's own, made by it

The root's key is never here.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from centre.fleet import store
from centre.fleet.limiter import Limiter
from centre.fleet.store import FleetError
from wire import audit, keys
from wire.audit import Entry, Head

AUDIT_KEY = "audit.key"


class RefusedError(Exception):
    """Somebody is not let in. `word` may be told to outsiders; `why` is for the audit log alone."""

    def __init__(self, word: str, why: str) -> None:
        super().__init__(why)
        self.word = word
        self.why = why


@dataclass(frozen=True, slots=True)
class Act:
    """A change under way: `who` does it, at `now` (microseconds since 1970)."""

    db: sqlite3.Connection
    fleet: Fleet
    who: str
    now: int

    def note(self, what: str, **detail: str) -> None:
        """A line of the audit log, durable with everything else of this act."""
        row = self.db.execute("SELECT n, line FROM audit ORDER BY n DESC LIMIT 1").fetchone()
        if row is None:
            public = self.fleet.auditor.public_key()
            self._append(
                Entry(0, 0, 0, self.now, "audit", audit.PART, audit.part(public, audit.NO_HASH, 0)), audit.NO_HASH
            )
            row = self.db.execute("SELECT n, line FROM audit").fetchone()
        previous = audit.read(row["line"].encode())[1]
        self._append(Entry(row["n"] + 1, 0, 0, self.now, self.who, what, detail), previous)

    def _append(self, entry: Entry, previous: bytes) -> None:
        line = audit.line(self.fleet.auditor, previous, entry)
        self.db.execute("INSERT INTO audit VALUES (?, ?)", (entry.n, line))


class Fleet:
    """A folder that `init` made. `refusals`: how many become lines of the log; the rest are counted in the next line.

    Whoever faces a network sets it, or strangers could fill the disk; None: all.
    """

    def __init__(self, folder: Path) -> None:
        """Raises FleetError."""
        self.folder = folder
        self.refusals: Limiter | None = None
        self._unsaid = 0
        path = folder / AUDIT_KEY
        try:
            self.auditor = keys.signer(path.read_text(encoding="ascii"))
        except (OSError, keys.KeyFormatError, UnicodeDecodeError) as error:
            raise FleetError(f"{path}: no key of an audit log", "name the folder of `wardlink fleet init`") from error

    @contextmanager
    def act(self, who: str, now: int) -> Iterator[Act]:
        """All of the block or nothing. A RefusedError is noted, and then raised."""
        refused: RefusedError | None = None
        with store.writing(self.folder) as db:
            act = Act(db, self, who, now)
            db.execute("SAVEPOINT deed")
            try:
                yield act
            except RefusedError as error:
                db.execute("ROLLBACK TO deed")
                self._note(act, error)
                refused = error
        if refused is not None:
            raise refused

    def _note(self, act: Act, error: RefusedError) -> None:
        if self.refusals is not None and not self.refusals.allows("", act.now / 1e6):
            self._unsaid += 1
            return
        more = {"unsaid": str(self._unsaid)} if self._unsaid else {}
        act.note("refused", word=error.word, why=error.why, **more)
        self._unsaid = 0

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        return store.reading(self.folder)

    def issuing_key(self, name: str) -> Ed25519PrivateKey:
        """Raises FleetError."""
        path = self.folder / f"issuing-{name}.key"
        try:
            key = load_pem_private_key(path.read_bytes(), None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise FleetError(
                f"{path}: not readable as a key", "is it here, and are you the user it belongs to?"
            ) from error
        assert isinstance(key, Ed25519PrivateKey), "we made it"
        return key

    def keep_issuing_key(self, name: str, key: Ed25519PrivateKey) -> None:
        write_secret(self.folder / f"issuing-{name}.key", pem_of(key))

    def audit_lines(self) -> list[str]:
        with self.reading() as db:
            return [row["line"] for row in db.execute("SELECT line FROM audit ORDER BY n")]

    def verified(self, against: Head | None = None) -> Head:
        """Prove the audit log, and that it came through a head kept elsewhere. Raises AuditError."""
        return audit.verify((line.encode() for line in self.audit_lines()), self.auditor.public_key(), against)


def make_folder(folder: Path) -> Fleet:
    """An empty fleet. Raises FleetError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    store.make(folder)
    write_secret(folder / AUDIT_KEY, keys.signer_text(Ed25519PrivateKey.generate()).encode() + b"\n")
    return Fleet(folder)


def write_secret(path: Path, data: bytes) -> None:
    """A new file that only its owner reads, durable. Raises OSError, FileExistsError among it."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(number, "wb") as file:  # noqa: PTH123  a descriptor, so that it is never readable by others
        file.write(data)
        file.flush()
        os.fsync(number)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def pem_of(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
