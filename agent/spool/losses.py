"""What was damaged: counted, copied aside, remembered until the gateway has declared it."""

from __future__ import annotations

from pathlib import Path

from agent.spool.acks import Acks
from agent.spool.files import Files
from agent.spool.quarantine import Quarantine
from agent.spool.terms import Cause, Damage, Limits, Lost
from wire.ranges import Ranges


class Losses:
    """`damage` keeps the first `damage_entries` of this run; the counters count all."""

    def __init__(self, files: Files, folder: Path, limits: Limits, acks: Acks) -> None:
        self.quarantine = Quarantine(files, folder, limits.quarantine_bytes)
        self._acks = acks
        self._limit_entries = limits.damage_entries
        self.damage: list[Damage] = []
        self.damaged = 0
        self.torn = 0

    def report(self, damage: Damage, data: bytes) -> None:
        """Unless it is settled already: a damaged frame stays on the disk until its segment is used again."""
        if self._settled(damage):
            return
        if damage.torn:
            self.torn += 1
        else:
            self.damaged += 1
        if len(self.damage) < self._limit_entries:
            self.damage.append(damage)
        if data:
            self.quarantine.keep(damage.place, data)
        if damage.epoch is None or damage.first is None or damage.last is None:
            return
        pieces = self._acks.unsettled(damage.cls, damage.epoch, damage.first, damage.last)
        self._acks.lose(Lost(damage.cls, damage.epoch, a, b, Cause.DAMAGED) for a, b in pieces)
        self._acks.of(damage.cls, damage.epoch).add(damage.first, damage.last)

    def held(self, cls: int, epoch: int) -> Ranges:
        """What needs nothing more from us."""
        return self._acks.held.get((cls, epoch), Ranges())

    def evicted(self, cls: int) -> dict[int, Ranges]:
        return self._acks.evicted(cls)

    def explains(self, damage: Damage) -> bool:
        """Whether this was reported, in this run or an earlier one."""
        return self._settled(damage) or any(damage.place == known.place for known in self.damage)

    def _settled(self, damage: Damage) -> bool:
        if damage.epoch is None or damage.first is None or damage.last is None:
            return False
        return not self._acks.unsettled(damage.cls, damage.epoch, damage.first, damage.last)
