"""Flow: every decision of the uplink, without a socket. Pure; times are monotonic nanoseconds.

An envelope is live or backfill in a lane, then in flight, then rests as sent until it is held (DESIGN 7). Wherever it
stops on the way (link lost, refused, over a limit) it is backlog again, because the spool has it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from agent.uplink.account import UNHEARD, Account
from agent.uplink.asked import Asked
from agent.uplink.lanes import LIVE_LIMIT_BYTES, Lane, Lanes, Parcel
from agent.uplink.pace import FETCH_LEAST_BYTES, SECOND_NS, RoundTrip, Terms, Window
from agent.uplink.receipts import PATIENCE_LEAST_S, Patience
from agent.uplink.recent import Busy, Flight, Key, Recent, busy
from wire.command import Wanted
from wire.ranges import Ranges
from wire.receipt import Held
from wire.topics import Class

STALL_LEAST_S = 20.0
LOOK_EVERY_S = 5.0
PACKET_OVERHEAD_BYTES = 128  # MQTT's own bytes around an envelope: topic of 64, identifiers, lengths
STRIKES_LIMIT_COUNT = 3
STRUCK_LIMIT_COUNT = 1024
REFUSALS_LIMIT_COUNT = 3


class Stored(Protocol):
    """An envelope as the spool gives it back."""

    @property
    def cls(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def hour(self) -> int: ...
    @property
    def seq(self) -> int: ...
    @property
    def data(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Times and sizes; the defaults are for links from 9.6 kbit/s to loopback."""

    stall_least_s: float = STALL_LEAST_S
    patience_least_s: float = PATIENCE_LEAST_S
    look_every_s: float = LOOK_EVERY_S
    close_limit_s: float = 3.0
    live_limit_bytes: int = LIVE_LIMIT_BYTES


