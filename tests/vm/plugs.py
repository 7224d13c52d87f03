"""`python -m tests.vm.plugs FIGURES`, in the guest: how long from a plug to the first durable reading, and whether
plugging in and out for ever leaves anything behind.

A plug is timed at a socket where another device was last, so that nothing remembered helps. A cycle is a device that
comes back to its own socket; each says a serial number and a saturation that nobody else does, so that a reading under
another's name is seen. The gateway is the unit of systemd/.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.system.bell import until
from tests.vm.bedside import Bedside
from tests.vm.spooled import Session
from tests.vm.spread import spread
from tests.vm.talk import Player, tell
from tests.vm.usbip import place

SOCKETS = 8
LINE = [9600, 8, "N", 1]
DEVICES: tuple[dict[str, Any], ...] = (
    {"story": "masimo_ascii1/rad8-2018", "line": LINE},
    {"story": "berry_bci/made-by-rule", "line": [115200, 8, "N", 1]},
    {"story": "contec_v5/made-by-rule", "line": [19200, 8, "O", 1]},
    {"story": "nonin_pleth/format-2", "line": LINE},
)
SLOW: tuple[dict[str, Any], ...] = ({"story": "nellcor_n560/bedside", "line": LINE},)  # a line every two seconds
STUCK_S = 60.0
SERIAL, SATURATION = "SN=0000000000", "SPO2=097"
OF_ALL = (99, 100)  # also in the tale of every fast device
SAMPLE_EVERY = 50
CLOSED_S = 30.0


@dataclass(slots=True)
class Lane:
    """One socket and what is in it now; `began` is None while it is empty."""

    socket: int
    device: dict[str, Any]
    began: float | None = None
    turns: int = 0

    @property
    def name(self) -> str:
        return f"lane-{self.socket}"

    @property
    def driver(self) -> str:
        return str(self.device["story"]).partition("/")[0]


@dataclass(slots=True)
class Tally:
    seconds: dict[str, list[float]] = field(default_factory=dict)
    stuck: list[str] = field(default_factory=list)
    swapped: list[str] = field(default_factory=list)
    echoed_plugs: int = 0
    echoed_bytes: int = 0

    @property
    def count(self) -> int:
        return len(self.stuck) + sum(map(len, self.seconds.values()))

    def figures(self) -> dict[str, Any]:
        every = [second for seconds in self.seconds.values() for second in seconds]
        return {
            **spread(every),
            "drivers": {driver: spread(seconds) for driver, seconds in sorted(self.seconds.items())},
            "stuck": self.stuck,
            "swapped": self.swapped,
            "echoed_plugs": self.echoed_plugs,
            "echoed_bytes": self.echoed_bytes,
        }


class Round:
    """Plugs in wherever there is room and out whoever was heard, until so many were."""

    def __init__(self, bus: Player, bedside: Bedside, lanes: list[Lane], wanted: int, until_s: float) -> None:
        self.tally = Tally()
        self._bus = bus
        self._bedside = bedside
        self.lanes = lanes
        self._wanted = wanted
        self._until_s = until_s
        self._begun = 0
        self._first_session = len(bedside.spooled.sessions)

    @property
    def sessions(self) -> list[Session]:
        return self._bedside.spooled.sessions[self._first_session :]

    def step(self) -> bool:
        """Whether it is over."""
        self._bedside.spooled.look()
        free = self._bus.do("free")
        for lane in self.lanes:
            if lane.began is not None:
                self._watch(lane, lane.began)
            elif self._begun < self._wanted and time.monotonic() < self._until_s and lane.socket in free:
                self._plug(lane)
        return all(lane.began is None for lane in self.lanes) and (
            self._begun >= self._wanted or time.monotonic() >= self._until_s
        )

    def _plug(self, lane: Lane) -> None:
        """It was on before: from anywhere in what it says."""
        self._next_device(lane)
        from_s = 1.0 + self._begun * 0.37 % 2.0
        asked = {"socket": lane.socket, "serial": "TWIN", "from_s": from_s, **lane.device}
        lane.began = self._bus.do("plug", lane.name, **asked)["at"]
        self._begun += 1

    def _next_device(self, lane: Lane) -> None:
        """The same again."""

    def _watch(self, lane: Lane, began: float) -> None:
        found = [one for one in self.sessions if one.port == place(lane.socket) and (one.first or 0.0) > began]
        current = next((one for one in found if one.seen > began), None)
        if current is not None and current.first is not None:
            self.tally.seconds.setdefault(lane.driver, []).append(current.first - began)
        elif time.monotonic() - began < STUCK_S:
            return
        else:
            self.tally.stuck.append(f"{lane.driver} at {lane.socket} after {self.tally.count}")
            tell(f"stuck: {self.tally.stuck[-1]}: {self._bus.do('look', lane.name)}")
        echo = len(self._bus.do("unplug", lane.name)["heard"]) // 2
        self.tally.echoed_plugs += bool(echo)
        self.tally.echoed_bytes += echo
        lane.began = None


class Plugs(Round):
    """Each socket has another device than last time."""

    devices = DEVICES

    def _next_device(self, lane: Lane) -> None:
        lane.turns += 1
        lane.device = self.devices[(lane.turns + lane.socket) % len(self.devices)]


class SlowPlugs(Plugs):
    """Three frames of these take longer than the figure allows: told beside it."""

    devices = SLOW


def judge(sessions: list[Session]) -> Iterator[str]:
    """Sessions of a socket that say what another socket's device says."""
    lanes = {place(socket): twin(socket) for socket in range(SOCKETS)}
    for session in sessions:
        lane = lanes[session.port]
        values = {int(str(value)) for value in session.values.get("spo2", [])}
        serials = ("", f"{lane.socket:010d}")
        if session.driver != lane.driver or session.serial not in serials or values - {90 + lane.socket, *OF_ALL}:
            yield f"{session.port}: {session.driver} {session.serial} {sorted(values)}"


