"""The talk with the device: begin, ask who it is, then ask for data for as long as it answers; one request at a time.

    beginning --answer to ICC--> asking: identity, curves (configure, enable), then rounds, one a second
    a round: measured data and both lists of alarms, and one of the slower lists in turn
    silent for 10 s, or stopped by the device: begin again

The device ends the session where it hears nothing for 3 s, and may take 10 s to answer: NOP goes out every 2 s then. It
sends commands of its own, which are answered with the empty response. All bytes that may be sent are built here and
in `curves`; none of them sets, starts or silences anything at the bedside.
Source: Draeger RS 232 MEDIBUS Protocol Definition rev. 6.00, "MEDIBUS-Life-Cycle", "Time-Out".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from drivers.contract import Send
from drivers.draeger.curves import CONFIGURATIONS, ENABLES, Curve, chosen, configure, curves, enable
from drivers.draeger.slow import (
    ALARMS_1,
    ALARMS_2,
    CONFIGURE_CURVES,
    CURVES,
    CURVES_CHANGED,
    DATE,
    HIGH_1,
    HIGH_2,
    ICC,
    IDENTIFY,
    LOW_1,
    LOW_2,
    MEASURED_1,
    MEASURED_2,
    NOP,
    SETTINGS,
    STOP,
    TEXTS,
    TIME_CHANGED,
    Message,
    command,
    response,
)

SECOND_NS = 1_000_000_000
ROUND_NS = SECOND_NS
NOP_NS = 2 * SECOND_NS
AGAIN_NS = 5 * SECOND_NS
SILENT_NS = 10 * SECOND_NS
CURVES_SILENT_NS = 30 * SECOND_NS

EVERY_ROUND = (MEASURED_1, ALARMS_1, ALARMS_2)
IN_TURN = (TEXTS, SETTINGS, MEASURED_2, DATE, LOW_1, HIGH_1, LOW_2, HIGH_2)
ANSWERED = (NOP, ICC, IDENTIFY, STOP, TIME_CHANGED, CURVES_CHANGED)
SENDS = (
    frozenset(command(code) for code in (ICC, IDENTIFY, NOP, CURVES, *EVERY_ROUND, *IN_TURN))
    | frozenset(response(code) for code in ANSWERED)
    | CONFIGURATIONS
    | ENABLES
)


class Talk:
    """From plug to unplug. `streams` are the curves the device agreed to send, in order."""

    def __init__(self) -> None:
        self.wake_at: int | None = None
        self.streams: list[Curve] = []
        self._begun = False
        self._waiting = False  # for the answer to a request
        self._suspended = False
        self._heard_at = 0
        self._round_at = 0
        self._curves_at: int | None = None  # when the last record was heard, None where there are no curves
        self._turn = 0
        self._todo: deque[bytes] = deque()
        self._wanted: list[Curve] = []

    def open(self, now: int) -> Iterator[Send]:
        self._begun, self._waiting, self._suspended = False, False, False
        self.streams, self._wanted, self._curves_at = [], [], None
        self._todo.clear()
        self.wake_at = now + AGAIN_NS
        yield Send(command(ICC))

    def suspend(self, now: int, *, on: bool) -> Iterator[Send]:
        """The device asks us to be silent, or lifts that."""
        self._heard_at = now
        self._suspended = on
        if on:
            self.wake_at = now + NOP_NS
        elif self._begun and not self._waiting:
            yield from self._next(now)

    def record(self, now: int) -> None:
        """A realtime record was heard."""
        self._curves_at = now

    def hear(self, message: Message, now: int) -> Iterator[Send]:
        self._heard_at = now
        if message.is_command:
            yield from self._commanded(message.code, now)
            return
        self._waiting = False
        if message.code == ICC:
            self._begin(now)
        elif message.code == CURVES:
            self._offered(message)
        elif message.code == CONFIGURE_CURVES and self._wanted:
            self.streams, self._wanted, self._curves_at = self._wanted, [], now
            yield Send(enable(len(self.streams)))
        if self._begun:
            yield from self._next(now)

    def wake(self, now: int) -> Iterator[Send]:
        """`wake_at` has passed. A suspension ends here: the device gives up a host that is silent for longer."""
        self._suspended = False
        if not self._begun or now - self._heard_at >= SILENT_NS:
            yield from self.open(now)
        elif self._waiting:
            self.wake_at = now + NOP_NS
            yield Send(command(NOP))
        else:
            yield from self._next(now)

    def _begin(self, now: int) -> None:
        self._begun = True
        self.streams, self._wanted, self._curves_at = [], [], None
        self._todo = deque((command(IDENTIFY), command(CURVES)))
        self._round_at = now

    def _commanded(self, code: int, now: int) -> Iterator[Send]:
        if code in ANSWERED:
            yield Send(response(code))
        if code == ICC:  # it begins anew, and has forgotten the curves
            self._begin(now)
            if not self._waiting:
                yield from self._next(now)
        elif code == CURVES_CHANGED:
            self.streams, self._curves_at = [], None
            self._todo.append(command(CURVES))
        elif code == STOP:
            self._begun, self._waiting = False, False
            self.streams, self._curves_at = [], None
            self.wake_at = now + AGAIN_NS

    def _offered(self, message: Message) -> None:
        self._wanted = chosen(curves(message))
        if self._wanted:
            self._todo.appendleft(configure(curve.code for curve in self._wanted))

    def _next(self, now: int) -> Iterator[Send]:
        """The next request, or a pause until the next round."""
        if not self._todo and now >= self._round_at:
            self._fill(now)
        if self._suspended or not self._todo:
            self.wake_at = now + NOP_NS if self._suspended else self._round_at
            return
        self._waiting = True
        self.wake_at = now + NOP_NS
        yield Send(self._todo.popleft())

    def _fill(self, now: int) -> None:
        self._round_at = max(self._round_at + ROUND_NS, now)
        self._todo.extend(command(code) for code in (*EVERY_ROUND, IN_TURN[self._turn]))
        self._turn = (self._turn + 1) % len(IN_TURN)
        if self._curves_at is not None and now - self._curves_at >= CURVES_SILENT_NS:
            self._curves_at = now
            self._todo.append(command(CURVES))
