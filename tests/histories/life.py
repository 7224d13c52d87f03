"""One simulated history of a gateway: boots, quartz, sources, links; what of it reaches the centre; and the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from random import Random

from centre.rows import Anchored, Arrived, Dating
from tests.histories.asking import ROADS, asked, exchange
from tests.histories.clocks import DAY, HOUR, MINUTE, Quartz, liar, quartz

BASE = 1_830_000_000_000_000  # 2027-12-28
STRETCH = 15 * MINUTE
CENTRE_OFF_US = 500_000  # the centre's own clock errs by less
KINDS = {
    "ntp": 18,
    "mqtt-P1": 6,
    "mqtt-P1-back": 4,
    "mqtt-P4": 10,
    "mqtt-P4-china": 4,
    "rtc-then-late": 8,
    "gnss": 5,
    "operator": 8,
    "late": 10,
    "silence-72h": 5,
    "mute": 12,
    "leap": 1,
    "out-of-spec": 1,
    "steps": 8,
}
BROKEN = ("leap", "out-of-spec")  # what the mapping takes for granted does not hold there


@dataclass(slots=True)
class Epoch:
    """A start of the daemon, with its truth."""

    number: int
    boot: bytes
    quartz: Quartz
    first: int
    last: int
    anchors: list[Anchored] = field(default_factory=list)

    def says(self, t: int, utc: int, error: int | None, source: str) -> None:
        self.anchors.append(Anchored(self.number, t, utc, error, source))


@dataclass(slots=True)
class History:
    kind: str
    epochs: list[Epoch]
    known: list[Dating]


def history(seed: int) -> History:
    """The same number, the same history."""
    dice = Random(seed)
    kind = dice.choices(list(KINDS), list(KINDS.values()))[0]
    epochs = _boots(dice, kind)
    silent = dice.randrange(1, len(epochs)) if kind == "mute" else None
    for at, epoch in enumerate(epochs):
        if silent is None or epoch.boot != epochs[silent].boot:
            _hear_sources(dice, kind, epoch, is_first=at == 0)
        if kind == "steps" or dice.random() < 0.1:
            _step(dice, epoch)
    return History(kind, epochs, [_dated(dice, epoch) for epoch in epochs])


def _boots(dice: Random, kind: str) -> list[Epoch]:
    """Power cuts between boots, restarts of the daemon within."""
    epochs: list[Epoch] = []
    board = quartz(dice, is_in_spec=kind != "out-of-spec")
    utc = BASE + dice.randrange(3 * 365) * DAY
    for _ in range(dice.randint(2, 4)):
        long = 74 * HOUR if kind == "silence-72h" else dice.choice((HOUR, 4 * HOUR, 12 * HOUR))
        clock = replace(board, begin=utc, phase=dice.uniform(0, 2 * math.pi))
        boot, t, end = dice.randbytes(16), dice.randint(5_000_000, 60_000_000), dice.randint(long // 2, long)
        if kind == "leap":
            clock = replace(clock, leap_t=dice.randrange(end))
        for part in range(dice.choice((1, 1, 2))):
            last = t + (end - t) // 2 if part == 0 else end
            epochs.append(Epoch(len(epochs) + 1, boot, clock, t, last))
            t = last + dice.randint(1_000_000, 30_000_000)
        utc = clock.utc(t) + dice.choice((MINUTE, HOUR, DAY)) * dice.randint(1, 20)
    return epochs


def _hear_sources(dice: Random, kind: str, epoch: Epoch, is_first: bool) -> None:
    truth = epoch.quartz.utc
    if kind.startswith("mqtt-"):
        _exchange(dice, epoch, kind.removeprefix("mqtt-"))
    elif kind == "rtc-then-late":
        epoch.says(epoch.first, *liar(dice, 1_000_000, 90_000_000).anchor(dice, truth(epoch.first)), "rtc")
        _at(dice, epoch, [epoch.last], liar(dice, 2000, 40_000), "ntp")
    elif kind == "operator":
        _at(dice, epoch, [dice.randint(epoch.first, epoch.last)], liar(dice, 60_000_000, 300_000_000), "operator")
    elif kind == "gnss":
        _at(dice, epoch, range(epoch.first, epoch.last, STRETCH), liar(dice, 200_000, 700_000), "gnss")
    elif kind == "late":
        late = dice.randint(epoch.first, epoch.last)
        _at(dice, epoch, range(late, epoch.last, STRETCH), liar(dice, 1000, 50_000), "ntp")
    elif kind == "silence-72h":
        heard = range(epoch.first, epoch.first + HOUR, STRETCH) if is_first or dice.random() < 0.5 else [epoch.last]
        _at(dice, epoch, heard, liar(dice, 1000, 50_000), "ntp")
    else:
        _at(dice, epoch, range(epoch.first, epoch.last, STRETCH), liar(dice, 1000, 50_000), "ntp")


def _at(dice: Random, epoch: Epoch, times: range | list[int], source: object, name: str) -> None:
    for t in times:
        epoch.says(t, *source.anchor(dice, epoch.quartz.utc(t)), name)  # type: ignore[attr-defined]


def _exchange(dice: Random, epoch: Epoch, road: str) -> None:
    """Three questions, then each quarter of an hour again, with what the filter holds best."""
    filter_, centre = exchange(dice), liar(dice, 1000, 20_000)
    for t in range(epoch.first, epoch.last - MINUTE, STRETCH):
        said = asked(dice, filter_, ROADS[road], epoch.quartz, t, centre)
        if said is not None:
            epoch.says(said.t, said.utc, said.error, said.source)


def _step(dice: Random, epoch: Epoch) -> None:
    """The system's clock is set by years, or by an hour as for summer time: nobody vouches for what it says then."""
    for t in range(epoch.first, epoch.last, STRETCH):
        if dice.random() < 0.3:
            off = dice.choice((HOUR, -HOUR, 10 * 365 * DAY, -10 * 365 * DAY, -57 * 365 * DAY))
            epoch.says(t, max(0, epoch.quartz.utc(t) + off), None, "unsynchronised")


def _dated(dice: Random, epoch: Epoch) -> Dating:
    """What the store has: envelopes came at once, or hours later from the spool."""
    arrived = []
    outage_until = epoch.first + (dice.randint(0, epoch.last - epoch.first) if dice.random() < 0.4 else 0)
    for first in range(epoch.first, epoch.last, STRETCH):
        last = min(first + STRETCH - 1, epoch.last)
        soonest = dice.randint(first, last)
        sent = max(epoch.quartz.utc(soonest), epoch.quartz.utc(outage_until))
        came = sent + dice.randint(20_000, 2_000_000) + dice.randint(-CENTRE_OFF_US, CENTRE_OFF_US)
        arrived.append(Arrived(epoch.number, first, last, soonest, came))
    return Dating(epoch.number, epoch.boot, tuple(epoch.anchors), tuple(arrived))
