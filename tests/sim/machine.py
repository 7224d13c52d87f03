"""The gateway's computer: power, clocks, a card, memory that survives a kill, and something that starts it again."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent import clock
from agent.config import Config
from agent.gateway import Gateway
from agent.ports.tape import TAPES
from agent.spool.terms import Limits, SpoolError
from agent.world import World
from discipline.machine import Found
from tests.crash.faulty import PowerCutError
from tests.sim import watch
from tests.sim.disk import Card, KilledError
from tests.sim.link import Link
from tests.sim.loop import SECOND_NS, Inline, Loop
from wire.records import Anchor

TRUE_UTC_US = 1_796_000_000_000_000  # of the timeline's zero
SYNCED_ERROR_US = 5_000
RESTART_S = 1.0


@dataclass
class Life:
    """One epoch: how it ended, and until when (monotonic) what was read was certainly durable by then."""

    boot: int
    end: str = "runs"
    durable_ns: int = -1
    end_ns: int = 1 << 62
    disk_was_bad: bool = False
    found_unread: bool = False  # the disk refused a file at its start: nobody knew what of the tape was durable
    could_not_note: bool = False  # the disk refused to write down what it lost, and then the process was gone


class Silent:
    """Nothing is ever plugged in at this bed."""

    def close(self) -> None:
        """It never rang."""


class Shut:
    """Nobody comes to this bed."""

    visited = False

    def __init__(self, *_: object) -> None:
        """There is no wall for a door."""

    async def open(self) -> None:
        """No socket on virtual time."""

    def show(self) -> None:
        """To nobody."""

    def close(self) -> None:
        """It was never open."""


class Machine:
    """Off, or running one gateway, or about to. `place` is the world."""

    def __init__(self, place, config: Config, limits: Limits) -> None:
        self._place = place
        self._timeline = place.timeline
        self.config = config
        self._limits = limits
        self._random = place.random("machine")
        self._entropy = place.random("entropy").randbytes
        self._uniform = place.random("jitter").uniform
        self.card = Card(place.random("card"), place.count)
        self.boot = 0
        self._booted_ns = self._timeline.now
        self.lives: dict[int, Life] = {}
        self.boots: dict[int, int] = {}  # UTC in microseconds at the zero of each boot's monotonic clock
        self.gateway: Gateway | None = None
        self.loop: Loop | None = None
        self.dark_boots: set[int] = set()  # which ended in a power cut
        self.is_on = False
        self._stop = asyncio.Event()
        self._graves: list[tuple[Loop, Gateway | None]] = []
        self._cables: dict[int, object] = {}
        self._fds = 0
        self._plan = 0
        self.watch = watch.Watch(place)
        self.set_clock(0, synced=True)

    # Clocks.

    def now(self) -> int:
        return self._timeline.now - self._booted_ns + 5 * SECOND_NS

    def true_us(self) -> int:
        return TRUE_UTC_US + self._timeline.now // 1000

    def set_clock(self, offset_us: int, *, synced: bool) -> None:
        self._offset_us = offset_us
        self._is_synced = synced

    def unset_clock(self) -> None:
        self.set_clock(-self.true_us(), synced=False)

    def unix_us(self) -> int:
        return self.true_us() + self._offset_us

    def anchor(self, late_us: int) -> Anchor | None:
        now = self.now()
        return clock.anchored(now, self.unix_us(), now, SYNCED_ERROR_US + late_us if self._is_synced else None)

    # Power and processes.

    def power_on(self) -> None:
        self.boot += 1
        self._booted_ns = self._timeline.now
        self.boots[self.boot] = self.true_us() - self.now() // 1000
        self.is_on = True
        self._later(self._random.uniform(1, 4), self.start)

    def _later(self, delay_s: float, work: Callable[[], None]) -> None:
        """Unless something else happens to the process before."""
        self._plan += 1
        plan = self._plan

        def act() -> None:
            if plan == self._plan:
                work()

        self._timeline.after(delay_s, act)

    @property
    def is_stopping(self) -> bool:
        """It was told to end, or told itself."""
        return self._stop.is_set()

    @property
    def runs(self) -> bool:
        return self.loop is not None and not self.loop.dead

    def start(self) -> None:
        if self.runs or not self.is_on:
            return
        self._plan += 1
        loop = self.loop = Loop(self._timeline, self._cables, self._on_disk, self._lag_s)
        self.gateway = None
        with loop.running():
            try:
                gateway = self.gateway = Gateway(self.config, self._world())
            except SpoolError as error:
                self._place.count("gateway could not open its spool")
                self._place.tell(f"gateway cannot start: {error}")
                self._end("refused")
                self._later(5 * RESTART_S, self.start)
                return
            except (PowerCutError, KilledError) as error:
                self._fatal(error)
                return
            self._stop = asyncio.Event()
            task = loop.create_task(gateway.run(self._stop))
        classes = gateway.keeping.spool.stat().classes.values()
        self.lives[gateway.epoch] = Life(self.boot, found_unread=any(chain.unread_files for chain in classes))
        self._place.tell(f"gateway starts, epoch {gateway.epoch}")
        task.add_done_callback(lambda task: self._ended(loop, task))

    def _ended(self, loop: Loop, task) -> None:
        if loop.dead:
            return
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._place.problem(f"the gateway died: {type(error).__name__}: {error}")
        if self.gateway is not None and not self.gateway.keeping.problem:
            left = [file.name for file in (Path(self.config.runtime) / TAPES).iterdir()]
            if left:
                self._place.problem(f"a gateway that ended well left a tape: {left}")
        self._end("stopped")
        self._later(RESTART_S, self.start)

    def stop(self) -> None:
        """SIGTERM."""
        if self.runs and self.gateway is not None:
            self._place.tell("SIGTERM")
            with self.loop.running():
                self._stop.set()

    def kill(self) -> None:
        """SIGKILL; started again."""
        if self.runs:
            self._place.tell("gateway killed")
            self._end("killed")
            self.card = self.card.killed()
            self._later(RESTART_S, self.start)

    def cut(self) -> None:
        """The power is gone, and with it memory; `power_on` brings it back."""
        if not self.is_on:
            return
        self._place.tell("power cut")
        if self.runs:
            self._end("power")
        self.is_on = False
        self._plan += 1
        self.card = self.card.cut()
        shutil.rmtree(self.config.runtime, ignore_errors=True)
        self.dark_boots.add(self.boot)
        self._later(self._random.uniform(2, 8), self.power_on)

    def _end(self, how: str) -> None:
        loop, gateway = self.loop, self.gateway
        assert loop is not None
        loop.kill()
        for complaint in loop.complaints:
            self._place.problem(complaint)
        if gateway is not None:
            self.watch.ended(gateway, self.lives.setdefault(gateway.epoch, Life(self.boot)), how)
        self._graves.append((loop, gateway))
        self.gateway = None
        for cable in list(self._cables.values()):
            cable.close()
        self._cables.clear()
        for link in list(self._place.links):
            link.abandoned(how == "power")

    def _fatal(self, error: Exception) -> None:
        if isinstance(error, KilledError):
            self.kill()
        else:
            self.cut()

    def _lag_s(self) -> float:
        return self._random.uniform(0.0, self.card.cost_s)

    def _on_disk(self, work: Callable) -> tuple[Callable, float]:
        """A job of the spool's thread: its answer, and how long it took."""
        card = self.card
        card.cost_s = 0.0
        try:
            result = work()
        except (PowerCutError, KilledError) as error:
            self._fatal(error)
            return lambda: None, 0.0
        except Exception as error:  # noqa: BLE001  for whoever awaits it
            failure = error

            def fail() -> None:
                raise failure

            return fail, card.cost_s
        return lambda: result, card.cost_s

    # What the gateway is given.

    def _world(self) -> World:
        return World(
            now=self.now,
            unix_us=self.unix_us,
            boot=lambda: self.boot.to_bytes(16),
            anchor=self.anchor,
            look=lambda: Found("kernel" if self._is_synced else "", SYNCED_ERROR_US if self._is_synced else None),
            rtc=lambda: None,
            fix=lambda: None,
            uniform=self._uniform,
            entropy=self._entropy,
            secret=lambda count: bytearray(self._entropy(count)),
            driver=self._place.driver,
            open_line=self._open_line,
            dial=lambda broker, client_id, will, wake, receive: Link(self._place, will, wake, receive),
            files=lambda: self.card,
            limits=lambda: self._limits,
            thread=Inline,
            ready=lambda status: self.watch.ready(self.gateway),
            progress=lambda status: self.watch.progress(self.gateway),
            settle=lambda: None,
            bell=lambda ring: Silent(),
            doors=Shut,
        )

    def _open_line(self, path: str, line) -> object:
        self._fds += 1
        cable = self._cables[self._fds] = self._place.lines[path].opened(self._fds)
        return cable

    def bury(self) -> None:
        if self.runs:
            self._end("story ends")
        for loop, _ in self._graves:
            loop.bury()
        self._graves.clear()