class Flow:
    """Lanes, flight, window and what rests, as one thing. `up` and `down` bracket each connection."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lanes = Lanes(limits.live_limit_bytes)
        self._flight = Flight()
        self._window = Window()
        self._terms = Terms()
        self._recent = Recent()
        self._aside: dict[int, int] = {}  # packets of ours that are no envelopes, and when they were handed over
        self._newest = (-1, -1)  # the hour of the last grant
        self._opening: Parcel | None = None  # that grant, until the broker has it
        self._strikes: Counter[tuple[int, int, int]] = Counter()
        self._progress_ns = 0
        self._look_ns = 0
        self._stopping = False
        self.trip = RoundTrip()
        self.patience = Patience(limits.patience_least_s)
        self.account = Account()
        self._refusals = 0  # since the last envelope that was accepted
        self._last_refusal = ""
        self._unheard: dict[Class, int] = {}  # what nobody subscribed to, and when that was said last
        self._asked = Asked()
        self.is_up = False

    def up(self, terms: Terms, now: int) -> None:
        """A connection begins: a fresh window, and the backlog is looked at."""
        self._terms = terms
        self._window = Window()
        self._window.receive_limit_count = terms.receive_limit_count
        self._progress_ns = self._look_ns = now
        self._unheard.clear()
        self.is_up = True
        self.account.connects += 1
        if self._opening is not None:  # nothing live can be read before it: it must not wait in the backlog
            self._lanes.offer(self._opening)

    def down(self, now: int) -> None:
        """A connection ended: all that was queued or in flight is backlog again."""
        self.is_up = False
        self._aside.clear()
        lost = self._flight.lose()
        self.account.unanswered += len(lost)
        self.account.live_left += len(self._lanes.park())
        for parcel in lost:
            self._strike(parcel, now)

    def _strike(self, parcel: Parcel, now: int) -> None:
        """What is in flight each time the link breaks may be what breaks it: let it rest, and others pass."""
        if len(self._strikes) >= STRUCK_LIMIT_COUNT:
            self._strikes.clear()
        self._strikes[parcel.name] += 1
        if self._strikes[parcel.name] >= STRIKES_LIMIT_COUNT:
            self._refuse(parcel, "link-broke", now)

    def stop(self) -> None:
        """Nothing new from here on; what is live and queued still goes."""
        self._stopping = True
        self._lanes.drop_backfill(lambda _: True)

    @property
    def is_empty(self) -> bool:
        return not self._flight and self._lanes.head() is None

    def offer(self, parcel: Parcel, now: int) -> None:
        """A live envelope. It goes to its lane, or is left to the backlog.

        It is durable by now, so the backlog may have given it already: then it goes once, as live if it still can.
        """
        self._lanes.drop_backfill(lambda one: one.name == parcel.name)
        if self._taken(now)(*parcel.name):
            return
        if parcel.cls is Class.KEY and (parcel.epoch, parcel.hour) > self._newest:  # an hour begins with its grant
            self._opening, self._newest = parcel, (parcel.epoch, parcel.hour)
        left = self._lanes.offer(parcel) if self.is_up and not self._stopping else [parcel]
        if left:
            self.account.live_left += len(left)
            self._look_ns = min(self._look_ns, now + SECOND_NS)  # the spool commits once a second

    def aside(self, mid: int, now: int) -> None:
        """A packet that is no envelope takes a place of the broker's Receive Maximum too."""
        self._aside[mid] = now

    def step(self, now: int, publish: Callable[[Parcel], int], unsent: Callable[[], int]) -> int:
        """Hand over what the window admits, and of the backlog no more than keeps the link busy; how many of it went.

        `unsent()` is how many bytes handed over earlier the kernel has not sent: live cannot pass those. It may have
        sent these at once, so write them and come again until nothing goes.
        """
        before, handed = None, 0
        while (parcel := self._lanes.head()) is not None:
            if len(parcel.data) + PACKET_OVERHEAD_BYTES > self._terms.packet_limit_bytes:
                self._refuse(self._lanes.take(), "oversize", now)
                continue
            if parcel.lane is Lane.BACKFILL:
                before = unsent() if before is None else before
                probes = parcel.cls in self._unheard
                if before >= self._window.unsent_limit_bytes or (probes and self._flight):
                    break
                before += parcel.wire_bytes
            if not self._admits(parcel):
                break
            self._flight.add(publish(self._lanes.take()), parcel, now)
            self.account.sent(parcel)
            handed += parcel.lane is Lane.BACKFILL
        return handed

    def _admits(self, parcel: Parcel) -> bool:
        count = len(self._flight) + len(self._aside)
        return self._window.admits(parcel.wire_bytes, self._flight.outstanding_bytes, count)

    def settle(self, mid: int, failure: str | None, now: int) -> Parcel | None:
        """The broker answered. Return the envelope if it was accepted."""
        self._progress_ns = now
        self._aside.pop(mid, None)
        landed = self._flight.land(mid)
        if landed is None:
            return None
        parcel, since, carried_bytes = landed
        self.trip.sample(now - since, carried_bytes, now)
        self._window.follow(self.trip.rate_bytes_s)
        self._strikes.pop(parcel.name, None)
        if failure == UNHEARD:
            self._leave(parcel.cls, now)
            return None
        if failure is not None:
            self._refuse(parcel, failure, now)
            return None
        self._refusals = 0
        self.heard(parcel.cls, now)
        if self._opening is not None and parcel.name == self._opening.name:
            self._opening = None
        self.account.acked(parcel, now)
        self.patience.sent(parcel, now)
        self._recent.add(parcel, now, self.patience.ns)
        return parcel

    def heard(self, cls: Class, now: int) -> None:
        """The broker gave an envelope of this class to somebody, or somebody holds more of them than before."""
        if self._unheard.pop(cls, None) is not None:
            self._look_ns = now

    def _leave(self, cls: Class, now: int) -> None:
        """Nobody subscribes to it, so more of it would go nowhere: it is backlog, and one is tried from time to time.

        What is live goes on, for it tells at once when somebody listens again.
        """
        self._count_refusal(UNHEARD)
        self._unheard[cls] = now
        self._lanes.drop_backfill(lambda one: one.cls is cls)

    def _refuse(self, parcel: Parcel, why: str, now: int) -> None:
        self._count_refusal(why)
        self._recent.add(parcel, now, self.patience.ns)

    def _count_refusal(self, why: str) -> None:
        self._refusals += 1
        self._last_refusal = why
        self.account.refused[why] += 1

    @property
    def complaint(self) -> str:
        """Why nothing gets through the broker, once it is plain that nothing does."""
        return self._last_refusal if self._refusals >= REFUSALS_LIMIT_COUNT else ""

    def is_answered(self, mid: int) -> bool:
        """A packet put aside was acknowledged."""
        return mid not in self._aside

    def oldest_ns(self) -> int | None:
        """Since when what is outstanding longest is; None where nothing is."""
        waiting = (self._flight.oldest_ns(), next(iter(self._aside.values()), None))
        return min((at for at in waiting if at is not None), default=None)

    def stalled(self, now: int) -> bool:
        """Something is outstanding and the broker has been silent for too long: the link is half-open."""
        oldest = self.oldest_ns()
        if oldest is None:
            return False
        least = int(self._limits.stall_least_s * SECOND_NS)
        return now - max(oldest, self._progress_ns) >= self.trip.stall_ns(least, self._flight.largest_bytes())

    def wants_backlog(self, now: int) -> bool:
        low = self._lanes.backfill_bytes < FETCH_LEAST_BYTES // 2
        return self.is_up and not self._stopping and low and now >= self._look_ns

    def busy(self, now: int) -> Busy:
        """What the spool must not give us; it may be asked from any thread."""
        unheard = frozenset(cls for cls, at in self._unheard.items() if now - at < self.patience.ns)
        return self._taken(now, unheard, self._asked.frozen())

    def _taken(
        self, now: int, classes: frozenset[int] = frozenset(), asked: Mapping[Key, Ranges] | None = None
    ) -> Busy:
        resting = self._recent.merged(now, self.patience.ns)
        return busy(resting, [*self._lanes, *self._flight.parcels()], classes, asked)

    def refill(self, found: Iterable[Stored], now: int) -> None:
        """Backlog that the spool gave; nothing means that there is none for the present."""
        since = self.busy(now)
        fresh = [one for one in found if not since(one.cls, one.epoch, one.seq)]
        if not fresh:
            self._look_ns = now + int(self._limits.look_every_s * SECOND_NS)
        elif self.is_up and not self._stopping:
            self._lanes.refill(
                Parcel(Lane.BACKFILL, Class(one.cls), one.epoch, one.hour, one.seq, one.data) for one in fresh
            )

    def held(self, said: Held, now: int) -> None:
        """The centre holds these: they need not go."""
        self.patience.held(said, now)
        ranges = Ranges(said.ranges)
        self._lanes.drop_backfill(lambda one: (one.cls, one.epoch) == (said.cls, said.epoch) and one.seq in ranges)

    def lacked(self, said: Wanted, now: int) -> None:
        """The centre asks for these: they are backlog at once, whoever acknowledged them."""
        self._recent.forget((said.cls, said.epoch), said.ranges)
        self._look_ns = min(self._look_ns, now)
        self._asked.add(said)

    def let_waves(self, wait: bool, now: int) -> None:
        """Whether waves that did not go live go by themselves later, or wait until the centre names them."""
        self._asked.begin(only=wait)
        self._look_ns = min(self._look_ns, now)
        if wait:
            self._lanes.drop_backfill(lambda one: one.cls is Class.WAVE and one.epoch >= 0)

    def may_reply(self, unsent: Callable[[], int]) -> bool:
        """Nothing live waits, no packet of ours that is no envelope is on its way, and the broker takes one more."""
        head = self._lanes.head()
        if not self.is_up or self._aside or (head is not None and head.lane is not Lane.BACKFILL):
            return False
        return len(self._flight) < self._terms.receive_limit_count and unsent() < self._window.unsent_limit_bytes

    @property
    def outstanding_bytes(self) -> int:
        return self._flight.outstanding_bytes

    @property
    def rests_cut(self) -> int:
        return self._recent.cut_short
