"""All devices of one adapter: advertisements go to whom they concern; when the radio fails the ladder is climbed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace

from agent.ports.radio.air import Air, AirError, BondError, NoAdapterError, Seen
from agent.ports.radio.ladder import SECOND_NS, Ladder, Rung
from agent.ports.radio.limits import bounded
from agent.ports.radio.peer import Peer
from agent.ports.radio.policy import Claims, Known, may_adopt
from agent.ports.radio.strangers import Strangers
from agent.ports.radio.talk import Ear
from drivers.contract import Driver

SCAN_LIMIT_S = 10.0
RUNG_LIMIT_S = 30.0
CANDIDATES_LIMIT_COUNT = 4  # strangers tried in one window at a time
SILENT_S = 20.0  # no advertisement from anybody: the scan may be dead (bluetoothd restarted, firmware hung)
PAUSE_FIRST_S = 1.0
PAUSE_LIMIT_S = 15.0
QUIET = (Rung.RESCAN,)  # a quiet room is no reason to silence who is heard
SILENT = (Rung.RESCAN, Rung.POWER)
DEAF = (Rung.RESCAN, Rung.POWER, Rung.DAEMON, Rung.USB)
UNBONDED = tuple(Rung)
SCAN = "scan"
log = logging.getLogger("wardlink.radio")


class Host:
    """`meet` gives a known device's ear; `adopted` is told of a device that was bonded, `failed` of a driver's bug."""

    def __init__(
        self,
        air: Air,
        now: Callable[[], int],
        kinds: Iterable[type[Driver]],
        meet: Callable[[Known], Ear],
        adopted: Callable[[Known], None],
        failed: Callable[[str, BaseException], None],
    ) -> None:
        self.air = air
        self.now = now
        self.connecting = asyncio.Lock()
        self.peers: dict[str, Peer] = {}
        self.ladder = Ladder()
        self.strangers = Strangers()
        self.state = "starting"
        self.advertisements = 0
        self.window_words = ""
        self._claims = Claims(kinds)
        self._meet = meet
        self._adopted = adopted
        self._failed = failed
        self._tasks: dict[Peer, asyncio.Task[None]] = {}
        self._jobs: set[asyncio.Task[None]] = set()
        self._window_until = 0
        self._to_bond: set[str] = set()  # lost their bond; the old one is removed, a person waits
        self._seen_ns = 0
        self._is_doubted = False
        self._failing: Peer | None = None
        self._trouble = asyncio.Event()

    # Who is there.

    def add(self, known: Known) -> Peer:
        """A device that may be connected from now on."""
        peer = self.peers[known.address] = Peer(known, self, self._meet)
        self._begin(peer)
        return peer

    def _begin(self, peer: Peer) -> None:
        task = self._tasks[peer] = asyncio.create_task(peer.run(), name=f"ble {peer.known.address}")
        task.add_done_callback(lambda task: self._ended(peer, task))

    def _ended(self, peer: Peer, task: asyncio.Task[None]) -> None:
        """A driver's bug, or ours, ends one device's task: it is begun again at the next look."""
        self._tasks.pop(peer, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            peer.stumble(repr(error))
            self._failed(f"radio {peer.known.address}", error)

    def seen(self, seen: Seen) -> None:
        """An advertisement. A thousand a second must cost little."""
        now = self.now()
        self.advertisements += 1
        self._seen_ns = now
        if self._is_doubted:
            self._is_doubted = False
            self.ladder.good(SCAN)
        peer = self.peers.get(seen.address)
        if peer is not None:
            peer.seen(now, seen.rssi)
        else:
            self._consider(seen, now)

    def _consider(self, seen: Seen, now: int) -> None:
        stranger = self.strangers.meet(seen, now, lambda: self._claims.choose(seen))
        if not self.is_window_open or not stranger.may_try(now) or len(self._candidates()) >= CANDIDATES_LIMIT_COUNT:
            return
        choice, far = stranger.choice, may_adopt(seen)
        if choice.driver is None or far:
            stranger.words = far or choice.words
            return
        self.strangers.drop(seen.address)
        self.add(Known(seen.address, choice.driver, name=seen.name)).seen(now, seen.rssi)

    def _candidates(self) -> list[Peer]:
        """Strangers that are tried because a person wants to bond one."""
        return [peer for peer in self.peers.values() if not (peer.known.allowed or peer.known.bonded)]

    def drop(self, peer: Peer) -> None:
        """It may be connected no more."""
        self.peers.pop(peer.known.address, None)
        task = self._tasks.get(peer)
        if task is not None:
            task.cancel()

    def forget(self, address: str) -> None:
        """A person wants no more of a device: its bond is removed as well."""
        peer = self.peers.get(address)
        if peer is not None:
            self.drop(peer)
        self._do(self._remove(address))

    def keeps(self, peer: Peer) -> bool:
        return self.peers.get(peer.known.address) is peer

    # The window.

    @property
    def is_window_open(self) -> bool:
        return self.now() < self._window_until

    def open_window(self, until: int) -> None:
        """A person wants to bond a device, until then (monotonic nanoseconds)."""
        self._window_until, self.window_words = until, ""
        for peer in self.peers.values():
            if peer.is_refused:
                self._do(self._bond_again(peer))

    def shut_window(self, words: str) -> None:
        self._window_until, self.window_words = 0, words
        self._to_bond.clear()

    async def _remove(self, address: str) -> None:
        async with bounded(RUNG_LIMIT_S, "the bond could not be removed"):
            await self.air.remove(address)

    async def _bond_again(self, peer: Peer) -> None:
        """What is left of the old bond stands in the way of a new one."""
        await self._remove(peer.known.address)
        self._to_bond.add(peer.known.address)
        peer.begin_anew()

    def wants_bond(self, peer: Peer) -> bool:
        return self.is_window_open and (not peer.known.bonded or peer.known.address in self._to_bond)

    def was_bonded(self, peer: Peer, address: str) -> None:
        """The first one is the one that was meant."""
        self.peers.pop(peer.known.address, None)
        peer.known = replace(peer.known, address=address, bonded=True)
        self.peers[address] = peer
        self.shut_window(f"{peer.known.driver} at {address} is bonded")
        self._adopted(peer.known)
        log.info("device bonded address=%s driver=%s", address, peer.known.driver)

    # What goes wrong.

    def went_well(self, peer: Peer) -> None:
        self.ladder.good(peer.known.address)

    def went_wrong(self, peer: Peer, error: AirError) -> None:
        """A failure of the device that its bond explains is none of the radio."""
        known = peer.known
        if peer in self._candidates():
            del self.peers[known.address]
            self.strangers.tell(known, f"not bonded: {error}", self.now())
        if isinstance(error, BondError):
            return
        self._failing = peer
        self._trouble.set()

    async def run(self) -> None:
        """Until cancelled."""
        failures = 0
        try:
            while True:
                try:
                    async with bounded(SCAN_LIMIT_S, "the scan does not begin"):
                        await self.air.scan(self.seen)
                    self.state, failures, self._is_doubted = "listening", 0, True
                    await self._watch()
                except AirError as error:
                    failures += 1
                    self._is_doubted = False
                    self._say(str(error))
                    if not isinstance(error, NoAdapterError):
                        await self._climb(self.ladder.failed(SCAN, self.now(), DEAF, 1), None)
                    await asyncio.sleep(min(PAUSE_FIRST_S * 2 ** min(failures - 1, 8), PAUSE_LIMIT_S))
        finally:
            await self._end()

    async def _watch(self) -> None:
        """Until the scan must begin afresh."""
        self._seen_ns = self.now()
        while True:
            quiet_s = (self.now() - self._seen_ns) / SECOND_NS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, SILENT_S - quiet_s) + 0.001):
                    await self._trouble.wait()
            if self._failing is not None and await self._mend(self._failing):
                return
            if self.now() - self._seen_ns >= SILENT_S * SECOND_NS:
                self._is_doubted = True
                rungs = QUIET if any(peer.is_open for peer in self.peers.values()) else SILENT
                await self._climb(self.ladder.failed(SCAN, self.now(), rungs, 1, disturbs=True), None)
                return

    async def _mend(self, peer: Peer) -> bool:
        """A device that is heard could not be connected: whether the scan must begin afresh."""
        self._failing = None
        self._trouble.clear()
        others = any(other.is_open for other in self.peers.values() if other is not peer)
        rungs = DEAF if peer.known.bonded else UNBONDED
        rung = self.ladder.failed(peer.known.address, self.now(), rungs, disturbs=others)
        await self._climb(rung, peer)
        return rung is not None

    async def _climb(self, rung: Rung | None, peer: Peer | None) -> None:
        if rung in (None, Rung.RESCAN):
            return
        log.warning("radio: %s", rung)
        try:
            async with bounded(RUNG_LIMIT_S, f"{rung}: not done"):
                if rung is Rung.FORGET and peer is not None and not peer.known.bonded:
                    await self.air.remove(peer.known.address)
                elif rung is Rung.POWER:
                    await self.air.power()
                elif rung is Rung.DAEMON:
                    await self.air.restart()
                elif rung is Rung.USB:
                    await self.air.replug()
        except AirError as error:
            self.ladder.failed_rungs += 1
            log.warning("radio: %s failed why=%r", rung, str(error))
        self._failing = None  # what failed meanwhile failed for the same reason
        self._trouble.clear()

    def _say(self, words: str) -> None:
        if words != self.state:
            log.warning("radio fails why=%r", words)
        self.state = words

    def look(self) -> None:
        """Begin again what failed, end what is not wanted any more. Once a second is enough."""
        for candidate in [] if self.is_window_open else self._candidates():
            self.drop(candidate)
        for peer in self.peers.values():
            if peer not in self._tasks:
                self._begin(peer)

    def _do(self, job: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(self._try(job), name="ble bond")
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    async def _try(self, job: Coroutine[None, None, None]) -> None:
        try:
            await job
        except AirError as error:
            self.window_words = str(error)

    async def _end(self) -> None:
        tasks = [*self._tasks.values(), *self._jobs]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.air.close()
