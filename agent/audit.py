"""The audit log as files: `<state>/audit/<0 to 7>.jsonl`, each a part of one chain (wire/audit.py, docs/formats.md).

Every entry is durable when `append` returns. A new part takes the place of the oldest file in one rename. Whoever
appends holds `lock` while he does, so a person's command may write while the daemon runs. What a power cut left of
a last line is set aside (`torn-<n>`), and the next entry says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import durable
from agent.spool.files import Files, write_all
from wire import audit
from wire.audit import LINE_LIMIT_BYTES, NO_HASH, PART, AuditError, Entry, Head

FOLDER = "audit"
PARTS_COUNT = 8
PART_LIMIT_BYTES = 512 * 1024
READ_LIMIT_BYTES = 2 * PART_LIMIT_BYTES  # a part, and the entries that went over its limit
_NAMES = tuple(f"{slot}.jsonl" for slot in range(PARTS_COUNT))


@dataclass(frozen=True, slots=True)
class _Tail:
    """The part that is written: its file's number (-1: there is none), its good bytes, and what follows them."""

    slot: int
    data: bytes
    torn: bytes
    n: int  # of the next entry
    hash: bytes


class Audit:
    """`now` is monotonic nanoseconds; `utc` microseconds since 1970, None where nobody knows.

    `part_limit_bytes` is for tests.
    """

    def __init__(
        self,
        files: Files,
        folder: Path,
        signer: Ed25519PrivateKey,
        epoch: int,
        now: Callable[[], int],
        utc: Callable[[], int | None],
        part_limit_bytes: int = PART_LIMIT_BYTES,
    ) -> None:
        self._files = files
        self._folder = folder
        self._signer = signer
        self._epoch = epoch
        self._now = now
        self._utc = utc
        self._limit_bytes = part_limit_bytes

    def append(self, who: str, what: str, **detail: str) -> Head:
        """Durable when this returns. Raises OSError: then nothing is said, or a torn line that the next one tells of.

        No patient data and no secret may stand in a text. Texts longer than 200 letters are cut.
        """
        self._files.make_folder(self._folder)
        lock = self._files.lock(self._folder / "lock")
        try:
            return self._append(who, what, detail)
        finally:
            self._files.close(lock)

    def _append(self, who: str, what: str, detail: dict[str, str]) -> Head:
        firsts = self._firsts()
        tail = self._tail(firsts)
        said = [(who, what, detail)]
        if tail.torn:
            said.insert(0, ("audit", "torn", self._set_aside(tail)))
            self._whole(tail.slot, tail.data)
        begins = tail.slot < 0 or len(tail.data) > self._limit_bytes or not tail.data
        if begins:
            said.insert(0, ("audit", PART, {}))
        slot = (tail.slot + 1) % PARTS_COUNT if begins else tail.slot
        left = [n for at, n in firsts.items() if n >= 0 and not (begins and at == slot)]
        lines, head = self._lines(said, tail, min(left, default=tail.n))
        if begins:
            self._whole(slot, lines)
        else:
            self._extend(slot, lines, len(tail.data))
        return head

    def _lines(self, said: list[tuple[str, str, dict[str, str]]], tail: _Tail, oldest: int) -> tuple[bytes, Head]:
        out, n, previous = b"", tail.n, tail.hash
        for who, what, detail in said:
            told = audit.part(self._signer.public_key(), previous, oldest) if what == PART else detail
            entry = Entry(n, self._epoch, self._now() // 1000, self._utc(), who, what, told)
            made = audit.line(self._signer, previous, entry).encode("ascii")
            out += made + b"\n"
            n, previous = n + 1, audit.read(made)[1]
        return out, Head(n, previous, oldest)

    def _firsts(self) -> dict[int, int]:
        """The number of the first entry of each part that is there; -1 where it cannot be read."""
        there = self._files.names(self._folder)
        return {
            slot: _first(self._read(name, LINE_LIMIT_BYTES + 1)) for slot, name in enumerate(_NAMES) if name in there
        }

    def _tail(self, firsts: dict[int, int]) -> _Tail:
        if not firsts:
            return _Tail(-1, b"", b"", 0, NO_HASH)
        slot = max(firsts, key=lambda at: firsts[at])
        data = self._read(_NAMES[slot], READ_LIMIT_BYTES)
        good = data[: data.rfind(b"\n") + 1]
        while good:
            last = good[good.rfind(b"\n", 0, len(good) - 1) + 1 : -1]
            try:
                entry, digest = audit.read(last)
            except AuditError:
                good = good[: len(good) - len(last) - 1]
                continue
            return _Tail(slot, good, data[len(good) :], entry.n + 1, digest)
        n = max(firsts.values()) + data.count(b"\n")  # nothing is left to go on from: what follows will not verify
        return _Tail(slot, b"", data, max(n, 0), NO_HASH)

    def _set_aside(self, tail: _Tail) -> dict[str, str]:
        name = f"torn-{tail.n % PARTS_COUNT}"
        durable.place(self._files, self._folder / name, tail.torn[: self._limit_bytes])
        shown = tail.torn[:100].decode("ascii", "backslashreplace")
        return {
            "bytes": str(len(tail.torn)),
            "sha256": hashlib.sha256(tail.torn).hexdigest(),
            "file": name,
            "begins": shown,
        }

    def _whole(self, slot: int, data: bytes) -> None:
        """The part is this, durably: what it was before, or this."""
        if data:
            durable.place(self._files, self._folder / _NAMES[slot], data)

    def _extend(self, slot: int, lines: bytes, at: int) -> None:
        fd = self._files.open(self._folder / _NAMES[slot])
        try:
            write_all(self._files, fd, lines, at)
            self._files.fdatasync(fd)
        finally:
            self._files.close(fd)

    def _read(self, name: str, limit_bytes: int) -> bytes:
        return durable.stretch(self._files, self._folder / name, 0, limit_bytes)[0]


def kept(files: Files, folder: Path) -> bytes:
    """The whole log as it is kept, the oldest part first; empty where there is none. Raises OSError."""
    try:
        there = files.names(folder)
    except FileNotFoundError:
        return b""
    parts: list[bytes] = []
    for name in set(_NAMES) & set(there):
        parts.append(durable.stretch(files, folder / name, 0, READ_LIMIT_BYTES)[0])
    parts.sort(key=_first)
    return b"".join(parts)


def lines(data: bytes) -> list[bytes]:
    """The lines of a log; what stands behind the last newline is a line too, one that was cut short."""
    found = data.split(b"\n")
    return found if found[-1] else found[:-1]


def _first(data: bytes) -> int:
    try:
        return audit.read(data.partition(b"\n")[0])[0].n
    except AuditError:
        return -1
