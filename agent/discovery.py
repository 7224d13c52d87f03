"""Devices that nobody pinned: each adapter that is plugged in is searched for whoever speaks on it, or answers.

What was found where is remembered in the runtime folder, so that after a crash what had been read is heard again by the
right driver, and the search begins where it ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from agent.config import Config, askable
from agent.health import notify
from agent.ports.ears import Heard
from agent.ports.plugs import FOUND, HOT, Plug
from agent.ports.searched import SearchedPort, Wish
from agent.ports.seek import Found
from agent.ports.serial_port import Paper, Rounds
from agent.ports.tape import TAPES, Sealed, Tape
from agent.sessions.hearing import Hearing
from agent.sessions.ward import Ward
from agent.tapes import Tapes
from agent.world import World
from drivers import lines, registry
from drivers.contract import Driver, Serial

log = logging.getLogger("wardlink.discovery")


class Known(msgspec.Struct, frozen=True):
    """Who was found at a place, and how the line was set."""

    driver: str
    line: tuple[int, int, str, int, bool, bool]
    is_asked: bool = False
    is_here: bool = True  # nobody has unplugged the adapter since


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says of ports that no driver is pinned to.

    `pinned` are paths with a driver; `probed` are searched by name, each with the drivers that may be asked for there.
    `askable` may be asked for at all others, which are searched where `discover` is set.
    """

    pinned: frozenset[str] = frozenset()
    probed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    discover: bool = True
    askable: tuple[str, ...] = ()

    def places(self, plugs: Iterable[Plug]) -> dict[str, tuple[Plug, tuple[str, ...]]]:
        """By place: what is to be searched, and for whom may be asked there."""
        names = {str(Path(path).resolve()): path for path in self.probed}
        taken = {str(Path(path).resolve()) for path in self.pinned}
        found: dict[str, tuple[Plug, tuple[str, ...]]] = {}
        for plug in plugs:
            name = names.pop(plug.path, "")
            if name or (self.discover and plug.path not in taken):
                found[plug.place] = plug, self.probed[name] if name else self.askable
        for path, name in names.items():  # a board's own UART, or a name that a rule of udev made
            if Path(path).exists():
                found[name] = Plug(path, name), self.probed[name]
        return found


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
    """`hurry` is called when an alarm was heard; `once` does what may fail and keeps the failure."""

    ward: Ward
    tapes: Tapes
    world: World
    runtime: Path
    rules: Rules
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
        if not plugs and not self.spots and not self.rules.probed:
            return
        now = self.rules.places(plugs)
        for place, (plug, may_ask) in now.items():
            spot = self._spot(place)
            if spot.port is None or spot.port.path != plug.path or spot.task is None or spot.task.done():
                self._begin(spot, plug, may_ask)
        for place, spot in self.spots.items():
            if place not in now and spot.task is not None:
                spot.task.cancel()
                spot.task = spot.port = None
                self._remember(place, is_here=False)
            elif place not in now and spot.hearing is not None:
                spot.hearing.closed(self.world.now(), "unplugged")  # while no gateway ran

    def _begin(self, spot: Spot, plug: Plug, askable: tuple[str, ...]) -> None:
        if spot.task is not None and spot.task.done():
            self.once(f"port {spot.place}", spot.task.result)
        elif spot.task is not None:
            spot.task.cancel()
        wish = Wish(lines.shelf, registry.all_drivers, tuple(map(self.world.driver, askable)))
        known = self._known.get(spot.place)
        if known:
            wish.last, wish.known = Serial(*known.line), known.driver if known.is_asked else ""
            wish.talker = known.driver if known.is_here and not known.is_asked else ""
        meet = partial(self._meet, spot)
        spot.port = SearchedPort(plug, wish, meet, self.world.now, self.rounds, self.world.open_line)
        spot.port.is_here = partial(self._is_here, plug)
        log.info("plugged path=%s place=%s adapter=%r", plug.path, plug.place, plug.adapter)
        spot.task = asyncio.create_task(spot.port.run(), name=f"port {spot.place}")

    def _is_here(self, plug: Plug) -> bool:
        """Whether the name is still this adapter's, as far as the kernel gives names anew."""
        names = {one.path: one for one in self.world.plugged()}
        return names.get(plug.path, None if plug.path.startswith(HOT) else plug) == plug

    def _meet(self, spot: Spot, found: Found) -> tuple[Heard, Paper]:
        """The driver is known: he goes on where one like him was heard, or a new hearing begins."""
        if spot.hearing is None or spot.hearing.driver_id != found.kind.info.id:
            if spot.hearing is not None:
                spot.hearing.closed(self.world.now(), "another device")
            spot.hearing = self._hearing(spot, found.kind)
        line = found.line
        settings = (line.baud, line.bits, line.parity, line.stop, line.dtr, line.rts)
        may_ask = spot.port is not None and spot.port.speaks_to(found.kind)
        self._known[spot.place] = Known(found.kind.info.id, settings, may_ask)
        self._remember(spot.place)
        self.hurry()  # a nurse waits for the first reading
        log.info("found driver=%s place=%s why=%r", found.kind.info.id, spot.place, found.why)
        return spot.hearing, spot.tape

    def _remember(self, place: str, is_here: bool = True) -> None:
        if place in self._known:
            self._known[place] = msgspec.structs.replace(self._known[place], is_here=is_here)
            notify.replace(self.runtime / FOUND, msgspec.json.encode(self._known))

    def _hearing(self, spot: Spot, kind: type[Driver]) -> Hearing:
        return Hearing(self.ward, kind.unpinned, spot.place, self.hurry)

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


def rules_of(config: Config) -> Rules:
    """What a configuration says of ports without a driver."""
    return Rules(
        frozenset(port.path for port in config.port if port.driver),
        {port.path: askable(port) for port in config.port if port.probe},
        config.discover,
        tuple(config.ask),
    )


def _read(file: Path) -> dict[str, Known]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Known])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}
