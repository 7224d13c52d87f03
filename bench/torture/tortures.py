"""What is done to a contestant, and what came of it."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median

from bench.torture.centre import wait
from bench.torture.peers import Driver, Peer, RefusedError

RATE = 500  # records a second
FEED = 300
AFTER = 20  # records after a restart: does it still take and send?
QUIET_S = 4.0  # nothing came for so long: nothing will
DRAIN_LIMIT_S = 45.0
LATER = 1_000_000  # numbers of what is fed after the torture


@dataclass
class Cell:
    """What one contestant made of one torture, added up over its rounds. Counts of records, but for `starts`."""

    accepted: int = 0
    lost: int = 0  # accepted, and never came
    told: int = 0  # of these: the contestant itself declared it
    doubled: int = 0  # came more often than once
    not_taken: int = 0
    starts: int = 0
    refused: int = 0  # starts that failed
    recover_s: list[float] = field(default_factory=list)
    note: str = ""

    def add(self, other: Cell) -> None:
        for name in ("accepted", "lost", "told", "doubled", "not_taken", "starts", "refused"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.recover_s += other.recover_s

    def as_json(self) -> dict[str, object]:
        seconds = round(median(self.recover_s), 2) if self.recover_s else None
        return {**{k: v for k, v in self.__dict__.items() if k != "recover_s"}, "recover_s": seconds}


class Round:
    """One contestant between two emptyings of its folder."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.cell = Cell()
        self._accepted: dict[int, str] = {}
        self._fed = 0
        self._later = LATER
        self._drivers: list[Driver] = []

    def start(self) -> bool:
        """Whether it does; a refusal is counted."""
        self.cell.starts += 1
        self._began = time.monotonic()
        try:
            self._drivers.append(self.peer.start())
        except RefusedError:
            self.cell.refused += 1
            return False
        return True

    def feed(self, count: int, rate: float = RATE, first: int | None = None) -> range:
        """Say that many records, at this pace."""
        start = self._fed if first is None else first
        self._fed += count if first is None else 0
        began = time.monotonic()
        done = 0
        while done < count and self.peer.driver is not None and self.peer.driver.runs:
            due = min(count, int((time.monotonic() - began) * rate) + 1)
            self.peer.driver.feed(range(start + done, start + due))
            done = due
            time.sleep(0.005)
        return range(start, start + count)

    def settle(self, limit_s: float = 3.0) -> None:
        """Until it has answered for all it was fed, or does not."""
        driver = self.peer.driver
        if driver is not None:
            before = -1
            while before != (before := len(driver.accepted) + len(driver.refused)):
                wait(lambda: len(driver.accepted) + len(driver.refused) != before, min(limit_s, 1.0))

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.peer.stop(number)

    def recover(self, limit_s: float = 15.0) -> None:
        """Start, feed a little, and see how long until that has arrived."""
        if self.start():
            self.after(limit_s)

    def after(self, limit_s: float = 15.0) -> None:
        fresh = self.feed(AFTER, first=self._later)
        self._later += AFTER
        came = self.peer.centre.came
        if wait(lambda: all(number in came for number in fresh), limit_s):
            self.cell.recover_s.append(time.monotonic() - self._began)

    def drain(self, limit_s: float = DRAIN_LIMIT_S, quiet_s: float = QUIET_S) -> None:
        """Until all that was accepted came, or nothing comes any more."""
        centre = self.peer.centre
        since = time.monotonic()

        def over() -> bool:
            return not self._missing() or time.monotonic() - max(centre.last_at, since) > quiet_s

        wait(over, limit_s)

    def _missing(self) -> dict[int, str]:
        accepted: dict[int, str] = {}
        for driver in self._drivers:
            accepted.update(dict(driver.accepted))
        came = self.peer.centre.came
        self._accepted = accepted
        return {number: more for number, more in accepted.items() if number not in came}

    def count(self) -> Cell:
        missing = self._missing()
        cell = self.cell
        cell.accepted = len(self._accepted)
        cell.lost = len(missing)
        cell.told = sum(1 for more in missing.values() if more and self.peer.told(more))
        cell.doubled = sum(count - 1 for count in self.peer.centre.came.values())
        cell.not_taken = sum(len(driver.refused) for driver in self._drivers)
        return cell


