"""What goes wrong, in an order that the seed decides: every kind comes once before any comes again."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from agent.lab.programs import Program
from tests.chaos.proxy import DOWN, UP, Proxy, pause
from tests.chaos.rig import Rig

DELAY_LIMIT_S = 0.4
SEVER_LIMIT_BYTES = 400
CENTRE_EVERY = 8  # one line fault in so many is the centre's
DEAF_EVERY = 6  # of the centre's, one in so many is half-open: it takes its keepalive, 90 s, to be noticed

T = TypeVar("T")
LineFault = Callable[[Proxy, random.Random, float], Awaitable[None]]  # how long it lasts, in seconds
ProgramFault = Callable[[Rig, random.Random, float], Awaitable[None]]  # how long what ends is away


async def cut(line: Proxy, _dice: random.Random, _lasts_s: float) -> None:
    line.cut()


async def reset(line: Proxy, _dice: random.Random, _lasts_s: float) -> None:
    line.reset()


async def sever(line: Proxy, dice: random.Random, _lasts_s: float) -> None:
    """In the middle of a packet."""
    line.mood.sever_after_bytes = dice.randint(1, SEVER_LIMIT_BYTES)


async def delay(line: Proxy, dice: random.Random, lasts_s: float) -> None:
    line.mood.delay_s = dice.uniform(0.005, DELAY_LIMIT_S)
    await pause(lasts_s)
    line.mood.delay_s = 0.0


async def pieces(line: Proxy, _dice: random.Random, lasts_s: float) -> None:
    line.mood.in_pieces = True
    await pause(lasts_s)
    line.mood.in_pieces = False


async def stall(line: Proxy, _dice: random.Random, lasts_s: float) -> None:
    line.stall()
    await pause(lasts_s)
    line.heal()


async def refuse(line: Proxy, _dice: random.Random, lasts_s: float) -> None:
    line.mood.refuses = True
    line.reset()
    await pause(lasts_s)
    line.mood.refuses = False


async def deaf_up(line: Proxy, _dice: random.Random, lasts_s: float) -> None:
    await _deaf(line, UP, lasts_s)


async def deaf_down(line: Proxy, _dice: random.Random, lasts_s: float) -> None:
    await _deaf(line, DOWN, lasts_s)


async def _deaf(line: Proxy, way: str, lasts_s: float) -> None:
    """Half-open: the connections of this moment never hear from that side again, and nobody says so."""
    line.mood.swallows.add(way)
    await pause(lasts_s)
    line.mood.swallows.discard(way)


async def broker_restart(rig: Rig, _dice: random.Random, away_s: float) -> None:
    await rig.broker.end()
    await pause(away_s)
    await rig.start_broker()


async def broker_kill(rig: Rig, _dice: random.Random, away_s: float) -> None:
    """It comes back with what it wrote down last, some seconds old."""
    await _killed(rig.broker)
    await pause(away_s)
    await rig.start_broker()


async def broker_wipe(rig: Rig, _dice: random.Random, away_s: float) -> None:
    """What it acknowledged is gone: queues, sessions, retained packets."""
    await _killed(rig.broker)
    rig.wipe_broker()
    await pause(away_s)
    await rig.start_broker()


async def centre_restart(rig: Rig, _dice: random.Random, away_s: float) -> None:
    await rig.centre.end()
    await pause(away_s)
    await rig.centre.start()


async def centre_kill(rig: Rig, _dice: random.Random, away_s: float) -> None:
    await _killed(rig.centre)
    await pause(away_s)
    await rig.centre.start()


async def gateway_restart(rig: Rig, dice: random.Random, away_s: float) -> None:
    program = dice.choice(rig.beds).program
    await program.end()
    await pause(away_s)
    await program.start()


async def gateway_kill(rig: Rig, dice: random.Random, away_s: float) -> None:
    program = dice.choice(rig.beds).program
    await _killed(program)
    await pause(away_s)
    await program.start()


async def power_cut(rig: Rig, dice: random.Random, away_s: float) -> None:
    """Everything at once, and back in any order."""
    everything = rig.programs()
    await asyncio.gather(*(_killed(program) for program in everything))
    await pause(away_s)
    dice.shuffle(everything)
    for program in everything:
        await program.start()


async def _killed(program: Program) -> None:
    program.kill()
    await program.wait()


LINE_FAULTS: tuple[LineFault, ...] = (cut, reset, sever, delay, pieces, stall, refuse, deaf_up, deaf_down)
PROGRAM_FAULTS: tuple[ProgramFault, ...] = (
    broker_restart, broker_kill, broker_wipe, centre_restart, centre_kill, gateway_restart, gateway_kill, gateway_kill,
    power_cut,
)  # fmt: skip


@dataclass(slots=True)
class Plan:
    """How often (between faults), how long, and which; seconds, the least and the most."""

    line_every_s: tuple[float, float] = (0.5, 2.5)
    line_lasts_s: tuple[float, float] = (1.0, 6.0)
    program_every_s: tuple[float, float] = (1.0, 9.0)
    program_away_s: tuple[float, float] = (0.0, 4.0)
    limit_s: float = 3 * 3600.0  # then it is healed, done or not
    drain_limit_s: float = 900.0  # and so long after that, nothing may wait any more
    line_faults: tuple[LineFault, ...] = LINE_FAULTS
    program_faults: tuple[ProgramFault, ...] = PROGRAM_FAULTS


class Chaos:
    """Lines and programs break, each with dice of their own, until `stop`. `done` counts faults that are over."""

    def __init__(self, rig: Rig, seed: int, plan: Plan) -> None:
        self._rig = rig
        self._seed = seed
        self._plan = plan
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.done: Counter[str] = Counter()
        self.crashes: list[str] = []  # programs that ended and nobody had ended them

    @property
    def had_all(self) -> bool:
        """Every kind of fault was there at least once, and is over."""
        return all(self.done[fault.__name__] for fault in (*self._plan.line_faults, *self._plan.program_faults))

    def begin(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """No new ones; what has begun ends. Raises what went wrong with the chaos itself."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def heal(self) -> None:
        """Good lines, and all programs run."""
        await self.stop()
        for line in self._rig.lines():
            line.heal()
        await self._revive()

    def failed(self) -> bool:
        return self._task is not None and self._task.done()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._break_lines(group))
            group.create_task(self._break_programs())

    async def _break_lines(self, group: asyncio.TaskGroup) -> None:
        dice = random.Random(f"{self._seed} lines")
        for fault in _deck(self._plan.line_faults, dice):
            await pause(dice.uniform(*self._plan.line_every_s), self._stopping)
            if self._stopping.is_set():
                return
            group.create_task(self._one_line(fault, random.Random(dice.random())))

    async def _one_line(self, fault: LineFault, dice: random.Random) -> None:
        is_deaf = fault in (deaf_up, deaf_down)
        of_centre = dice.randrange(CENTRE_EVERY * (DEAF_EVERY if is_deaf else 1)) == 0
        line = self._rig.centre_line if of_centre else dice.choice(self._rig.beds).proxy
        await fault(line, dice, dice.uniform(*self._plan.line_lasts_s))
        self.done[fault.__name__] += 1

    async def _break_programs(self) -> None:
        dice = random.Random(f"{self._seed} programs")
        for fault in _deck(self._plan.program_faults, dice):
            await pause(dice.uniform(*self._plan.program_every_s), self._stopping)
            if self._stopping.is_set():
                return
            await self._revive()
            await fault(self._rig, dice, dice.uniform(*self._plan.program_away_s))
            self.done[fault.__name__] += 1

    async def _revive(self) -> None:
        """Between faults everything runs; what does not has crashed."""
        for program in self._rig.programs():
            if program.died():
                self.crashes.append(f"{program.name}: {program.last_words()}")
                await program.start()


def _deck(kinds: tuple[T, ...], dice: random.Random) -> Iterator[T]:
    """All kinds in any order, again and again."""
    while kinds:
        yield from dice.sample(kinds, len(kinds))
