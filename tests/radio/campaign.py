"""Faults by the hundred on virtual time, through bleak: how long until each device is heard again, and what that took.

    python -m tests.radio.campaign --faults 500 --seed 1 --out FILE

Two oximeters stand at the bed, one bonded, one only allowed. One fault after the other comes to one of them or to the
adapter. Recovery is counted from the moment the device can be heard again at all (back in range, the adapter plugged
in, a person at the window) or, where only the gateway can mend it, from the fault; until its next reading is heard.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import statistics
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bumble import hci

from agent.lab.ether import Ether
from agent.ports.radio.air import Seen
from tests.radio.bed import OXIMETER, Bed, Device, named, saturation
from tests.radio.stack import Stack
from tests.radio.vtime import now, passing, run, until

ALLOWED = replace(OXIMETER, address="C0:22:22:22:22:02", name="PLX 2")
STUCK_S = 900.0
CALM_S = (5.0, 40.0)
ROGUE_VALUE = 1
GOAL_MEDIAN_S = 15.0
log = logging.getLogger("campaign")


@dataclass
class Outcome:
    kind: str
    device: str
    recovery_s: float
    is_stuck: bool = False


class Ward:
    """The bed with its two devices, and one fault after the other."""

    def __init__(self, folder: Path, seed: int, tells_again: bool) -> None:
        self.random = random.Random(seed)
        self.bed = Bed(folder, [named(ALLOWED)], stack=Stack(Ether(), tells_again))
        self.devices = [Device(self.bed.ether, OXIMETER), Device(self.bed.ether, ALLOWED)]
        self.outcomes: list[Outcome] = []
        self.rogue_readings = 0

    def heard(self, device: Device) -> int:
        """When its last reading was heard, in nanoseconds; 0: not in this connection."""
        ear = self.bed.radio._ears.get((device.face.address, "gatt_oximeter"))
        session = ear.hearing.session if ear else None
        return (session.heard or 0) * 1000 if session else 0

    async def begin(self) -> None:
        for device in self.devices:
            await device.switch_on()
        self.bed.open_window()
        await until(lambda: all(map(self.heard, self.devices)), 60)
        assert self.bed.peer(OXIMETER).known.bonded

    async def fault(self, kind: str) -> None:
        device = self.random.choice(self.devices)
        log.warning("%.1f s: %s at %s", now() / 1e9, kind, device.face.name)
        if kind in ("lost bond", "clone of the address"):
            device = self.devices[0]
        await FAULTS[kind](self, device)
        over = now()
        outcome = Outcome(kind, device.face.name, 0.0)
        while self.heard(device) <= over and not outcome.is_stuck:
            await passing(0.1)
            outcome.is_stuck = now() - over > STUCK_S * 1e9
        outcome.recovery_s = (now() - over) / 1e9
        self.outcomes.append(outcome)
        await until(lambda: all(map(self.heard, self.devices)), STUCK_S)
        self.rogue_readings += sum(reading.value == ROGUE_VALUE for reading in self.bed.readings())
        self.bed.records.clear()
        self.bed.tapes.turn(now())
        await passing(self.random.uniform(*CALM_S))

    def cut(self, device: Device) -> None:
        """Its link breaks, as the other side's does."""
        for link in list(device.chip.le_connections.values()):
            self.bed.ether.cut(device.chip, link, hci.HCI_ErrorCode.CONNECTION_TERMINATED_DUE_TO_MIC_FAILURE_ERROR)


async def dropped(ward: Ward, device: Device) -> None:
    await device.drop()


async def out_of_range(ward: Ward, device: Device) -> None:
    ward.bed.ether.leave(device.chip)
    await passing(ward.random.uniform(1, 90))
    ward.bed.ether.come_back(device.chip)


async def rebooted(ward: Ward, device: Device) -> None:
    await device.hide()
    ward.cut(device)
    await passing(ward.random.uniform(2, 20))
    await device.show()


async def refuses(ward: Ward, device: Device) -> None:
    ward.bed.stack.failing_connects = ward.random.randint(1, 4)
    ward.cut(device)


async def half_way(ward: Ward, device: Device) -> None:
    """Lost again while it is asked what it offers, up to three times."""
    ward.cut(device)
    for _ in range(ward.random.randint(1, 3)):
        await until(lambda: device.is_connected, STUCK_S, 0.005)
        ward.cut(device)
        await passing(0.05)


async def wedged(ward: Ward, device: Device) -> None:
    ward.bed.stack.faults.add("wedged")
    ward.cut(device)


async def dead_scan(ward: Ward, device: Device) -> None:
    """When nothing is lost any more, for after each loss the scan is begun afresh."""
    await device.hide()
    ward.cut(device)
    await passing(1)
    ward.bed.stack.faults.add("dead scan")
    await device.show()


async def deaf(ward: Ward, device: Device) -> None:
    """Only power mends it; both devices are lost."""
    ward.bed.stack.faults.add("deaf")
    for one in ward.devices:
        ward.cut(one)


async def daemon_hangs(ward: Ward, device: Device) -> None:
    ward.bed.stack.faults.add("daemon hangs")
    ward.cut(device)
    await passing(ward.random.uniform(2, 30))
    ward.bed.stack.faults.discard("daemon hangs")


