"""What was committed, told to whoever shows it: new or late. One thread calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from centre.lateness import Front
from centre.live import Update
from centre.store.entry import Entry
from wire.records import Block, Record


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
        front, epoch = self.meet(entry.address.gateway), entry.header.epoch
        records: tuple[list[Record], list[Record]] = [], []  # late, new
        blocks: tuple[list[Block], list[Block]] = [], []
        for record in entry.records:
            records[front.admits_record(epoch, record)].append(record)
        for block in entry.blocks:
            blocks[front.admits_block(epoch, block)].append(block)
        for live in (True, False):
            if records[live] or blocks[live]:
                for listener in self.listeners:
                    listener(Update(entry.address, epoch, records[live], blocks[live], live))
