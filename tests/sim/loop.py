"""Virtual time: one timeline for the whole world, and on it an event loop for each process that runs in it.

When nothing is ready, time jumps to the next thing that is. Everything that happens takes a microsecond, so no two
things happen at once and a loop that turns without waiting still moves the clock.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable
from contextlib import contextmanager

SECOND_NS = 1_000_000_000
STEP_NS = 1_000
BORN_NS = 1_000 * SECOND_NS


class Timeline:
    """Things that will happen, in the order of their time and then of their announcement."""

    def __init__(self) -> None:
        self.now = BORN_NS
        self.steps = 0
        self._heap: list[tuple[int, int, Callable[..., object], tuple]] = []
        self._order = itertools.count()

    def at(self, when_ns: int, work: Callable[..., object], *args: object) -> None:
        heapq.heappush(self._heap, (when_ns, next(self._order), work, args))

    def after(self, delay_s: float, work: Callable[..., object], *args: object) -> None:
        self.at(self.now + int(delay_s * SECOND_NS), work, *args)

    def run(self, until_ns: int, is_over: Callable[[], bool] = lambda: False) -> None:
        """Let things happen up to a moment, or until `is_over` says so (asked after each)."""
        heap = self._heap
        while heap and heap[0][0] <= until_ns:
            when, _, work, args = heapq.heappop(heap)
            if isinstance(work, asyncio.Handle) and work.cancelled():
                continue
            self.now = max(when, self.now + STEP_NS)
            self.steps += 1
            work(*args)
            if is_over():
                return
        self.now = max(self.now, until_ns)


class Turn(asyncio.Handle):
    """A callback of a process; called by the timeline."""

    def __call__(self) -> None:
        loop = self._loop
        if not loop.dead:
            with loop.running():
                self._run()


class Timer(Turn, asyncio.TimerHandle):
    """The same, later."""


class Task(asyncio.Task):
    """Sets of tasks are walked in the order of birth, not of addresses in memory."""

    def __init__(self, *args: object, number: int, **kwargs: object) -> None:
        self._number = number
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class Inline:
    """The spool's thread before the loop runs: what it is asked is done at once."""

    def submit(self, work: Callable[[], object]) -> Inline:
        self._answer = work()
        return self

    def result(self) -> object:
        return self._answer

    def shutdown(self) -> None:
        """There is no thread."""


class Loop(asyncio.AbstractEventLoop):
    """One process. `work_on_disk(work)` does a job of the spool's thread and says how many seconds it took.

    A job happens all at once, at a moment that `lag_s()` puts somewhere into the time it is likely to take.
    """

    def __init__(self, timeline: Timeline, cables: dict, work_on_disk: Callable, lag_s: Callable[[], float]) -> None:
        self._lag_s = lag_s
        self.timeline = timeline
        self.dead = False
        self.complaints: list[str] = []
        self._cables = cables
        self._work_on_disk = work_on_disk
        self._jobs: deque[tuple[asyncio.Future, Callable]] = deque()
        self._numbers = itertools.count(1)
        self.tasks: list[asyncio.Task] = []

    @contextmanager
    def running(self):
        asyncio._set_running_loop(self)
        try:
            yield
        finally:
            asyncio._set_running_loop(None)

    def time(self) -> float:
        return self.timeline.now / SECOND_NS

    def call_soon(self, callback, *args, context=None) -> Turn:
        turn = Turn(callback, args, self, context)
        self.timeline.at(self.timeline.now, turn)
        return turn

    call_soon_threadsafe = call_soon

    def call_later(self, delay, callback, *args, context=None) -> Timer:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(self, when, callback, *args, context=None) -> Timer:
        timer = Timer(when, callback, args, self, context)
        self.timeline.at(math.ceil(when * SECOND_NS), timer)
        return timer

    def _timer_handle_cancelled(self, handle) -> None:
        """It is skipped when its time comes."""

    def create_future(self) -> asyncio.Future:
        return asyncio.Future(loop=self)

    def create_task(self, coro, *, name=None, context=None) -> Task:
        number = next(self._numbers)
        task = Task(coro, loop=self, name=name or f"task {number}", context=context, number=number)
        self.tasks.append(task)
        return task

    def run_in_executor(self, executor, func, *args) -> asyncio.Future:
        """No executor: what blocks and is rare, done after a moment. Else the spool's thread, one job at a time."""
        future = self.create_future()
        if executor is None:
            self.call_later(0.002, self._do, future, lambda: func(*args))
            return future
        self._jobs.append((future, lambda: func(*args)))
        if len(self._jobs) == 1:
            self._next_job()
        return future

    def _next_job(self) -> None:
        self.call_later(self._lag_s(), self._start_job)

    def _start_job(self) -> None:
        future, work = self._jobs[0]
        answer, seconds = self._work_on_disk(work)
        if not self.dead:
            self.call_later(seconds, self._end_job, future, answer)

    def _end_job(self, future, answer: Callable) -> None:
        self._jobs.popleft()
        if self._jobs:
            self._next_job()
        self._do(future, answer)

    def _do(self, future, work: Callable) -> None:
        if future.cancelled():
            return
        try:
            result = work()
        except Exception as error:  # noqa: BLE001  for whoever awaits it
            future.set_exception(error)
        else:
            future.set_result(result)

    def add_reader(self, fd, callback, *args) -> None:
        self._cables[fd].watch(lambda: self.call_soon(self._read, fd))
        self._cables[fd].reader = (callback, args)
        self._cables[fd].look()

    def _read(self, fd) -> None:
        cable = self._cables.get(fd)
        if cable is not None and cable.reader is not None:
            cable.rung = False
            callback, args = cable.reader
            callback(*args)
            cable.look()

    def remove_reader(self, fd) -> bool:
        cable = self._cables.get(fd)
        had = cable is not None and cable.reader is not None
        if had:
            cable.reader = None
        return had

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self.dead

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context) -> None:
        if not self.dead:
            error = context.get("exception")
            self.complaints.append(f"{context['message']}: {type(error).__name__}: {error}")

    def kill(self) -> None:
        """From here on nothing of this process happens."""
        self.dead = True

    def bury(self) -> None:
        """End its coroutines, when nobody looks any more; what they do in their end is done to the dead."""
        for task in self.tasks:
            task._log_destroy_pending = False
            if not task.done():
                try:
                    task.get_coro().close()
                except (RuntimeError, ValueError, OSError, AssertionError):
                    continue
        self.tasks.clear()
