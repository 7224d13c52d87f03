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
from bench.torture.peers import SMALL_RECORDS, Driver, Peer, RefusedError

RATE = 500  # records a second
FEED = 300
AFTER = 20  # records after a restart: does it still take and send?
QUIET_S = 4.0  # nothing came for so long: nothing will
DRAIN_LIMIT_S = 45.0
RECOVER_LIMIT_S = 40.0
KILLS = 10
STALL_S = 10
FILES_LIMIT = 6
LATER_S = 1.2  # what it writes a little later counts as written
LATER = 1_000_000  # numbers of what is fed after the torture

Damage = Callable[[bytes, Random], bytes]


@dataclass
class Cell:
    """What one contestant made of one torture, added up over its rounds. Counts of records, but for `starts`."""

    accepted: int = 0
    lost: int = 0  # accepted, and never came
    told: int = 0  # of these: the contestant itself declared it
    doubled: int = 0  # came more often than once
    altered: int = 0  # came, and not as they were accepted
    not_taken: int = 0
    starts: int = 0
    refused: int = 0  # starts that failed
    recover_s: list[float] = field(default_factory=list)
    note: str = ""

    def add(self, other: Cell) -> None:
        for name in ("accepted", "lost", "told", "doubled", "altered", "not_taken", "starts", "refused"):
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
        self._began = time.monotonic()
        self.accepted: dict[int, str] | None = None  # what counts, where it is not all that the drivers said
        self._fed = 0
        self._later = LATER
        self.drivers: list[Driver] = []

    def start(self) -> bool:
        """Whether it does; a refusal is counted."""
        self.cell.starts += 1
        self.began()
        try:
            self.drivers.append(self.peer.start())
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

    def settle(self, limit_s: float = 8.0) -> None:
        """Until it has answered for all it was fed, or says nothing for a second, or takes too long."""
        driver = self.peer.driver
        end = time.monotonic() + limit_s
        before = -1
        while driver is not None and before != (before := driver.answers) and time.monotonic() < end:
            wait(lambda then=before: driver.answers != then, 1.0)

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.peer.stop(number)

    def recover(self, limit_s: float = RECOVER_LIMIT_S) -> None:
        """Start, feed a little, and see how long until that has arrived."""
        if self.start():
            self.after(limit_s)

    def after(self, limit_s: float = RECOVER_LIMIT_S) -> None:
        fresh = self.feed(AFTER, first=self._later)
        self._later += AFTER
        came = self.peer.centre.came
        if wait(lambda: all(number in came for number in fresh), limit_s):
            self.cell.recover_s.append(time.monotonic() - self._began)

    def began(self) -> None:
        """From now on it could recover."""
        self._began = time.monotonic()

    def drain(self, limit_s: float = DRAIN_LIMIT_S, quiet_s: float = QUIET_S) -> None:
        """Until all that was accepted came, or nothing comes any more."""
        centre = self.peer.centre
        since = time.monotonic()

        def over() -> bool:
            return not self._missing() or time.monotonic() - max(centre.last_at, since) > quiet_s

        wait(over, limit_s)

    def again(self) -> Round:
        """Another round with what this one had accepted; nothing came yet."""
        self.peer.centre.forget()
        other = Round(self.peer)
        other.drivers = list(self.drivers)
        return other

    def _said(self) -> dict[int, str]:
        if self.accepted is not None:
            return self.accepted
        return {number: more for driver in self.drivers for number, more in dict(driver.accepted).items()}

    def _missing(self) -> dict[int, str]:
        came = self.peer.centre.came
        return {number: more for number, more in self._said().items() if number not in came}

    def count(self) -> Cell:
        missing = self._missing()
        cell = self.cell
        cell.accepted = len(self._said())
        cell.lost = len(missing)
        cell.told = sum(1 for more in missing.values() if more and self.peer.told(more))
        cell.doubled = sum(count - 1 for count in self.peer.centre.came.values())
        cell.altered = self.peer.centre.altered
        cell.not_taken = sum(len(driver.refused) for driver in self.drivers)
        return cell


