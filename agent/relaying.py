"""Behind the gateway's own backlog, that of dead gateways which were imported here: one backlog to the uplink.

Everything runs on the spool's thread. Trouble with an imported folder is shown and never stands in the way of our own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent import imported
from agent.health.status import RelayStatus
from agent.keeping import Keeping
from agent.spool.spool import Spool
from agent.spool.terms import SpoolError, StorageError, Stored
from agent.starts import starts_of
from agent.uplink.relay import ours, theirs
from wire.relay import wrap

log = logging.getLogger("wardlink.relay")
Skip = Callable[[int, int, int], bool]


@dataclass(slots=True)
class _Dead:
    """One dead gateway. `spools` by folder, each with its number in the uplink; empty when all is delivered."""

    gateway: str
    spools: dict[Path, tuple[int, Spool]]
    held: int = 0  # since this start
    lost: int = 0  # found unreadable here: its file brings them again
    problem: str = ""
    hint: str = ""

    def status(self) -> RelayStatus:
        chains = [chain for _, spool in self.spools.values() for chain in spool.stat().classes.values()]
        envelopes, size = sum(chain.unheld_frames for chain in chains), sum(chain.unheld_bytes for chain in chains)
        return RelayStatus(self.gateway, envelopes, size, self.held, self.lost, self.problem, self.hint)


class Relaying:
    """To the uplink the one spool it knows: first `own`, that of `gateway`, then what is under `folder`."""

    def __init__(self, own: Keeping, gateway: str, folder: Path, open_spool: Callable[[Path], Spool]) -> None:
        self._own = own
        self._folder = folder
        self._open_spool = open_spool
        self._relayed: dict[str, _Dead] = {}
        self._places: Mapping[int, str] = {}
        self._numbers: dict[Path, int] = {}
        self.used: Callable[[int], None] = lambda epoch: None  # told what `Starts` says
        self._starts: dict[int, Mapping[int, bytes]] = {0: starts_of(own.spool, gateway)}

    def places(self) -> Mapping[int, str]:
        """Gateways that are relayed for by place in the uplink, one for each folder, also those that are delivered."""
        return self._places

    def start(self, epoch: int) -> bytes | None:
        """The random bytes of the start that sealed what is here of an epoch of the uplink's; None: not known."""
        place, epoch_there = theirs(epoch)
        return self._starts.get(place, {}).get(epoch_there)

    async def backlog(self, limit_bytes: int, skip: Skip) -> list[Stored]:
        found = await self._own.backlog(limit_bytes, skip)
        if found or not self._relayed:
            return found
        return await self._own.on_thread(lambda: self._backlog(limit_bytes, skip))

    async def held(self, cls: int, epoch: int, ranges: Iterable[tuple[int, int]]) -> int:
        place, epoch_there = theirs(epoch)
        if not place:
            return await self._own.held(cls, epoch, ranges)
        listed = list(ranges)
        return await self._own.on_thread(lambda: self._held(place, cls, epoch_there, listed))

    async def lacked(self, cls: int, epoch: int, ranges: Iterable[tuple[int, int]]) -> tuple[int, int]:
        """Commands are for a gateway that speaks for itself."""
        return await self._own.lacked(cls, epoch, ranges)

    async def look(self) -> list[RelayStatus]:
        """See what was imported lately and remove what is delivered; what there is."""
        return await self._own.on_thread(self._look)

    async def close(self) -> None:
        await self._own.on_thread(self._close)

    def _backlog(self, limit_bytes: int, skip: Skip) -> list[Stored]:
        out: list[Stored] = []
        for one in self._relayed.values():
            for place, spool in one.spools.values():
                room = limit_bytes - sum(len(stored.data) for stored in out)
                if room <= 0:
                    return out
                try:
                    found = spool.backlog(room, _skipping(skip, place))
                except StorageError as error:
                    self._failed(one, str(error), error.hint)
                    continue
                out += [Stored(s.cls, ours(place, s.epoch), s.hour, s.seq, wrap(one.gateway, s.data)) for s in found]
        return out

    def _held(self, place: int, cls: int, epoch: int, ranges: list[tuple[int, int]]) -> int:
        news = 0
        for one in self._relayed.values():
            for path, (number, spool) in list(one.spools.items()):
                if number != place:
                    continue
                fresh = spool.held(cls, epoch, ranges)
                news += fresh
                one.held += fresh
                try:
                    if fresh:
                        spool.save_acks()
                except StorageError as error:
                    self._failed(one, str(error), error.hint)
                self._finish(one, path, spool)
        return news

    def _look(self) -> list[RelayStatus]:
        try:
            for gateway, path in imported.waiting(self._folder):
                one = self._relayed.get(gateway) or _Dead(gateway, {})
                if path not in one.spools:
                    self._open(one, path)
        except OSError as error:
            log.error("relay folder=%s why=%r", self._folder, str(error))
        for one in self._relayed.values():
            for path, (_, spool) in list(one.spools.items()):
                self._finish(one, path, spool)
        return [one.status() for one in self._relayed.values()]

    def _open(self, one: _Dead, path: Path) -> None:
        self._relayed[one.gateway] = one
        try:
            spool = self._open_spool(path)
        except SpoolError as error:
            self._failed(one, str(error), error.hint)
            return
        one.problem = one.hint = ""
        place = self._numbers.setdefault(path, len(self._numbers) + 1)
        self._starts[place] = starts_of(spool, one.gateway, _told(path))
        self._places = {**self._places, place: one.gateway}
        one.spools[path] = place, spool
        left = one.status()
        log.info(
            "relay begins gateway=%s envelopes=%d bytes=%d", one.gateway, left.waiting_envelopes, left.waiting_bytes
        )

    def _finish(self, one: _Dead, path: Path, spool: Spool) -> None:
        """Let the folder go if all that is in it is held."""
        if any(chain.unheld_frames for chain in spool.stat().classes.values()):
            return
        one.spools.pop(path)
        try:
            self._shut(spool)
            lost = imported.finish(path, spool.confirmed)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            self._failed(one, str(error), "look at the disk; it is tried again")
            return
        one.lost += lost
        log.info("relay delivered gateway=%s held=%d lost=%d", one.gateway, one.held, lost)
        if lost:
            self._failed(one, f"{lost} envelopes could not be read here", "import the file again: it brings only these")

    def _close(self) -> None:
        for one in self._relayed.values():
            for _, spool in one.spools.values():
                self._shut(spool)

    def _shut(self, spool: Spool) -> None:
        try:
            spool.close()
        except StorageError as error:  # what is held is said again by the centre
            log.warning("relay acks=not-saved why=%r", str(error))

    def _failed(self, one: _Dead, problem: str, hint: str) -> None:
        if one.problem != problem:
            log.error("relay gateway=%s why=%r hint=%r", one.gateway, problem, hint)
        one.problem, one.hint = problem, hint


def _told(path: Path) -> dict[int, bytes]:
    """What the file that was imported said of starts."""
    try:
        return imported.starts(path)
    except (OSError, ValueError) as error:  # DecodeError is one
        log.warning("relay starts=not-read folder=%s why=%r", path, str(error))
        return {}


def _skipping(skip: Skip, place: int) -> Skip:
    """The uplink's question in the epochs of the folder that has this place."""
    return lambda cls, epoch, seq: skip(cls, ours(place, epoch), seq)
