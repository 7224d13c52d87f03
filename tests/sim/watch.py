"""What is looked at while the story runs: after each beat of the data path, and when a gateway ends."""

from __future__ import annotations

from centre.ledger import Place
from tests.sim.loop import SECOND_NS
from wire.ranges import Ranges
from wire.topics import Class

INBOX_LIMIT_COUNT = 64
SLOW_AFTER_S = 30  # a job that began slow may end so much later
LANES_LIMIT_BYTES = 65_536 + 2 * 262_144


class Watch:
    """Nothing is freed that the centre lacks; beats go on; memory is bounded; nothing of ours fails."""

    def __init__(self, place) -> None:
        self._place = place
        self._lost: dict[tuple[int, int, bytes], Ranges] = {}  # (class, epoch, start) -> what was reported as gone
        self._beat_ns: int | None = None
        self.beats = 0
        self._late_beats = 0
        self.longest_beat_s = 0.0

    def ready(self, gateway) -> None:
        self._beat_ns = None
        self._late_beats = 0
        self.progress(gateway)

    def progress(self, gateway) -> None:
        place, now = self._place, self._place.machine.now()
        life = place.machine.lives[gateway.epoch]
        good = not gateway.keeping.problem
        if good and self._beat_ns is not None:
            life.durable_ns = self._beat_ns
        life.disk_was_bad = not good
        if self._beat_ns is not None:
            self._pace((now - self._beat_ns) / SECOND_NS, gateway.config.interval_s)
        self._beat_ns = now
        self.beats += 1
        self._late_beats += self._place.timeline.now > self._place.devices_end_ns
        self._note_losses(gateway.keeping.spool)
        self.held(gateway.keeping.spool)
        self._memory(gateway)

    @property
    def late_beats(self) -> int:
        """Beats of this gateway since the devices ended."""
        return self._late_beats

    def _pace(self, took_s: float, interval_s: float) -> None:
        """A bad link never holds up the data path; a slow card does, for as long as its syncs take."""
        self.longest_beat_s = max(self.longest_beat_s, took_s)
        slow_s = max(self._place.slowest_sync_s, 0.01)
        if took_s > interval_s + 40 * slow_s + 2.0:
            self._place.problem(f"the data path stood still for {took_s:.1f} s")

    def _note_losses(self, spool) -> None:
        starts = spool.numbers.starts
        for lost in spool.undeclared():
            place = lost.cls, lost.epoch, starts.get(lost.epoch, b"")
            self._lost.setdefault(place, Ranges()).add(lost.first, lost.last)
        for damage in spool.damage:
            if damage.epoch is not None and damage.first is not None and damage.last is not None:
                place = damage.cls, damage.epoch, starts.get(damage.epoch, b"")
                self._lost.setdefault(place, Ranges()).add(damage.first, damage.last)

    def held(self, spool) -> None:
        """What the spool takes for held, the centre has of that start, or it was reported as gone."""
        ledger, gateway = self._place.centre.store._ledger, self._place.address.gateway
        for (cls, epoch), ranges in spool._acks.held.items():
            start = spool.numbers.starts.get(epoch, b"")
            account = ledger._find(Place(gateway, epoch, Class(cls)))
            has = account.held if account and start in (b"", ledger.start(gateway, epoch)) else Ranges()
            apart = ledger._apart.get(gateway, {}).get((epoch, start, Class(cls)))
            known = self._lost.get((cls, epoch, start), Ranges())
            for first, last in ranges:
                missing = [hole for piece in has.missing(first, last) for hole in known.missing(*piece)]
                wrong = [hole for piece in missing for hole in (apart.held if apart else Ranges()).missing(*piece)]
                if wrong:
                    self._place.problem(
                        f"the spool holds {Class(cls).word} {epoch}:{wrong} for held; the centre lacks it"
                    )

    def _memory(self, gateway) -> None:
        spool, uplink = gateway.keeping.spool, gateway.uplink
        lanes = uplink._flow._lanes
        sizes = {
            "buffer": (spool._buffer.used_bytes, spool._limits.buffer_bytes),
            "lanes": (lanes.live_bytes + lanes.backfill_bytes, LANES_LIMIT_BYTES),
            "inbox": (len(uplink._errands._inbox), INBOX_LIMIT_COUNT),
            "tapes": (len(gateway.tapes._waiting), 600 + len(gateway.ports)),
            "owed": (len(gateway._owed), 1000),
        }
        for name, (size, limit) in sizes.items():
            if size > limit:
                self._place.problem(f"memory: {name} is {size}, more than {limit}")

    def ended(self, gateway, life, how: str) -> None:
        """The process is no more."""
        life.end, life.end_ns = how, self._place.machine.now()
        card, since_ns = self._place.machine.card, self._place.timeline.now - self._place.slow_ns
        is_slow = card.slow_s > 0 or since_ns < SLOW_AFTER_S * SECOND_NS
        life.disk_was_bad = life.disk_was_bad or bool(gateway.keeping.problem) or is_slow
        life.could_not_note = how in ("killed", "power") and gateway.keeping.spool._acks.failures > 0
        for task in gateway.supervisor.watched:
            ends_itself = (
                self._place.machine.is_stopping and task.name == "uplink" and task.last_error == "ended by itself"
            )
            if (
                task.failures
                and not ends_itself
                and not (task.name.startswith("port ") and "BugError" in task.last_error)
            ):
                self._place.problem(f"task {task.name} failed: {task.last_error}")
        self._place.tell(f"epoch {gateway.epoch} ended: {how}")
