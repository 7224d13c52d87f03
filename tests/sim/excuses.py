"""Why a unit that was read may be missing at the centre, or stand there twice: what was said, or could not be."""

from __future__ import annotations

from agent.pulse import LINES_NS
from tests.sim.device import Truth, Unit
from tests.sim.loop import SECOND_NS
from tests.sim.stored import Store
from wire.topics import Class


class Excuses:
    """Of one device."""

    def __init__(self, stage, store: Store, truth: Truth) -> None:
        self.stage, self.store, self.truth = stage, store, truth
        self.lives = stage.machine.lives
        self.unreadable = store.unreadable()
        self.skipped = {n["epoch"] for n in store.notices if n["kind"] == "line"}
        self.closed = {n["code"] for n in store.notices if n["kind"] == "session" and n["phase"] == "closed"}

    def may_double(self, epoch: int) -> bool:
        """What went live while the card refused it, or is in a file that was refused, and was heard again from the tape
        after a kill."""
        life = self.lives[epoch]
        found_unread = any(life.found_unread for later, life in self.lives.items() if later > epoch)
        return life.end in ("killed", "stopped", "refused") and (life.disk_was_bad or found_unread)

    def explained(self, n: int, cls: Class, before: tuple[int, int], after: tuple[int, int]) -> bool:
        unit = self.truth.units[n]
        if unit.faulted and ("fault" in self.closed or self.store.is_lost(before[0], Class.VITAL)):
            return True  # that the session closed so was said, or is declared lost
        if unit.hurt and (self._noise_is_told() or self.was_about_to_tell(unit)):
            return True
        if self.stage.rotten and before[0] != after[0]:
            return True  # rot at the end of a chain looks as a power cut does, and `ended` is all that can be said
        return self._declared(cls, before, after) or self._in_the_dark(unit)

    def was_about_to_tell(self, unit: Unit) -> bool:
        """A line's count is said every ten seconds at most, and goes with the process; a story ends in between too."""
        boot, t = unit.read
        now = self.stage.machine.now()
        ends = [
            now if life.end == "runs" else life.end_ns
            for life in self.lives.values()
            if life.boot == boot and life.end in ("killed", "power", "runs")
        ]
        return any(0 <= end - t * 1000 < LINES_NS + 2 * SECOND_NS for end in ends)

    def _noise_is_told(self) -> bool:
        return any(cause == "parse" for gaps in self.store.gaps.values() for *_, cause in gaps) or bool(self.skipped)

    def _declared(self, cls: Class, before: tuple[int, int], after: tuple[int, int]) -> bool:
        """Whether envelopes between these two (epoch, seq) are declared lost, or wait for a grant that is."""
        for epoch in range(before[0], min(after[0], max(self.lives)) + 1):
            low = before[1] + 1 if epoch == before[0] else 0
            high = after[1] - 1 if epoch == after[0] else 1 << 40
            if self.store.is_lost(epoch, int(cls), low, high):
                return True
            if any(e == epoch and c == int(cls) and low <= seq <= high for e, c, seq in self.unreadable):
                return True
            if epoch in self.store.nameless or any(life.could_not_note for life in self.lives.values()):
                return True
        return False

    def _in_the_dark(self, unit: Unit) -> bool:
        """Read too late before a power cut to be durable."""
        boot, t = unit.read
        durable_ns = max((life.durable_ns for life in self.lives.values() if life.boot == boot), default=-1)
        return boot in self.stage.machine.dark_boots and t * 1000 >= durable_ns
