"""`python -m tests.vm.bonds FIGURES`, in the guest: how long from a device's first advertisement to its first durable
reading, through the real bluetoothd. The gateway is the unit of systemd/, with a [[radio]] for each device.

This is where the gateway meets the radio of the guest; a gateway without a radio is told so, with exit code 3.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agent.config import Config
from tests.vm.bedside import Bedside, on_air
from tests.vm.spooled import Session
from tests.vm.spread import spread
from tests.vm.talk import Player, tell

DEVICES = (("gatt_oximeter", "finger-in-and-out"), ("gatt_heart_rate", ""), ("berry_bci", ""))
CAPTURES = Path(__file__).parents[1] / "captures"
STUCK_S = 60.0
CLOSED_S = 30.0
NO_RADIO = 3


@dataclass(slots=True)
class Turn:
    """One peripheral; `began` is None while it is switched off."""

    number: int
    driver: str
    story: str
    began: float | None = None
    session: Session | None = None

    @property
    def name(self) -> str:
        return f"{self.driver}-{self.number}"

    @property
    def address(self) -> str:
        return f"C0:00:00:00:00:{self.number + 1:02X}"


@dataclass(slots=True)
class Tally:
    seconds: dict[str, list[float]] = field(default_factory=dict)
    stuck: list[str] = field(default_factory=list)
    swapped: list[str] = field(default_factory=list)


def configured(turns: list[Turn]) -> str:
    """What an engineer writes for these devices."""
    return "".join(f'[[radio]]\naddress = "{turn.address}"\ndriver = "{turn.driver}"\n' for turn in turns)


def has_radio() -> bool:
    return "radio" in Config.__struct_fields__


def run(radio: Player, bedside: Bedside, turns: list[Turn], wanted: int, until_s: float) -> Tally:
    """One device after the other is switched on, heard, and switched off, again and again."""
    tally = Tally()
    for count in range(wanted):
        if time.monotonic() >= until_s:
            break
        turn = turns[count % len(turns)]
        _switch_on(radio, turn)
        first = len(bedside.spooled.sessions)
        found = _heard(bedside, turn, first)
        radio.do("hide", turn.name)
        if found is None:
            tally.stuck.append(f"{turn.name} after {count}: {bedside.devices()}")
            tell(f"stuck: {tally.stuck[-1]}")
            continue
        tally.seconds.setdefault(turn.driver, []).append((found.first or 0.0) - (turn.began or 0.0))
        sessions = bedside.spooled.sessions
        bedside.until(lambda sessions=sessions: all(one.closed for one in sessions), CLOSED_S)
        tally.swapped += [f"{one.driver} {one.port}" for one in sessions[first:] if turn.address not in one.port]
    return tally


def _switch_on(radio: Player, turn: Turn) -> None:
    asked = {"address": turn.address, "driver": turn.driver, "story": turn.story}
    began = time.monotonic()
    if turn.began is None:
        radio.do("appear", turn.name, **asked)
    else:
        radio.do("show", turn.name)
    turn.began = began


def _heard(bedside: Bedside, turn: Turn, first: int) -> Session | None:
    """Its session, once it has a durable reading; None if that takes too long."""

    def now() -> list[Session]:
        return [one for one in bedside.spooled.sessions[first:] if one.driver == turn.driver and one.first is not None]

    try:
        bedside.until(now, STUCK_S)
    except AssertionError:
        return None
    return now()[0]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.vm bonds", description=__doc__)
    parser.add_argument("figures", type=Path)
    parser.add_argument("--plugs", type=int, default=200, help="appearances (default 200)")
    parser.add_argument("--seconds", type=float, default=2400.0, help="then what was done is reported (default 2400)")
    args = parser.parse_args()
    if not has_radio():
        tell("skipped: this gateway has no radio: its configuration knows no [[radio]]")
        return NO_RADIO
    with tempfile.TemporaryDirectory() as name:
        found = _all(Path(name), args)
    args.figures.write_text(json.dumps(found), encoding="utf-8")
    wrong = found["stuck"] or found["swapped"] or found["task_failures"] or found["restarts"]
    return 1 if wrong else 0


def _all(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    turns = [Turn(number, driver, story or _first(driver)) for number, (driver, story) in enumerate(DEVICES)]
    radio = on_air(folder)
    bedside = Bedside(folder, tables=configured(turns))
    bedside.start()
    before = bedside.worth()
    tally = run(radio, bedside, turns, args.plugs, time.monotonic() + args.seconds)
    found = {
        "asked": {"plugs": args.plugs},
        **spread([second for seconds in tally.seconds.values() for second in seconds]),
        "drivers": {driver: spread(seconds) for driver, seconds in sorted(tally.seconds.items())},
        "stuck": tally.stuck,
        "swapped": tally.swapped,
        "costs": [asdict(before), asdict(bedside.worth())],
        "task_failures": bedside.tasks_failed(),
        "restarts": bedside.restarts(),
    }
    bedside.stop()
    radio.end()
    return found


def _first(driver: str) -> str:
    return sorted((CAPTURES / driver).glob("*.cap"))[0].stem


if __name__ == "__main__":
    raise SystemExit(main())
