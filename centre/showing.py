"""What was committed, told to whoever shows it: new or late, each stream's runs decoded. One thread calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from centre import rows
from centre.lateness import Front
from centre.live import Update
from centre.store.entry import Entry
from wire import codec
from wire.records import Block


class _Newest(Protocol):
    def newest(self, gateway: str) -> tuple[int, int, dict[int, int]]: ...


class Showing:
    """`listeners` are called once or twice for each entry: with what is new, and with what is late."""

    def __init__(self, store: _Newest) -> None:
        self._store = store
        self._fronts: dict[str, Front] = {}
        self.listeners: list[Callable[[Update], None]] = []

    def meet(self, gateway: str) -> Front:
        """How far the gateway has come; as the store has it where nothing was told yet. Raises StoreError."""
        if gateway not in self._fronts:
            self._fronts[gateway] = Front(*self._store.newest(gateway))
        return self._fronts[gateway]

    def forget(self, gateways: Iterable[str]) -> None:
        """Others tell of these from now on."""
        for gateway in gateways:
            self._fronts.pop(gateway, None)

    def tell(self, entry: Entry) -> None:
        """Its blocks decode: that was tried before it was taken."""
        samples = [run for block in entry.blocks for run in decoded(entry.header.epoch, block)]
        front, epoch = self.meet(entry.address.gateway), entry.header.epoch
        new_records = [record for record in entry.records if front.admits_record(epoch, record)]
        new_streams = {
            (stream, block.first)
            for block in entry.blocks
            if front.admits_block(epoch, block)
            for stream in range(block.stream, block.stream + block.rows)
        }
        new_ids = {id(record) for record in new_records}
        late_records = [record for record in entry.records if id(record) not in new_ids]
        new = [run for run in samples if (run.stream, run.first) in new_streams]
        late = [run for run in samples if (run.stream, run.first) not in new_streams]
        for records, runs, live in ((new_records, new, True), (late_records, late, False)):
            if records or runs:
                for listener in self.listeners:
                    listener(Update(entry.address, epoch, records, runs, live))


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
