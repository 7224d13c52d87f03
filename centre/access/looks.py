"""Who looked at what: signed, chained lines in a file (wire/audit.py), each durable before anything is shown.

A person who reads on at the same bed is written down once in ten minutes. What cannot be written down is not shown.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from centre.access.people import Person
from config.load import ConfigError
from wire import audit
from wire.audit import AuditError, Entry

AGAIN_S = 600.0
KEPT_LIMIT_COUNT = 100_000
_TAIL_BYTES = 2 * audit.LINE_LIMIT_BYTES


class LooksError(Exception):
    """A look could not be written down."""


class Looks:
    """May be used from any thread. `utc` gives microseconds since 1970, `now` seconds that only grow.

    Raises ConfigError where what stands in the file was not signed by this centre's key.
    """

    def __init__(self, path: Path, signer: Ed25519PrivateKey, utc: Callable[[], int], now: Callable[[], float]) -> None:
        self._path = path
        self._signer = signer
        self._utc = utc
        self._now = now
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._count, self._hash = self._continue()

    def looked(self, person: Person, what: str, at: str, **detail: str) -> None:
        """`what` is a word for what was asked (rights.Kind), `at` the gateway or "". Raises LooksError."""
        key = (person.name, what, at)
        with self._lock:
            now = self._now()
            if now - self._seen.get(key, -AGAIN_S) < AGAIN_S:
                return
            self._write(person.name, what, {"at": at, "role": person.role, "by": person.known_by, **detail})
            self._seen[key] = now
            self._seen.move_to_end(key)
            while len(self._seen) > KEPT_LIMIT_COUNT:
                self._seen.popitem(last=False)

    def happened(self, who: str, what: str, **detail: str) -> None:
        """Somebody came in, left, or was refused. Raises LooksError."""
        with self._lock:
            self._write(who, what, detail)

    def _write(self, who: str, what: str, detail: dict[str, str]) -> None:
        entry = Entry(self._count, 0, 0, self._utc(), who[: audit.TEXT_LIMIT_LETTERS], what, detail)
        made = audit.line(self._signer, self._hash, entry).encode()
        try:
            self._append(made + b"\n")
        except OSError as error:
            raise LooksError(f"{self._path}: {error.strerror}") from error
        self._count, self._hash = self._count + 1, audit.read(made)[1]

    def _append(self, data: bytes) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(handle).st_size
            if os.write(handle, data) != len(data):
                os.ftruncate(handle, size)
                raise OSError(28, "no space left")
            os.fsync(handle)
        finally:
            os.close(handle)

    def _continue(self) -> tuple[int, bytes]:
        """(number of the next entry, hash of the last); a line that a power cut tore is cut off, and said."""
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            lines = [b""]
        except OSError as error:
            raise ConfigError(f"{self._path}: {error.strerror}", "`access_log` names a file we may write") from error
        torn, whole = lines[-1], [line for line in lines[:-1] if line]
        if torn:
            os.truncate(self._path, self._path.stat().st_size - len(torn))
        if not whole:
            self._count, self._hash = 0, audit.NO_HASH
            self._write("centre", audit.PART, audit.part(self._signer.public_key(), audit.NO_HASH, 0))
            return self._count, self._hash
        try:
            last, self._hash = audit.read(whole[-1])
        except AuditError as error:
            raise ConfigError(f"{self._path} is no log of looks: {error}", "keep it, and name another file") from error
        self._count = last.n + 1
        if torn:
            self._write("centre", "torn", {"bytes": str(len(torn))})
        return self._count, self._hash
