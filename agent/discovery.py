"""Devices that nobody configured: each adapter that is plugged in is searched for whoever speaks on it.

What was found where is remembered in the runtime folder, so that after a crash what had been read is heard again by the
right driver, and the search begins where it ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from agent.health import notify
from agent.ports.plugs import FOUND, Plug
from agent.ports.searched import Heard, SearchedPort
from agent.ports.seek import Found
from agent.ports.serial_port import Paper, Rounds
from agent.ports.tape import TAPES, Sealed, Tape
from agent.sessions.hearing import Hearing
from agent.sessions.ward import Ward
from agent.tapes import Tapes
from agent.world import World
from drivers import registry
from drivers.contract import Driver, Serial

log = logging.getLogger("wardlink.discovery")


class Known(msgspec.Struct, frozen=True):
    """Who was found at a place, and how the line was set."""

    driver: str
    line: tuple[int, int, str, int, bool, bool]


@dataclass(slots=True)
class Spot:
    """One place: its tape for as long as we run, whoever is heard there, and the search while something is plugged."""

    place: str
    tape: Tape
    hearing: Hearing | None = None
    port: SearchedPort | None = None
    task: asyncio.Task[None] | None = None

    def half_frame(self) -> bytes:
        return self.hearing.half_frame() if self.hearing else b""


@dataclass(slots=True)
class Discovery:
    """`pinned` are paths that the configuration names; `hurry` is called when an alarm was heard; `once` does what may
    fail and keeps the failure.
    """

    ward: Ward
    tapes: Tapes
    world: World
    runtime: Path
    pinned: frozenset[str]
    hurry: Callable[[], None]
    rounds: Rounds
    once: Callable[[str, Callable[[], object]], None]
    spots: dict[str, Spot] = field(default_factory=dict)
    _known: dict[str, Known] = field(default_factory=dict)

    def resume(self, durable: Callable[[Sealed], bool]) -> None:
        """Hear again what an earlier process had read and not made durable."""
        self._known = _read(self.runtime / FOUND)
        for place, known in self._known.items():
            if known.driver not in registry.ids():
                continue
            spot = self._new(place)
            spot.hearing = self._hearing(spot, self.world.driver(known.driver))
            for now, data in spot.tape.left(durable):
                self.once(f"port {place}", partial(spot.hearing.resume, data, now, spot.tape.is_safe))

    async def close(self) -> None:
        """End all that is being heard."""
        for spot in self.spots.values():
            await self._leave(spot, "stopped")

    def look(self) -> None:
        """Begin where something was plugged in, end where it is gone or has another name. Once a second is enough."""
        plugs = self.world.plugged()
        if not plugs and not self.spots:
            return
        taken = {str(Path(path).resolve()) for path in self.pinned}
        now = {plug.place: plug for plug in plugs if plug.path not in taken}
        for place, plug in now.items():
            spot = self._spot(place)
            if spot.port is None or spot.port.path != plug.path or spot.task is None or spot.task.done():
                self._begin(spot, plug)
        for place, spot in self.spots.items():
            if place not in now and spot.task is not None:
                spot.task.cancel()
                spot.task = spot.port = None

    def _begin(self, spot: Spot, plug: Plug) -> None:
        if spot.task is not None and spot.task.done():
            self.once(f"port {spot.place}", spot.task.result)
        elif spot.task is not None:
            spot.task.cancel()
        known = self._known.get(spot.place)
        spot.port = SearchedPort(
            plug.path,
            registry.all_drivers,
            partial(self._meet, spot),
            self.world.now,
            self.rounds,
            self.world.open_line,
            Serial(*known.line) if known else None,
        )
        spot.port.is_here = lambda: plug in self.world.plugged()
        log.info("plugged path=%s place=%s adapter=%r", plug.path, plug.place, plug.adapter)
        spot.task = asyncio.create_task(spot.port.run(), name=f"port {spot.place}")

    def _meet(self, spot: Spot, found: Found) -> tuple[Heard, Paper]:
        """The driver is known: he goes on where one like him was heard, or a new hearing begins."""
        if spot.hearing is None or spot.hearing.driver_id != found.kind.info.id:
            if spot.hearing is not None:
                spot.hearing.closed(self.world.now(), "another device")
            spot.hearing = self._hearing(spot, found.kind)
        line = found.line
        self._known[spot.place] = Known(
            found.kind.info.id, (line.baud, line.bits, line.parity, line.stop, line.dtr, line.rts)
        )
        notify.replace(self.runtime / FOUND, msgspec.json.encode(self._known))
        log.info("found driver=%s place=%s baud=%d", found.kind.info.id, spot.place, line.baud)
        return spot.hearing, spot.tape

    def _hearing(self, spot: Spot, kind: type[Driver]) -> Hearing:
        return Hearing(self.ward, kind, spot.place, self.hurry)

    def _spot(self, place: str) -> Spot:
        """A place that nobody knows has nothing on its tape that anybody could hear again."""
        if place not in self.spots:
            self._new(place).tape.left(lambda sealed: True)
        return self.spots[place]

    def _new(self, place: str) -> Spot:
        spot = self.spots[place] = Spot(place, Tape(self.runtime / TAPES, place))
        self.tapes.add(spot.tape, spot)
        return spot

    async def _leave(self, spot: Spot, reason: str) -> None:
        if spot.task is not None:
            spot.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await spot.task
        if spot.hearing is not None:
            spot.hearing.closed(self.world.now(), reason)

    def heard(self) -> Iterator[tuple[SearchedPort, Hearing | None]]:
        """For status: what is plugged in now."""
        for spot in self.spots.values():
            if spot.port is not None:
                yield spot.port, spot.hearing if spot.hearing and spot.hearing.session else None


def _read(file: Path) -> dict[str, Known]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Known])
    except (OSError, msgspec.DecodeError):
        return {}
