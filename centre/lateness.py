"""Telling live from backfill: nothing older than what a stream had already is ever shown as new (DESIGN 8). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from wire.records import Block, NumericAt, Record

_Key = tuple[str, int]


@dataclass(slots=True)
class Front:
    """How far one gateway has come in its newest `epoch`: `floor` is the latest `t` that its store had at start."""

    epoch: int = -1
    floor: int = -1
    ends: dict[int, int] = field(default_factory=dict)  # one past the newest sample, by stream
    times: dict[_Key, int] = field(default_factory=dict)

    def admits_record(self, epoch: int, record: Record) -> bool:
        """Whether it is new; what is new moves the front."""
        if not self._enter(epoch):
            return False
        key = (type(record).__name__, record.stream if isinstance(record, NumericAt) else -1)
        if record.t < self.times.get(key, self.floor):
            return False
        self.times[key] = record.t
        return True

    def admits_block(self, epoch: int, block: Block) -> bool:
        """Whether it is new; what is new moves the front."""
        if not self._enter(epoch):
            return False
        streams = range(block.stream, block.stream + block.rows)
        if any(block.first < self.ends.get(stream, 0) for stream in streams):
            return False
        self.ends.update(dict.fromkeys(streams, block.first + block.count))
        return True

    def _enter(self, epoch: int) -> bool:
        if epoch > self.epoch:
            self.epoch, self.floor = epoch, -1
            self.ends.clear()
            self.times.clear()
        return epoch == self.epoch
