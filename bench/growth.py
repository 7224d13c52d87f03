"""Does a gateway grow with the days? `growth.py [--days 6]`: simulated days of one bed, in this process.

Each second is a real beat: pulse, sealer, spool, and the decisions of the uplink with their books. The broker and the
centre are pretended: what is published is acknowledged, and a receipt comes each 5 s. Each day has two hours without a
link, and the backlog of them to drain. The resident set is read at each midnight; the slope is fitted without the
first day, in which every buffer becomes as large as it gets, and until the quotas are full segments are new.

Prints `name value unit` lines. Exit 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agent import identity
from agent.lab import keyring
from agent.pulse import Pulse
from agent.spool import Spool, Stored
from agent.uplink.flow import Flow, Limits
from agent.uplink.lanes import Lane, Parcel
from agent.uplink.pace import Terms
from bench import backlog
from bench.resident import resident_mib
from bench.results import Figure, verdict
from bench.soak import slope
from wire.codec import Encoder
from wire.ranges import Ranges
from wire.receipt import Held
from wire.records import Anchor
from wire.seal import Sealer
from wire.topics import Class

DAY_S = 86_400
DAYS = 6
SECOND_NS = 1_000_000_000
TRIP_NS = 50_000_000
OUTAGE_S = (36_000, 43_200)  # of each day
RECEIPT_EVERY_S = 5
ACKS_EVERY_S = 10
TURNS = 20  # of the uplink in a second: what a fast link could drain
MIB = 1 << 20
COMMAND = "python bench/growth.py"
BARS = {"soak.day_slope": 1.0}


class World:
    """One gateway's memory, a pretended broker and centre, and a clock that is told."""

    def __init__(self, folder: Path) -> None:
        who = identity.load(keyring.make(folder / "keys").gateway, receipts=False)
        self.disk = backlog.Lazy()
        self.spool = Spool.open(folder / "spool", backlog.defaults(), self.disk)
        sealer = Sealer(who.signer, who.recipients, self.spool.epoch, self.spool.nonce)
        encoder = Encoder()
        bed = backlog.Bed([encoder.encode(second) for second in backlog.ecg()])
        self.pulse = Pulse(bed, sealer, lambda: Anchor(self.now // 1000, self.now // 1000, 5000, "ntp"), "bed")
        self.flow = Flow(Limits())
        self.centre = {cls: Ranges() for cls in Class}
        self.now = self.second = 0
        self._mid = 0
        self._out: dict[int, Parcel] = {}

    def tick(self) -> None:
        """One second of everything."""
        self.second += 1
        self.now = self.second * SECOND_NS
        self._link()
        envelopes = self.pulse.beat(self.now)
        for header, data in envelopes:
            self.spool.append(Stored(int(header.cls), header.epoch, header.hour, header.seq, data))
        self.spool.commit()
        for header, data in envelopes:
            parcel = Parcel(Lane.LIVE, header.cls, header.epoch, header.hour, header.seq, data)
            self.flow.offer(parcel, self.now)
        for _ in range(TURNS if self.flow.is_up else 0):
            if not self._turn():
                break
        if self.second % RECEIPT_EVERY_S == 0 and self.flow.is_up:
            self._receipt()
        if self.second % ACKS_EVERY_S == 0:
            self.spool.save_acks()

    def _link(self) -> None:
        wanted = not OUTAGE_S[0] <= self.second % DAY_S < OUTAGE_S[1]
        if wanted and not self.flow.is_up:
            self.flow.up(Terms(), self.now)
            self.pulse.introduce()
        elif self.flow.is_up and not wanted:
            self.flow.down(self.now)
            self._out.clear()

    def _turn(self) -> bool:
        """Publish, acknowledge, fetch; whether anything was done."""
        while self.flow.step(self.now, self._publish, lambda: 0):
            continue
        done, self._out = self._out, {}
        self.now += TRIP_NS // TURNS
        for mid, parcel in done.items():
            self.flow.settle(mid, None, self.now)
            self.centre[parcel.cls].add(parcel.seq)
        if self.flow.wants_backlog(self.now):
            found = self.spool.backlog(self.flow.trip.fetch_bytes(), self.flow.busy(self.now))
            self.flow.refill(found, self.now)
            return bool(found or done)
        return bool(done)

    def _publish(self, parcel: Parcel) -> int:
        self._mid += 1
        self._out[self._mid] = parcel
        return self._mid

    def _receipt(self) -> None:
        for cls, ranges in self.centre.items():
            said = Held(self.spool.epoch, self.spool.nonce, int(cls), list(ranges))
            self.spool.held(int(cls), said.epoch, said.ranges)
            self.flow.held(said, self.now)

    def owed(self) -> int:
        """Envelopes that are not held."""
        return sum(chain.unheld_frames for chain in self.spool.stat().classes.values())


def grow(days: float, step_s: int = DAY_S) -> Iterator[tuple[float, float, int]]:
    """(days, resident MiB, envelopes not held) at the start and after each step."""
    folder = Path(tempfile.mkdtemp(prefix="wardlink-growth-"))
    try:
        world = World(folder)
        yield 0.0, resident_mib(os.getpid()), 0
        for second in range(1, round(days * DAY_S) + 1):
            world.tick()
            if second % step_s == 0:
                gc.collect()
                yield second / DAY_S, resident_mib(os.getpid()), world.owed()
        world.spool.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def of_days(days: float, step_s: int = DAY_S) -> Iterator[Figure]:
    command = f"{COMMAND} --days {days:g}"
    points = []
    for point in grow(days, step_s):
        print("day {:.2f}  {:.2f} MiB  {} not held".format(*point), file=sys.stderr, flush=True)
        points.append(point)
    steady = [(day, mib) for day, mib, _ in points[2:]]
    yield Figure("soak.days", round(points[-1][0], 2), "days", command)
    yield Figure("soak.day_slope", round(slope(steady), 3), "MiB/day", command)
    yield Figure("soak.day_left", points[-1][2], "envelopes", command)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=float, default=DAYS)
    parser.add_argument("--step-s", type=int, default=DAY_S, help="simulated seconds between two looks")
    args = parser.parse_args()
    figures = list(of_days(args.days, args.step_s))
    for figure in figures:
        print(figure.line(), flush=True)
    return verdict(figures, BARS)


if __name__ == "__main__":
    sys.exit(main())
