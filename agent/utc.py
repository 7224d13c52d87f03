"""What UTC is, as far as this gateway knows: an interval from the best of its sources, and a bound from below.

Every source says (UTC, error) at a monotonic instant or says nothing (docs/adr/0020-time.md). The least error counts;
but where the centre's signature contradicts it the signature does, for whoever speaks NTP to us may be anybody. What
contradicts is counted and said, never merged. Nothing here moves the system's clock.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent import clock, window
from agent.exchange import Exchange, at
from agent.past import Past
from agent.uplink.dates import Known
from discipline.machine import DRIFT_PPM, Found, grown
from wire.records import Anchor

if TYPE_CHECKING:
    from agent.world import World

SECOND_NS = 1_000_000_000
TICK_S = 5.0
LOOK_NS = 60 * SECOND_NS
SAVE_NS = 900 * SECOND_NS
SLEW_PPM = 600  # more than the kernel slews: beyond it the clock was stepped
SIGNED = frozenset({"mqtt", "signed"})
RTC_US = 1_000_000  # its resolution
GNSS_LEAST_US = 1_300_000
OPERATOR_LEAST_US = 60_000_000
OPERATOR_OLD_NS = 600 * SECOND_NS
OnDisk = Callable[[Callable[[], None]], Awaitable[None]]
log = logging.getLogger("wardlink.time")


class Port(Protocol):
    """The centre's time port."""

    def believe(self, centre: Sequence[Ed25519PublicKey]) -> None:
        """Other keys of the centre from now on."""

    def ask(self) -> Anchor | None:
        """Blocks for some seconds at most; any thread."""


