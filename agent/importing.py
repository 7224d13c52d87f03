"""Taking an exported backlog into this gateway: verified record by record, durable before it counts, never twice."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from agent import imported
from agent.spool.foreign import EPOCH_LIMIT, Foreign
from agent.spool.terms import Stored
from wire import export, statement
from wire.envelope import EnvelopeError, Header
from wire.export import End, ExportError, Fault, Head
from wire.ranges import Ranges
from wire.topics import Address, Class, is_name

GATEWAYS_LIMIT_COUNT = 16
SEGMENT_BYTES = 4 << 20
_AGAIN = "export it again; or take what is sound with --partial"


class ImportRefusedError(Exception):
    """Nothing was imported; says why, `hint` what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Host:
    """The gateway that imports. `reserved_bytes`: what its own spool may still need of the disk."""

    address: Address
    state: Path
    reserved_bytes: int


@dataclass(slots=True)
class Taken:
    """What an import did. `whole`: the file was, and nothing of it was passed over."""

    gateway: str = ""
    envelopes: int = 0
    bytes: int = 0
    known: int = 0  # imported here before
    refused: int = 0  # not signed by the gateway, or not in order
    faults: list[Fault] = field(default_factory=list)
    end: End | None = None
    names: imported.Known = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        return self.end is not None and not self.faults and not self.refused


def take(file: Path, host: Host, *, partial: bool) -> Taken:
    """Import a file. Raises ImportRefusedError, OSError; then nothing is here that was not before."""
    folder = host.state / "imported"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(folder / "lock"), file.open("rb") as source:
        try:
            items = export.read(source, lenient=partial)
            taken = Taken()
            head = _head(items, taken, file)
            _check_head(head, host, partial)
            _check_room(file, host, folder, head.gateway)
            taken.gateway = head.gateway
            _take(items, head, folder, taken, partial)
        except ExportError as error:
            raise ImportRefusedError(f"{file}: {error}", _AGAIN) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ImportRefusedError(
                f"a list of what was imported under {folder} cannot be read: {error}",
                "look at the disk; without that list envelopes would go twice, which the centre would drop",
            ) from error
    _give_to_owner(folder, host.state)
    return taken


def _head(items: Iterator[object], taken: Taken, file: Path) -> Head:
    for item in items:
        if isinstance(item, Head):
            return item
        if not isinstance(item, Fault):
            break
        taken.faults.append(item)
    raise ImportRefusedError(f"{file} is no export of a spool", "it is made by `wardlink spool export`")


def _check_head(head: Head, host: Host, partial: bool) -> None:
    if head.version != export.VERSION:
        raise ImportRefusedError(f"the file is of version {head.version}", "install the wardlink that wrote it")
    if not is_name(head.gateway):
        raise ImportRefusedError(f"{head.gateway[:40]!r} is no id of a gateway", "it was altered: export it again")
    if head.gateway == host.address.gateway:
        raise ImportRefusedError("it is this gateway's own backlog", "its own spool delivers it; nothing is to be done")
    if head.site not in ("", host.address.site):
        raise ImportRefusedError(
            f"it is of the site {head.site}, and this gateway is at {host.address.site}",
            f"import it at a gateway of {head.site}: the centre takes a backlog from the same site only",
        )
    if not head.proof and not partial:
        raise ImportRefusedError(
            f"nothing in it proves that it is of {head.gateway}", "if you know that it is, import it with --partial"
        )
    if head.proof and _author(head.proof) != head.gateway:
        raise ImportRefusedError(
            f"it says that it is of {head.gateway}, and that is not who signed it", "it was altered: export it again"
        )


def _author(proof: bytes) -> str:
    try:
        return statement.author(proof)
    except EnvelopeError:
        return ""


def _check_room(file: Path, host: Host, folder: Path, gateway: str) -> None:
    gateways = {name for name, _ in imported.waiting(folder)} | {gateway}
    if len(gateways) > GATEWAYS_LIMIT_COUNT:
        raise ImportRefusedError(
            f"the backlogs of {GATEWAYS_LIMIT_COUNT} gateways wait here already", "let them be delivered first"
        )
    need = file.stat().st_size * 5 // 4 + 4 * SEGMENT_BYTES
    free = shutil.disk_usage(folder).free - max(0, host.reserved_bytes)
    if need > free:
        raise ImportRefusedError(
            f"there is no room: it needs {need >> 20} MiB, and {max(0, free) >> 20} MiB are free besides what this "
            "gateway's own spool may need",
            "import it at another gateway of the site, or lower the quotas in [spool]",
        )


def _take(items: Iterator[object], head: Head, folder: Path, taken: Taken, partial: bool) -> None:
    place = folder / head.gateway
    for broken_off in place.glob("*.new"):
        shutil.rmtree(broken_off)
    known = imported.known(folder, head.gateway)
    new = place / f"{imported.next_number(folder, head.gateway)}.new"
    place.mkdir(mode=0o700, exist_ok=True)
    into = Foreign(new)
    done = False
    try:
        for header, data, start in _sound(items, head, taken, partial):
            key = (int(header.cls), header.epoch, start)
            if header.seq in known.get(key, Ranges()):
                taken.known += 1
                continue
            into.append(Stored(key[0], header.epoch, header.hour, header.seq, data))
            taken.names.setdefault(key, Ranges()).add(header.seq)
            taken.envelopes += 1
            taken.bytes += len(data)
        if taken.envelopes:
            into.close()
            imported.commit(new, taken.names)
            done = True
    finally:
        if not done:
            shutil.rmtree(new)


def _sound(items: Iterator[object], head: Head, taken: Taken, partial: bool) -> Iterator[tuple[Header, bytes, str]]:
    """The envelopes that may be taken, each with its start (hexadecimal; empty where nothing before it tells).

    Raises ExportError where the file is not as it must be and must be whole.
    """
    before = (-1, -1, -1)
    starts = dict(head.starts)
    for item in items:
        if taken.end is not None:
            taken.end, item = None, Fault(0, "something follows the end")  # noqa: PLW2901
        if isinstance(item, Fault):
            taken.faults.append(item)
        elif isinstance(item, End):
            taken.end = item
        elif isinstance(item, tuple):
            header, data = item
            name = (int(header.cls), header.epoch, header.seq)
            why = _objection(header, data, head.gateway, starts) or ("" if name > before else "is not in order")
            if not why:
                before = name
                yield header, data, starts.get(header.epoch, b"").hex()
            elif partial:
                taken.refused += 1
            else:
                raise ExportError(f"{header.cls.word} {header.epoch}/{header.seq} {why}")
    if not partial and (taken.end is None or taken.faults):
        raise ExportError("the file breaks off: its end is missing")


def _objection(header: Header, data: bytes, gateway: str, starts: dict[int, bytes]) -> str:
    """Why it may not be taken; `starts` learns which start sealed an epoch: one spool has one of each."""
    if header.epoch >= EPOCH_LIMIT:
        return "has an epoch that no gateway reaches"
    if header.cls is Class.KEY:
        try:
            start = statement.read(gateway, data)[1].nonce
        except EnvelopeError as error:
            return f"is not a statement of {gateway}: {error}"
        if start and starts.setdefault(header.epoch, start) != start:
            return "is of another start than the file says, or than what is before it"
    return ""


@contextmanager
def _alone(path: Path) -> Iterator[BinaryIO]:
    with path.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ImportRefusedError("another import is under way", "wait until it has ended") from error
        yield lock


def _give_to_owner(folder: Path, state: Path) -> None:
    """An engineer imports as root; the daemon must be able to deliver and remove it."""
    if os.geteuid() != 0:
        return
    owner = state.stat()
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