@contextmanager
def round_of(kind: type[Peer], folder: Path, small: bool = False) -> Iterator[Round]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    peer = kind(folder, small)
    try:
        yield Round(peer)
    finally:
        peer.stop(signal.SIGKILL)
        peer.centre.close()


def kills(kind: type[Peer], folder: Path, rng: Random) -> Cell:
    """SIGKILL at random instants while it takes records; the link is down; then all must come."""
    with round_of(kind, folder) as it:
        for _ in range(10):
            if not it.start():
                break
            it.feed(int(rng.uniform(50, 400)))
            it.stop(signal.SIGKILL)
        it.peer.centre.open()
        it.recover()
        it.drain()
        return it.count()


def broker_forgets(kind: type[Peer], folder: Path, rng: Random) -> Cell:
    """The centre is away, the broker acknowledges, is killed, and comes back empty; three times."""
    with round_of(kind, folder) as it:
        centre = it.peer.centre
        centre.open()
        it.start()
        for _ in range(3):
            it.after()
            centre.leave()
            it.feed(FEED)
            it.settle()
            time.sleep(0.5)
            centre.close()
            centre.open()
        it._began = time.monotonic()
        it.after(40.0)
        it.drain(quiet_s=35.0, limit_s=90.0)
        return it.count()


def long_outage(kind: type[Peer], folder: Path, rng: Random) -> Cell:
    """Three times as many records as the queue holds, without a broker."""
    with round_of(kind, folder, small=True) as it:
        it.start()
        it.feed(3 * 1000, rate=600)
        it.settle()
        it._began = time.monotonic()
        it.peer.centre.open()
        it.after()
        it.drain()
        return it.count()


def stalled_link(kind: type[Peer], folder: Path, rng: Random) -> Cell:
    """The broker is there and does nothing (SIGSTOP) for ten seconds, then goes on."""
    with round_of(kind, folder) as it:
        centre = it.peer.centre
        centre.open()
        it.start()
        it.after()
        centre.broker.signal(signal.SIGSTOP)
        it.feed(10 * 100, rate=100)
        it.settle()
        centre.broker.signal(signal.SIGCONT)
        it._began = time.monotonic()
        it.after()
        it.drain()
        return it.count()


def damaged(how: Callable[[bytearray, Random], bytes], rounds: int) -> Callable[[type[Peer], Path, Random], Cell]:
    """Each state file in turn is damaged after a clean end; then all must come."""

    def torture(kind: type[Peer], folder: Path, rng: Random) -> Cell:
        total = Cell()
        with round_of(kind, folder / "template") as it:
            it.start()
            it.feed(FEED)
            it.settle()
            time.sleep(1.2)  # what it writes a little later counts as written
            files = it.peer.files()[:6]
            it.stop()
            files = [path for path in it.peer.files()[:6]]
            names = [path.relative_to(it.peer.state) for path in files]
            template = it
            for name in names * rounds:
                total.add(_one(kind, folder / "one", template, name, lambda data: how(data, rng)))
        total.note = f"{len(names)} files" if names else "it has no files"
        if not names:
            with round_of(kind, folder / "one") as bare:
                bare.peer.centre.open()
                bare.recover()
                total.add(_of(template, bare))
        return total

    return torture


def _one(kind: type[Peer], folder: Path, template: Round, name: Path, how: Callable[[bytearray], bytes]) -> Cell:
    """A copy of the template's state with one file damaged, under the template's keys."""
    with round_of(kind, folder) as it:
        it.peer.centre.close()
        it = Round(template.peer)
        saved = template.peer.folder / "saved"
        if not saved.exists():
            shutil.copytree(template.peer.state, saved)
        shutil.rmtree(template.peer.state)
        shutil.copytree(saved, template.peer.state)
        victim = template.peer.state / name
        victim.write_bytes(how(bytearray(victim.read_bytes())))
        template.peer.centre.came.clear()
        template.peer.centre.open()
        it.recover()
        it._drivers += template._drivers
        it.drain()
        cell = it.count()
        template.peer.stop(signal.SIGKILL)
        template.peer.centre.close()
        return cell
