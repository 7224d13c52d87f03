"""What the real programs do on each link. Every scenario is a generator of figures; progress goes to stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent import clock, identity
from agent.lab import keyring
from agent.lab.keyring import Keyring
from bench import backlog
from bench.links.listener import Arrival
from bench.links.profiles import PROFILES
from bench.links.rig import Scene, Setting, scene, until
from bench.links.voices import Ecg, Oximeter
from bench.links.world import FAR
from bench.results import Figure
from bench.scratch import HarnessError

COMMAND = "python -m bench.links figures"
SECOND_NS = 1_000_000_000
CONNECT_S = 120
FIRST_S = 120
SETTLE_S = 60  # the first minute on a thin link is connecting and saying who one is
DAY_S = 86_400
LOOKS, LOOKS_S = 6, 5.0  # a gateway writes its status every 5 s
BED = (Ecg, Oximeter)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long each part takes, in seconds. `hours` of backlog are made, not waited for."""

    seed: int = 1
    hours: float = 72.0
    starts: int = 4
    drain_s: float = 240.0
    live_s: float = 300.0
    outage_s: float = 30.0
    hostile_s: float = 240.0
    all_there_s: float = 420.0
    volume_s: float = 120.0


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    """Of an unsorted list; HarnessError where there is none."""
    if not values:
        raise HarnessError("no live vital arrived")
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def ages_s(arrivals: Sequence[Arrival], since_ns: int, until_ns: int) -> list[float]:
    """How old the newest numeric of each envelope was when it came, of those stamped in a span, whichever lane."""
    return [
        (one.at_ns - one.said_ns) / SECOND_NS
        for one in arrivals
        if one.said_ns is not None and since_ns <= one.said_ns < until_ns
    ]


def first_live_s(site: Scene, since_ns: int, before_ns: int = 0) -> float:
    """Seconds from `since_ns` to the first vital that was said since then, or up to `before_ns` earlier."""

    def found() -> list[Arrival]:
        return [one for one in site.listener.vitals() if one.said_ns and one.said_ns >= since_ns - before_ns]

    until(lambda: bool(found()), FIRST_S, "a live vital")
    return (min(one.at_ns for one in found()) - since_ns) / SECOND_NS


def made(folder: Path, hours: float) -> Keyring:
    """A keyring, and the spool of a gateway that was without a link for so long."""
    ring = keyring.make(folder / "keys", FAR)
    backlog.make(identity.load(ring.gateway, receipts=False), folder / "state", hours)
    return ring


def return_after_days(folder: Path, ring: Keyring, plan: Plan) -> Iterator[Figure]:
    """P4: a gateway with days of backlog connects, several times; the slowest counts."""
    waits = []
    with scene(Setting("P4", BED, seed=plan.seed, state=folder / "state"), folder / "p4", ring) as site:
        for start in range(1, plan.starts + 1):
            site.gateway.start()
            connected = site.gateway.connected_ns(start, CONNECT_S)
            waits.append(first_live_s(site, connected, SECOND_NS))
            tell(f"P4 start {start}: first live vital {waits[-1]:.2f} s after CONNACK")
            if start < plan.starts:
                site.gateway.end()
        began, up = clock.now(), site.link.up_bytes()
        time.sleep(plan.outage_s)
        ended, carried = clock.now(), site.link.up_bytes() - up
        ages = ages_s(site.listener.vitals(), began, ended - 5 * SECOND_NS)
    yield Figure("links.p4.first_live_vital_after_connack", round(max(waits), 2), "s", COMMAND)
    yield Figure("links.p4.drain.live_age_p95", round(percentile(ages, 0.95), 2), "s", COMMAND)
    yield Figure("links.p4.drain.rate", round(8e6 * carried / (ended - began)), "kbit/s", COMMAND)


def thin_drain(folder: Path, ring: Keyring, plan: Plan) -> Iterator[Figure]:
    """P1 between its outages: days of backlog drain beside live 12-lead ECG and vitals."""
    with scene(Setting("P1", BED, seed=plan.seed, state=folder / "state"), folder / "p1-drain", ring) as site:
        site.gateway.start()
        first = first_live_s(site, site.gateway.connected_ns(1, CONNECT_S), SECOND_NS)
        time.sleep(SETTLE_S / 2)
        began, up, seen = clock.now(), site.link.up_bytes(), len(site.listener.arrivals)
        time.sleep(plan.drain_s)
        ended, carried, arrived = clock.now(), site.link.up_bytes() - up, len(site.listener.arrivals) - seen
        time.sleep(SETTLE_S / 2)  # what was said last comes too, however late
        ages = ages_s(site.listener.vitals(), began, ended)
    used = carried * 8 * SECOND_NS / (ended - began) / PROFILES["P1"].up.rate_bit_s
    tell(f"P1 drain: {arrived} envelopes came, {len(ages)} live vitals")
    yield Figure("links.p1.drain.first_live_vital_after_connack", round(first, 2), "s", COMMAND)
    yield Figure("links.p1.drain.live_age_p50", round(percentile(ages, 0.5), 2), "s", COMMAND)
    yield Figure("links.p1.drain.live_age_p95", round(percentile(ages, 0.95), 2), "s", COMMAND)
    yield Figure("links.p1.drain.used", round(100 * used, 1), "%", COMMAND)


