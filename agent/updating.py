"""An update from first to last: may it be taken, fetch it behind live data, let RAUC judge and write it. Needs root."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from agent import VERSION, clock, durable
from agent.enrol.places import ROOTS_FILE
from agent.health import status
from agent.spool.files import Disk
from agent.update import kept, rauc
from agent.update.gate import Seen
from agent.update.kept import Kept, Origin
from agent.update.nearby import Nearby, NotNowError
from agent.update.pace import Live
from agent.update.rauc import RaucError
from agent.update.source import Source, SourceError
from agent.update.supply import Supply
from agent.update.wish import Outcome, Wish
from wire.command import is_version, version_key

FLOOR_FILE = "floor"
LENGTH_BYTES = 8
TAIL_LIMIT_BYTES = 1 << 20
Bytes = Callable[[int, int], bytes]


class RefusedError(Exception):
    """It is not installed, now or later; why, and what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are: the gateway's status, the updater's own folder, the keys folder."""

    runtime: Path = Path("/run/wardlink")
    folder: Path = Path("/var/lib/wardlink-update")
    keys: Path = Path("/etc/wardlink/keys")


def seen_of(said: status.Status | None, now_unix_s: float) -> Seen | None:
    """For the health gate."""
    if said is None:
        return None
    heard = sum(one.frames for one in _devices(said))
    fresh = abs(now_unix_s - said.written_unix_s) <= status.STALE_S
    return Seen(said.epoch, heard, said.link.held_envelopes, said.spool.commits, said.spool.problem, fresh)


def live_of(said: status.Status | None, now_unix_s: float) -> Live | None:
    """For the pace: None where no gateway runs."""
    if said is None or now_unix_s - said.written_unix_s > status.STALE_S:
        return None
    waiting = sum(chain.waiting_bytes for chain in said.spool.chains)
    ages = [one.heard_s for one in _devices(said) if one.heard_s is not None]
    link = said.link
    return Live(link.connected, waiting, link.live_left_envelopes, link.round_trip_s, min(ages, default=None))


def _devices(said: status.Status) -> Sequence[status.PortStatus | status.PeerStatus]:
    return *said.ports, *(said.radio.devices if said.radio else ())


class Floor:
    """Below it nothing is ever installed; it only rises, and outlasts both systems."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FLOOR_FILE

    def read(self) -> str:
        text = self._file.read_text("ascii").strip() if self._file.exists() else ""
        return text if is_version(text) else "0.0"

    def rise(self, version: str) -> str:
        """What it is then. Raises OSError."""
        if is_version(version) and version_key(version) > version_key(self.read()):
            durable.place(Disk(direct=False), self._file, version.encode("ascii"))
        return self.read()


def is_below(floor: str) -> bool:
    """What runs here must not run any more: then an update does not wait for the backlog."""
    return version_key(VERSION) < version_key(floor)


def signed_end(read: Bytes, size: int) -> str:
    """The SHA-256 (hex) of a bundle's signed end: the CMS signature of the manifest, which has the root hash of all
    that is before it, and its length in 8 bytes, big-endian (rauc "Reference", bundle formats). Raises RefusedError.
    """
    length = int.from_bytes(read(size - LENGTH_BYTES, size), "big") if size > LENGTH_BYTES else 0
    if not 0 < length <= min(TAIL_LIMIT_BYTES, size - LENGTH_BYTES):
        raise RefusedError("that is no bundle", "a bundle ends in .raucb")
    return hashlib.sha256(read(size - LENGTH_BYTES - length, size)).hexdigest()


def judge(version: str, wish: Wish, floor: str, *, may_be_older: bool = False) -> None:
    """Whether a bundle of this version may be installed. Raises RefusedError."""
    if not is_version(version):
        raise RefusedError(
            f"the bundle's version {version!r} is none", "take one that the recipe made; docs/updates.md"
        )
    if wish.version and version_key(version) != version_key(wish.version):
        raise RefusedError(f"the bundle is {version}, and {wish.version} was asked for", "check its address")
    if version_key(version) < version_key(floor):
        raise RefusedError(
            f"{version} is below the floor {floor}", "nothing older runs here again; take a newer bundle"
        )
    if version_key(version) < version_key(VERSION) and not may_be_older:
        raise RefusedError(f"{version} is older than {VERSION}, which runs here", "--older installs it all the same")


def install(wish: Wish, places: Places, *, may_be_older: bool = False, is_urgent: bool = False) -> Outcome:
    """All of it but the restart. `wish.url` is an address, or a file. Raises OSError."""
    floor = Floor(places.folder).rise(wish.floor)
    urgent = is_urgent or is_below(floor)
    fetched: list[int] = [0]
    try:
        with _at_hand(wish.url, places, urgent, fetched) as (place, read, size):
            digest = signed_end(read, size)
            if wish.sha256 and digest != wish.sha256.lower():
                what = "the bundle is not the one that was asked for: its signed end has another SHA-256"
                raise RefusedError(what, "`wardlink update --digest FILE` tells a file's")
            version = rauc.version_of(place)
            judge(version, wish, floor, may_be_older=may_be_older)
            rauc.install(place)
    except RefusedError as error:
        return _done(places, Outcome("refused", str(error), error.hint, fetched_bytes=fetched[0]))
    except RaucError as error:
        return _done(places, Outcome("refused" if error.is_final else "later", str(error), "", "", fetched[0]))
    except SourceError as error:
        return _done(places, Outcome("refused" if error.is_final else "later", str(error), error.hint))
    except NotNowError as error:
        return Outcome("later", str(error), fetched_bytes=fetched[0])
    return _done(places, Outcome("installed", f"{version} is installed", "", version, fetched[0]))


def _done(places: Places, outcome: Outcome) -> Outcome:
    if outcome.kind != "later":
        kept.forget(places.folder)
    return outcome


@contextmanager
def _at_hand(url: str, places: Places, is_urgent: bool, fetched: list[int]) -> Iterator[tuple[str, Bytes, int]]:
    """(what RAUC may read, its bytes, their count)."""
    if urlsplit(url).scheme not in ("http", "https"):
        path = Path(url).resolve(strict=True)
        with path.open("rb") as file:
            yield str(path), lambda at, end: (file.seek(at), file.read(end - at))[1], path.stat().st_size
        return
    source = Source(url, places.keys / ROOTS_FILE)
    store = Kept(places.folder, Origin(url, source.size, source.tag))
    supply = Supply(
        source, store, lambda: live_of(status.found(places.runtime), clock.unix_us() / 1e6), is_urgent=is_urgent
    )
    try:
        with Nearby(source.size, supply) as near:
            yield near.url, supply, source.size
    except RaucError as error:
        if supply.why and not error.is_final:
            raise RaucError(f"{supply.why} (rauc: {error})", is_final=False) from error
        raise
    finally:
        fetched[0] = source.fetched_bytes
        store.close()
        source.close()