Torture = Callable[[type[Peer], Path, Random], Cell]


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
        for _ in range(KILLS):
            if not it.start():
                break
            it.feed(int(rng.uniform(50, 400)))
            it.stop(signal.SIGKILL)
        it.peer.centre.open()
        it.recover()
        it.drain()
        return it.count()


def broker_forgets(kind: type[Peer], folder: Path, rng: Random) -> Cell:
    """The centre is away, the broker acknowledges, is killed, and comes back empty; twice."""
    with round_of(kind, folder) as it:
        centre = it.peer.centre
        centre.open()
        it.start()
        for _ in range(2):
            it.after()
            centre.leave()
            it.feed(FEED)
            it.settle()
            time.sleep(0.5)
            centre.close()
            centre.open()
        it.began()
        it.after()
        it.drain(limit_s=90.0, quiet_s=it.peer.patience_s)
        return it.count()


def long_outage(kind: type[Peer], folder: Path, rng: Random) -> Cell:
    """Three times as many records as the queue holds, without a broker."""
    with round_of(kind, folder, small=True) as it:
        it.start()
        it.feed(3 * SMALL_RECORDS, rate=600)
        it.settle()
        taken = len(it.drivers[0].accepted) if it.drivers else 0
        it.began()
        it.peer.centre.open()
        it.after()
        it.drain()
        cell = it.count()
        cell.note = f"{taken} of {3 * SMALL_RECORDS} accepted while it lasted"
        return cell


def stalled_link(kind: type[Peer], folder: Path, rng: Random) -> Cell:
    """The broker is there and does nothing (SIGSTOP) for ten seconds, then goes on."""
    with round_of(kind, folder) as it:
        centre = it.peer.centre
        centre.open()
        it.start()
        it.after()
        centre.broker.send(signal.SIGSTOP)
        it.feed(STALL_S * 100, rate=100)
        it.settle()
        centre.broker.send(signal.SIGCONT)
        it.began()
        it.after()
        it.drain()
        return it.count()


def damaged(how: Damage, trials: int = 0) -> Torture:
    """Each state file in turn is damaged after a clean end, `trials` times or once each; then all must come."""

    def torture(kind: type[Peer], folder: Path, rng: Random) -> Cell:
        with round_of(kind, folder) as whole:
            whole.start()
            whole.feed(FEED)
            whole.settle()
            time.sleep(LATER_S)
            whole.stop()
            names = [path.relative_to(whole.peer.state) for path in whole.peer.files()[:FILES_LIMIT]]
            shutil.copytree(whole.peer.state, folder / "saved")
            rounds = names * -(-trials // max(1, len(names))) if trials else names
            rounds = rounds[: trials or len(names)]
            total = Cell(note=f"{len(rounds)} times, {len(names)} files" if names else "it has no files")
            for name in rounds or [None]:
                shutil.rmtree(whole.peer.state)
                shutil.copytree(folder / "saved", whole.peer.state)
                if name is not None:
                    victim = whole.peer.state / name
                    victim.write_bytes(how(victim.read_bytes(), rng))
                total.add(came_back(whole.again()))
        return total

    return torture


def came_back(it: Round) -> Cell:
    """Start it, let all come that will, stop it."""
    it.peer.centre.open()
    it.recover()
    it.drain()
    cell = it.count()
    it.stop(signal.SIGKILL)
    it.peer.centre.close()
    return cell


def flipped(data: bytes, rng: Random) -> bytes:
    """One bit of a byte that is in use."""
    used = [at for at, byte in enumerate(data) if byte] or range(len(data))
    at = rng.choice(used)
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def halved(data: bytes, rng: Random) -> bytes:
    """Cut in the middle of what is in use."""
    return data[: max(1, len(data.rstrip(b"\0")) // 2)]


def garbage(data: bytes, rng: Random) -> bytes:
    return rng.randbytes(len(data))