def thin_live(folder: Path, plan: Plan) -> Iterator[Figure]:
    """P1: live 12-lead ECG and vitals; then its outage; then all must be there."""
    ring = keyring.make(folder / "p1-keys", FAR)
    with scene(Setting("P1", BED, seed=plan.seed), folder / "p1-live", ring) as site:
        site.gateway.start()
        site.gateway.connected_ns(1, CONNECT_S)
        time.sleep(SETTLE_S)
        began, up, before = clock.now(), site.link.up_bytes(), least_waiting(site)
        time.sleep(plan.live_s)
        after = least_waiting(site)
        ended, carried = clock.now(), site.link.up_bytes() - up
        first = outage(site, plan.outage_s)
        ages = ages_s(site.listener.vitals(), began, ended - 20 * SECOND_NS)  # the outage is told apart
        yield Figure("links.p1.live.rate", round(8e6 * carried / (ended - began), 1), "kbit/s", COMMAND)
        yield Figure("links.p1.live.backlog_growth", after - before, "envelopes", COMMAND)
        yield Figure("links.p1.live.age_p50", round(percentile(ages, 0.5), 2), "s", COMMAND)
        yield Figure("links.p1.live.age_p95", round(percentile(ages, 0.95), 2), "s", COMMAND)
        yield Figure("links.p1.live.age_max", round(max(ages), 2), "s", COMMAND)
        yield Figure("links.p1.outage.first_live_after", round(first, 1), "s", COMMAND)
        yield from all_there(site, "links.p1", plan)


def broken(profile: str, folder: Path, plan: Plan) -> Iterator[Figure]:
    """P2, P3, P5: live, an outage (shortened), live again; then all must be there."""
    name = profile.lower()
    ring = keyring.make(folder / f"{name}-keys", FAR)
    with scene(Setting(profile, BED, seed=plan.seed), folder / name, ring) as site:
        site.gateway.start()
        site.gateway.connected_ns(1, CONNECT_S)
        time.sleep(SETTLE_S / 2)
        began = clock.now()
        time.sleep(SETTLE_S)
        ages = ages_s(site.listener.vitals(), began, clock.now() - 5 * SECOND_NS)
        first = outage(site, 2 * plan.outage_s)
        yield Figure(f"links.{name}.live.age_p95", round(percentile(ages, 0.95), 2), "s", COMMAND)
        yield Figure(f"links.{name}.outage.first_live_after", round(first, 1), "s", COMMAND)
        yield from all_there(site, f"links.{name}", plan)


def hostile(folder: Path, plan: Plan) -> Iterator[Figure]:
    """P6 with everything it has, and an oximeter: more does not pass in a third of 64 kbit/s."""
    ring = keyring.make(folder / "p6-keys", FAR)
    with scene(Setting("P6", [Oximeter], "whole", plan.seed), folder / "p6", ring) as site:
        site.gateway.start()
        time.sleep(plan.hostile_s)
        yield from all_there(site, "links.p6", plan)


def least_waiting(site: Scene) -> int:
    """Envelopes that wait when fewest do: some are always on their way, or wait for their receipt."""
    return min(_later(site.gateway.waiting, LOOKS_S) for _ in range(LOOKS))


def _later(look: Callable[[], int], after_s: float) -> int:
    time.sleep(after_s)
    return look()


def outage(site: Scene, seconds: float) -> float:
    """Nothing passes for so long; seconds from its end to the first vital that was said since."""
    site.link.tell(cut=True)
    time.sleep(seconds)
    site.link.tell(cut=False)
    return first_live_s(site, clock.now())


def all_there(site: Scene, name: str, plan: Plan) -> Iterator[Figure]:
    """The devices fall silent; every sample they said is in the centre's store within the limit, once."""
    site.bedside.hush()
    began = time.monotonic()
    while not site.is_complete():
        if time.monotonic() - began > plan.all_there_s:
            tell(f"{name}: not all there after {plan.all_there_s:g} s")
            break
        time.sleep(2.0)
    took = time.monotonic() - began
    verdicts = site.verdicts()
    lost = sum(max(0, one.said - one.stored) for one in verdicts)
    doubled = sum(max(0, one.stored - one.said) for one in verdicts)
    altered = sum(one.said == one.stored and not one.same for one in verdicts)
    tell(f"{name}: all there {took:.0f} s after the devices fell silent, {site.ledger()['duplicates']} came again")
    yield Figure(f"{name}.said", sum(one.said for one in verdicts), "samples", COMMAND)
    yield Figure(f"{name}.lost", lost, "samples", COMMAND)
    yield Figure(f"{name}.doubled", doubled, "samples", COMMAND)
    yield Figure(f"{name}.altered", altered, "channels", COMMAND)
    yield Figure(f"{name}.all_there_after", round(took), "s", COMMAND)
    yield Figure(f"{name}.reconnects", site.gateway.connections() - 1, "1", COMMAND)


def volume(kind: str, kinds: Sequence[type[Ecg] | type[Oximeter]], folder: Path, plan: Plan) -> Iterator[Figure]:
    """Bytes both ways on the wire of an undisturbed link, by day, at an interval of 1 and of 5 s."""
    for interval_s in (1, 5):
        place = folder / f"{kind}-{interval_s}"
        ring = keyring.make(folder / f"{place.name}-keys", FAR)
        with scene(Setting("P3", kinds, "still", interval_s=interval_s), place, ring) as site:
            site.gateway.start()
            site.gateway.connected_ns(1, CONNECT_S)
            time.sleep(SETTLE_S / 4)
            began, before = time.monotonic(), site.link.tell(counts=1)
            time.sleep(plan.volume_s)
            took, after = time.monotonic() - began, site.link.tell(counts=1)
        for way in ("up", "down"):
            size = after[way]["carried_bytes"] - before[way]["carried_bytes"]
            name = f"links.volume.{kind}.interval_{interval_s}s.{way}"
            yield Figure(name, round(size / took * DAY_S / 1e6, 1), "MB/day", COMMAND)