async def unplugged(ward: Ward, device: Device) -> None:
    await ward.bed.stack.unplug()
    await passing(ward.random.uniform(2, 60))
    ward.bed.stack.faults.discard("no adapter")


async def somebody_resets(ward: Ward, device: Device) -> None:
    await ward.bed.stack.power(False)
    await passing(1)
    await ward.bed.stack.power(True)


async def lost_bond(ward: Ward, device: Device) -> None:
    await device.forget()
    await device.drop()
    await passing(ward.random.uniform(10, 100))
    ward.bed.open_window()


async def rogue(ward: Ward, device: Device, address: str) -> None:
    ward.bed.ether.leave(device.chip)
    await passing(6)
    liar = Device(ward.bed.ether, replace(device.face, address=address), value=lambda _: saturation(ROGUE_VALUE))
    await liar.switch_on()
    await passing(ward.random.uniform(20, 60))
    liar.switch_off()
    ward.bed.ether.remove_controller(liar.chip)
    ward.bed.ether.come_back(device.chip)


async def clone(ward: Ward, device: Device) -> None:
    await rogue(ward, device, device.face.address)


async def namesake(ward: Ward, device: Device) -> None:
    await rogue(ward, device, f"C0:66:66:66:66:{ward.random.randrange(256):02X}")


async def flood(ward: Ward, device: Device) -> None:
    ward.cut(device)
    for _ in range(20):
        for _ in range(100):
            address = f"C0:{ward.random.randbytes(5).hex(':').upper()}"
            ward.bed.host.seen(Seen(address, "random", device.face.name, frozenset(), -40, False))
        await passing(0.1)


async def nonsense(ward: Ward, device: Device) -> None:
    for _ in range(20):
        await device.say(device.face.characteristics[0], ward.random.randbytes(ward.random.randrange(1, 20)))


FAULTS = {
    "dropped": dropped,
    "out of range": out_of_range,
    "rebooted": rebooted,
    "connecting fails": refuses,
    "lost half way": half_way,
    "adapter wedged": wedged,
    "scan dead": dead_scan,
    "adapter deaf": deaf,
    "daemon hangs": daemon_hangs,
    "adapter unplugged": unplugged,
    "adapter reset by somebody": somebody_resets,
    "lost bond": lost_bond,
    "clone of the address": clone,
    "clone of the name": namesake,
    "flood": flood,
    "nonsense": nonsense,
}


async def campaign(folder: Path, count: int, seed: int, tells_again: bool) -> dict:
    ward = Ward(folder, seed, tells_again)
    kinds = [kind for _ in range(count // len(FAULTS) + 1) for kind in FAULTS][:count]
    ward.random.shuffle(kinds)
    begun = now()
    async with ward.bed.watched():
        await ward.begin()
        for kind in kinds:
            await ward.fault(kind)
        status = ward.bed.radio.picture(now())
        tasks = len(asyncio.all_tasks())
    for device in ward.devices:
        device.switch_off()
    return figures(ward, status, seed, (now() - begun) / 1e9, tasks)


def figures(ward: Ward, status, seed: int, virtual_s: float, tasks: int) -> dict:
    times = sorted(outcome.recovery_s for outcome in ward.outcomes)
    by_kind = {
        kind: {
            "faults": len(of),
            "median_s": round(statistics.median(of), 1),
            "longest_s": round(max(of), 1),
        }
        for kind in FAULTS
        if (of := [outcome.recovery_s for outcome in ward.outcomes if outcome.kind == kind])
    }
    return {
        "seed": seed,
        "tells_again": ward.bed.stack.tells_again,
        "faults": len(times),
        "kinds": len(by_kind),
        "median_s": round(statistics.median(times), 2),
        "p95_s": round(times[int(len(times) * 0.95)], 2),
        "longest_s": round(times[-1], 2),
        "stuck": sum(outcome.is_stuck for outcome in ward.outcomes),
        "daemon_restarts": Counter(ward.bed.stack.done)["restart"],
        "rogue_readings": ward.rogue_readings,
        "rungs": status.rungs,
        "virtual_hours": round(virtual_s / 3600, 2),
        "advertisements": status.advertisements,
        "strange_advertisements": status.strange_advertisements,
        "remembered_strangers": len(status.strangers),
        "tasks_at_the_end": tasks,
        "refused": sum(device.refused for device in status.devices),
        "by_kind": by_kind,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--once", action="store_true", help="the adapter tells once of what is advertised, until asked")
    parser.add_argument("--trace", action="store_true", help="say each fault as it comes")
    args = parser.parse_args()
    logging.basicConfig(level=logging.WARNING if args.trace else logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        found = run(campaign(Path(folder), args.faults, args.seed, not args.once))
    print(json.dumps(found, indent=1))
    if args.out:
        with args.out.open("a", encoding="utf-8") as out:
            print(json.dumps({"date": datetime.now(UTC).isoformat(timespec="seconds"), **found}), file=out)
    wrong = found["stuck"] or found["daemon_restarts"] or found["rogue_readings"]
    return 0 if not wrong and found["median_s"] <= GOAL_MEDIAN_S else 1


if __name__ == "__main__":
    sys.exit(main())
