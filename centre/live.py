"""What arrives now, handed from the ingest thread to the pages' asyncio loop. A slow loop loses the oldest, counted."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from centre import rows
from centre.counts import Counts
from wire import codec
from wire.records import Block, Record
from wire.topics import Address

QUEUE_LIMIT_UPDATES = 1024


@dataclass(frozen=True)
class Update:
    """What one envelope said. `live` is False for what is older than what its stream had already: backfill."""

    address: Address
    epoch: int
    records: Sequence[Record]
    blocks: Sequence[Block]
    live: bool

    @cached_property
    def samples(self) -> list[rows.Samples]:
        """The blocks' runs; decoded once somebody looks, for mostly nobody does."""
        return [run for block in self.blocks for run in decoded(self.epoch, block)]

    @property
    def gateway(self) -> str:
        return self.address.gateway


def decoded(epoch: int, block: Block) -> list[rows.Samples]:
    """The block's runs, one for each stream. Raises CodecError."""
    values = codec.decode(block.coded, block.rows, block.count)
    return [
        rows.Samples(
            epoch=epoch,
            stream=block.stream + row,
            first=block.first,
            t=block.t,
            values=values[row],
            marks=tuple(mark for mark in block.marks if mark.row == row),
        )
        for row in range(block.rows)
    ]


class Live:
    """Callbacks run in the loop they subscribed from, in order of arrival, and must return at once."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._lock = threading.Lock()
        self._lines: list[_Line] = []
        self.on_look: Callable[[str, bool], None] = lambda _gateway, _begins: None

    def subscribe(self, callback: Callable[[Update], None], gateway: str = "") -> Callable[[], None]:
        """Call within a running loop; returns what ends it. `gateway`: whose updates are wanted, if one's."""
        line = _Line(callback, asyncio.get_running_loop(), self._counts, gateway)
        with self._lock:
            self._lines.append(line)
        if gateway:
            self.on_look(gateway, True)
        return lambda: self._leave(line)

    def tell(self, update: Update) -> None:
        """From any thread."""
        with self._lock:
            lines = list(self._lines)
        for line in lines:
            line.put(update)

    def _leave(self, line: _Line) -> None:
        with self._lock:
            was_here = line in self._lines
            if was_here:
                self._lines.remove(line)
        line.close()
        if was_here and line.gateway:
            self.on_look(line.gateway, False)


class _Line:
    """The queue of one subscriber."""

    def __init__(
        self, callback: Callable[[Update], None], loop: asyncio.AbstractEventLoop, counts: Counts, gateway: str
    ) -> None:
        self.gateway = gateway
        self._callback = callback
        self._loop = loop
        self._counts = counts
        self._lock = threading.Lock()
        self._waiting: deque[Update] = deque()
        self._woken = False
        self._closed = False

    def put(self, update: Update) -> None:
        with self._lock:
            if self._closed or self._loop.is_closed():
                return
            if len(self._waiting) >= QUEUE_LIMIT_UPDATES:
                self._waiting.popleft()
                self._counts.add("live_updates_dropped")
            self._waiting.append(update)
            if not self._woken:
                self._woken = True
                self._loop.call_soon_threadsafe(self._drain)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._waiting.clear()

    def _drain(self) -> None:
        with self._lock:
            ready = list(self._waiting)
            self._waiting.clear()
            self._woken = False
        for update in ready:
            if not self._closed:
                self._callback(update)
