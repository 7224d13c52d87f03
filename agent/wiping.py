"""A gateway is taken out of use: its key is destroyed, and what lies on its card is worth nothing to anybody.

The receipt is signed and durable first (`wiping`); from then on the gateway does not start any more, and whatever
moment the power is cut, the next `wipe` goes on to the end. What was sealed nobody could open here anyway.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent import applying, clock, durable, enrolling, identity, imported
from agent.audit import FOLDER, Audit
from agent.binding.kept import BED_FILE
from agent.enrol import farewell, places, protection
from agent.enrol.farewell import Wiped
from agent.marks import MARKS_FILE
from agent.spool.salvage import Salvage
from agent.spool.terms import SpoolError
from agent.waiting import Waiting
from agent.window import ADOPTED_FILE
from wire import keys
from wire.topics import Class

FILES = applying.Owned()
LAST_LIMIT_COUNT = 1  # of a class: what a clean end seals and sends last is confirmed when nobody is there to hear it
KEYS = (places.SEALED_FILE, places.KEY_FILE, places.SITE_KEY_FILE)
_ASIDE = ("", ".new")
_SIDE_FILES = (
    places.CERTIFICATE_FILE,
    places.ROOTS_FILE,
    places.CENTRES_FILE,
    places.DIRECTORY_FILE,
    places.ENROLLED_FILE,
    places.ASKED_FILE,
)


class WipeError(Exception):
    """Nothing was wiped; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Place:
    """Where a gateway keeps what it has, and its site."""

    keys: Path
    state: Path
    runtime: Path
    site: str


def wipe(place: Place, out: Path | None, *, even_unsent: bool, utc: int, surely: int | None) -> str:
    """The receipt; `out` gets it before anything is destroyed. Raises WipeError, ConfigError, SpoolError, OSError."""
    done = place.keys / places.WIPED_FILE
    if done.exists():
        return done.read_text("utf-8")
    begun = place.keys / places.WIPING_FILE
    with _stopped(place.state / "spool"):
        receipt = begun.read_text("utf-8") if begun.exists() else _receipt(place, even_unsent, utc, surely)
        if out is not None:
            durable.place(FILES, out, receipt.encode())
        durable.place(FILES, begun, receipt.encode())
        _destroy(place)
        FILES.rename(begun, done)
        FILES.sync_folder(place.keys)
    return receipt


@contextmanager
def _stopped(spool: Path) -> Iterator[None]:
    """Nobody has the spool while this lasts."""
    if not spool.is_dir():
        yield
        return
    try:
        lock = FILES.lock(spool / "lock")
    except BlockingIOError as error:
        raise WipeError("the gateway runs", "systemctl stop wardlink") from error
    try:
        yield
    finally:
        FILES.close(lock)


def _receipt(place: Place, even_unsent: bool, utc: int, surely: int | None) -> str:
    signer = identity.signer(place.keys)
    unreadable: list[str] | None = [] if even_unsent else None
    own, missing = _waiting(place.state / "spool", unreadable)
    relayed = 0
    for _, folder in imported.waiting(place.state / "imported"):
        waits, gone = _waiting(folder, unreadable)
        relayed, missing = relayed + waits.total(), missing + gone
    if (relayed or any(count > LAST_LIMIT_COUNT for count in own.values())) and not even_unsent:
        hint = (
            "unplug the devices, start it, let it send, stop it; or wardlink spool export; --even-unsent destroys them"
        )
        raise WipeError(f"{own.total() + relayed} envelopes here are not confirmed by the centre", hint)
    public = signer.public_key()
    log = Audit(Waiting(), place.state / FOLDER, signer, 0, clock.now, lambda: surely)
    head = log.append("cli", "wipe", not_held=str(own.total() + relayed))
    said = Wiped(
        gateway=keys.gateway_id(public),
        key=keys.verifier_text(public),
        site=place.site,
        utc=utc,
        surely=surely,
        protection=str(protection.of(place.keys)),
        board=enrolling.board(),
        not_held={Class(cls).word: count for cls, count in own.items()},
        relayed_not_held=relayed,
        missing=missing,
        unreadable=unreadable or [],
        audit=head.text(),
    )
    return farewell.sign(signer, said)


def _waiting(spool: Path, unreadable: list[str] | None) -> tuple[Counter[int], int]:
    """Envelopes without a receipt, by class, and how many ranges cannot be read. A folder of which nothing can be read
    is put on the list; without one that raises WipeError.
    """
    if not spool.is_dir():
        return Counter(), 0
    try:
        salvage = Salvage(spool, unheld=True)
        waiting = Counter(stored.cls for stored in salvage.frames())
        return waiting, len(salvage.missing()) + salvage.unnamed
    except (SpoolError, OSError) as error:
        if unreadable is None:
            hint = "wardlink spool check; --even-unsent destroys it, unread"
            raise WipeError(f"the spool cannot be read: {error}", hint) from error
    unreadable.append(spool.name)
    return Counter(), 0


def _destroy(place: Place) -> None:
    """The key first. What is gone already was done before a power cut."""
    for name in (*KEYS, applying.CHANGE_FILE):
        for aside in _ASIDE:
            file = place.keys / f"{name}{aside}"
            if file.exists():
                enrolling.destroy(file)
    for name in _SIDE_FILES:
        (place.keys / name).unlink(missing_ok=True)
    for folder in (place.keys / "recipients", place.state / "imported", place.state / "spool", place.runtime):
        if folder.is_dir():
            shutil.rmtree(folder, ignore_errors=folder == place.runtime)  # the system owns that one: only its contents
    for name in (MARKS_FILE, ADOPTED_FILE, BED_FILE):
        (place.state / name).unlink(missing_ok=True)
    FILES.sync_folder(place.keys)