class Utc:
    """`mqtt` is the exchange by the broker."""

    def __init__(self, world: World, past: Past, runtime: Path, mqtt: Exchange, port: Port | None = None) -> None:
        self._world = world
        self._past = past
        self._runtime = runtime
        self.mqtt = mqtt
        self._port = port
        self._held: dict[str, Anchor] = {}
        self._found: tuple[Found, Anchor] | None = None  # who keeps the clock, and what it said just then
        self._floor = (max(clock.FLOOR_UTC_US, past.said.utc), world.now() // 1000)
        self._look_at = self._save_at = 0
        self._seen: set[str] = set()  # contradictions that are said already
        self._is_loose = False  # the clock was stepped: what is known of it must be asked again
        self.contradictions: Counter[str] = Counter()
        self.audit: Callable[..., None] = lambda who, what, **detail: None
        self._load_rtc()

    @property
    def boots(self) -> int:
        """How many boots this gateway has counted."""
        return self._past.said.boots

    def believe(self, centre: Sequence[Ed25519PublicKey]) -> None:
        """Other keys of the centre from now on."""
        self.mqtt.believe(centre)
        if self._port is not None:
            self._port.believe(centre)

    # What others ask.

    def anchor(self, late_us: int = 0) -> Anchor | None:
        """What UTC is now; None while nobody knows and the wall clock is plainly unset.

        `late_us`: how much later than it happened a thing may be stamped. It is part of the error of every stamp.
        """
        best = self._best()
        if best is None:
            wall = self._world.anchor(0)
            return None if wall is None or wall.utc < self.floor() else Anchor(wall.t, wall.utc, None, "unsynchronised")
        return Anchor(best.t, best.utc, (best.error or 0) + late_us, best.source)

    def floor(self) -> int:
        """Microseconds since 1970 that had surely passed: the build, or the last signed word, and what passed since."""
        utc, t = self._floor
        passed = self._world.now() // 1000 - t
        return utc + passed - passed * DRIFT_PPM // 1_000_000  # our crystal may run fast

    def passed(self) -> int:
        """The same, with all that is known: for what expires."""
        best = self._best()
        return max(self.floor(), 0 if best is None else best.utc - (best.error or 0))

    def surely(self) -> int | None:
        """What had surely passed by a source; None where nobody knows the time."""
        return clock.passed_utc(self._best())

    def known(self) -> Known:
        """What certificates are held against. Any thread."""
        best, floor = self._best(), self.floor()
        if best is not None:
            error = best.error or 0
            return Known(max(floor, best.utc - error), best.utc + error, best.source)
        wall = self._world.unix_us()
        return Known(wall, wall, "wall") if wall >= floor else Known(floor, floor, "floor", wall)

    def connected(self) -> None:
        self.mqtt.connected()

    def question(self) -> bytes | None:
        """What to ask the centre by MQTT now, if anything."""
        now = self._world.now()
        other = min((one.error or 0 for one in self._all() if one.source != "mqtt"), default=None)
        return self.mqtt.question(now) if self.mqtt.due(now, other) else None

    def answered(self, data: bytes) -> None:
        """The centre's answer by MQTT, the moment it came."""
        self._take(self.mqtt.answered(data, self._world.now()))

    async def before_dial(self) -> None:
        """Where nothing is known the time port is asked first: certificates are waiting to be looked at."""
        if self._port is not None and self._best() is None:
            self._take(await asyncio.to_thread(self._port.ask))

    # The organ.

    async def look(self) -> None:
        """Ask the machine who keeps its clock. Takes milliseconds, in a thread."""
        self._look_at = self._world.now() + LOOK_NS
        self._is_loose = False
        before = self._world.anchor(0)
        found = await asyncio.to_thread(self._world.look)
        wall = self._world.anchor(0)
        if before is not None and wall is not None and not clock.stepped(before, wall):
            self._found = (found, wall)

    async def run(self, on_disk: OnDisk) -> None:
        """For ever. `on_disk` runs what waits for the disk."""
        while True:
            await self.turn(on_disk)
            await asyncio.sleep(TICK_S)

    async def turn(self, on_disk: OnDisk) -> None:
        """Whatever is due."""
        now = self._world.now()
        self._heed_person()
        if now >= self._look_at or self._is_loose:
            await self.look()
            await self._look_up()
        if now >= self._save_at:
            self._save_at = now + SAVE_NS
            await self.save(on_disk)
        self._compare()

    async def save(self, on_disk: OnDisk) -> None:
        """What the next start shall know: how late it surely is, and what the clock with the battery is worth."""
        best, rtc = self._best(), self._world.rtc()
        compared = (0, 0)
        if best is not None and best.source != "rtc" and rtc is not None:
            compared = (rtc, abs(rtc + RTC_US // 2 - best.utc) + (best.error or 0) + RTC_US // 2)
        await on_disk(partial(self._past.save, self.floor(), *compared))

    @property
    def refused(self) -> Counter[str]:
        """Answers that were none, by reason, and how often two sources began to contradict each other."""
        return self.mqtt.refused + Counter({f"contradiction {pair}": n for pair, n in self.contradictions.items()})

    @property
    def contradicting(self) -> list[str]:
        """Pairs of sources of which one must be wrong, now."""
        return sorted(self._seen)

    # Inside.

    def _best(self) -> Anchor | None:
        known = list(self._all())
        best = min(known, key=_error, default=None)
        signed = min((one for one in known if one.source in SIGNED), key=_error, default=None)
        return signed if best is not None and signed is not None and _contradict(best, signed) else best

    def _all(self) -> Iterator[Anchor]:
        """What each source says of this moment, with an error; none that lies before the floor."""
        floor = self.floor()
        return (one for one in self._said() if one.utc + _error(one) >= floor)

    def _said(self) -> Iterator[Anchor]:
        now = self._world.now()
        wall = self._world.anchor(0)
        worth = None if wall is None else self._worth(wall)
        if wall is not None and worth is not None:
            yield Anchor(wall.t, wall.utc, worth, "ntp")
        for held in (*self._held.values(), self.mqtt.best(now)):
            if held is not None:
                yield at(held, now)

    def _worth(self, wall: Anchor) -> int | None:
        """The error of the system's clock: by who keeps it, as long as nobody stepped it since he said so."""
        if self._found is None:
            return None
        found, then = self._found
        if found.by in ("", "kernel"):
            return wall.error
        passed = wall.t - then.t
        if abs(wall.utc - then.utc - passed) > clock.STEP_LIMIT_US + passed * SLEW_PPM // 1_000_000:
            self._is_loose = True
            return None
        if found.error_us is None or (found.by == "timesyncd" and wall.error is None):
            return None
        return grown(found.error_us, passed)

    def _take(self, anchor: Anchor | None) -> None:
        """A word that was waited for. What the centre signed is a bound from below for as long as we live."""
        if anchor is None:
            return
        if anchor.source != "mqtt":  # the exchange keeps its own
            self._held[anchor.source] = anchor
        if anchor.source in SIGNED:
            here = at(anchor, self._world.now())
            surely = here.utc - _error(here)
            if surely > self.floor():
                self._floor = (surely, here.t)

    def _compare(self) -> None:
        """Say who contradicts whom, once each time it begins."""
        said, floor = list(self._said()), self.floor()
        pairs = {" ".join(sorted((a.source, b.source))) for a, b in combinations(said, 2) if _contradict(a, b)}
        pairs |= {f"{one.source} floor" for one in said if one.utc + _error(one) < floor}
        for pair in sorted(pairs - self._seen):
            self.contradictions[pair] += 1
            log.warning("time sources=contradict which=%r count=%d", pair, self.contradictions[pair])
            self.audit("gateway", "clocks contradict", which=pair)
        self._seen = pairs

    def _load_rtc(self) -> None:
        rtc, then, error = self._world.rtc(), self._past.said.rtc, self._past.said.rtc_error
        if rtc is not None and then and rtc >= then:
            bound = grown(error + RTC_US, rtc - then)
            self._held["rtc"] = Anchor(self._world.now() // 1000, rtc + RTC_US // 2, bound, "rtc")

    async def _look_up(self) -> None:
        """A satellite receiver is asked only where nothing better is there."""
        best = self._best()
        if best is None or _error(best) > GNSS_LEAST_US:
            self._take(await asyncio.to_thread(self._world.fix))

    def _heed_person(self) -> None:
        """A person at the gateway says what time it is (`wardlink time set`)."""
        asked = window.read_time(self._runtime)
        if asked is None or asked.said:
            return
        now, within = self._world.now(), max(asked.within_us, OPERATOR_LEAST_US)
        said = Anchor(asked.at_ns // 1000, asked.utc, within, "operator")
        if not 0 <= now - asked.at_ns <= OPERATOR_OLD_NS:
            word = "refused: it was said too long ago, say it again"
        elif asked.utc + within < self.floor():
            word = "refused: it is surely later than that"
        else:
            self._take(said)
            word = "taken"
        self.audit("cli", "time", utc=str(asked.utc), within_us=str(asked.within_us), word=word)
        log.warning("time by=operator utc=%d within_us=%d word=%r", asked.utc, within, word)
        with suppress(OSError):  # a full runtime folder: the person is not answered, and sees that
            window.write_time(self._runtime, msgspec.structs.replace(asked, said=word))


def _error(anchor: Anchor) -> int:
    return anchor.error or 0


def _contradict(a: Anchor, b: Anchor) -> bool:
    return abs((a.utc - a.t) - (b.utc - b.t)) > _error(a) + _error(b)