def twin(socket: int) -> Lane:
    """A device that says which socket it is for. Every other one says a hundred frames a second: it is understood
    before the gateway looks again at what is plugged in where.
    """
    if socket % 2:
        told = [["\x48\x61", f"\x48{chr(90 + socket)}"]]
        return Lane(socket, {**DEVICES[1], "told": told})
    told = [[SERIAL, f"SN={socket:010d}"], [SATURATION, f"SPO2=09{socket}"]]
    return Lane(socket, {**DEVICES[0], "told": told})


def run(work: Round, costs: list[dict[str, Any]], bedside: Bedside) -> None:
    """To its end, with what the gateway costs now and then: first and last while nothing is plugged in."""
    began = time.monotonic()

    def sample() -> None:
        costs.append({"after": work.tally.count, **asdict(bedside.worth())})
        tell(f"{work.tally.count} in {time.monotonic() - began:.0f} s: {costs[-1]}")

    def over() -> bool:
        if work.tally.count >= len(costs) * SAMPLE_EVERY:
            sample()
        return work.step()

    until(over, 1e6)
    bedside.until(lambda: all(session.closed for session in bedside.spooled.sessions), CLOSED_S)
    sample()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.vm plugs", description=__doc__)
    parser.add_argument("figures", type=Path)
    parser.add_argument("--plugs", type=int, default=200)
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--slow", type=int, default=20, help="plugs of a device that says a line every two seconds")
    parser.add_argument("--lanes", type=int, default=4, help="sockets at once for plugs (default 4); cycles use all 8")
    parser.add_argument("--seconds", type=float, default=2400.0, help="then what was done is reported (default 2400)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bus, bedside = Player("tests.vm.usb", folder), Bedside(folder)
        bedside.start()
        found = _all(bus, bedside, args)
        bedside.stop()
        bus.end()
    args.figures.write_text(json.dumps(found), encoding="utf-8")
    wrong = [*found["plugs"]["stuck"], *found["slow"]["stuck"], *found["cycles"]["stuck"], *found["cycles"]["swapped"]]
    tell(f"wrong: {wrong}" if wrong else "none stuck, none swapped")
    return 1 if wrong or found["task_failures"] or found["restarts"] else 0


def _all(bus: Player, bedside: Bedside, args: argparse.Namespace) -> dict[str, Any]:
    until_s = time.monotonic() + args.seconds
    plugs = Plugs(bus, bedside, [Lane(socket, DEVICES[0]) for socket in range(args.lanes)], args.plugs, until_s)
    run(plugs, [], bedside)
    slow = SlowPlugs(bus, bedside, plugs.lanes, args.slow, until_s)
    run(slow, [], bedside)
    began, costs = time.monotonic(), []
    cycles = Round(bus, bedside, [twin(socket) for socket in range(SOCKETS)], args.cycles, until_s)
    run(cycles, costs, bedside)
    cycles.tally.swapped += judge(cycles.sessions)
    return {
        "asked": {"plugs": args.plugs, "cycles": args.cycles},
        "plugs": plugs.tally.figures(),
        "slow": slow.tally.figures(),
        "cycles": {**cycles.tally.figures(), "seconds": round(time.monotonic() - began), "costs": costs},
        "task_failures": bedside.tasks_failed(),
        "restarts": bedside.restarts(),
    }


if __name__ == "__main__":
    raise SystemExit(main())
