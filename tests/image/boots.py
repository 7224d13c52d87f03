"""`python -m tests.image.boots`: how long from power to the first reading that the centre has opened, and its cost.

A fresh card with wardlink.txt is started, then the same card once more. For each start a line of JSON: seconds by the
clock and seconds of processor (of QEMU: the same on a busy computer) to each mark, what each unit of the guest spent,
and the memory that the whole system takes. Exit code: 0 within the bars, 1 not, 3 not on this machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.image.__main__ import NOT_HERE, _commit
from tests.image.device import Device
from tests.image.disk import fat
from tests.image.machine import LOUD, VIRT, Machine, made
from tests.image.outside import Outside
from tests.image.scenes import SLOW_S, STORY
from tests.image.variants import TOP, Built
from tests.system.broker_rig import free_port

FIRST_READING_S = 60.0  # a quiet computer with two processors
MEMORY_MB = 200.0
UNITS = """
systemctl list-units --all --plain --no-legend --type=service --type=scope --type=mount | while read -r unit rest; do
    echo "$(systemctl show -P CPUUsageNSec "$unit") $(systemctl show -P MemoryCurrent "$unit") $unit"
done
"""
SETTLED_S = 20


@dataclasses.dataclass
class Marks:
    """Seconds by the clock and of processor since the power came, by what had come true then."""

    machine: Machine
    began: float = dataclasses.field(default_factory=time.monotonic)
    found: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)

    def put(self, name: str) -> None:
        self.found.setdefault(name, (round(time.monotonic() - self.began, 1), round(self.machine.spent_s, 1)))


def main() -> int:
    args = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the machine is ended, too
    built = Built(args.cache)
    if not list((args.cache / "out" / built.board).glob("wardlink-*.img")):
        print("error: no image: image-build/build --board virt --deb ...", file=sys.stderr)
        return NOT_HERE
    with tempfile.TemporaryDirectory(prefix="wardlink-boots-", dir=args.scratch) as name:
        folder = Path(name)
        with Outside(folder / "outside") as outside:
            lines = [_told(line, args.out) for line in _lives(built, folder, outside, args)]
    first = lines[0]
    return 0 if first["first_reading"][0] <= FIRST_READING_S and first["memory_mb"] <= MEMORY_MB else 1


def _told(line: dict[str, Any], out: Path | None) -> dict[str, Any]:
    """At once: a machine that hangs in its second life takes nothing from the first."""
    print(json.dumps(line), flush=True)
    if out is not None:
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    return line


def _lives(built: Built, folder: Path, outside: Outside, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    board = dataclasses.replace(VIRT, more_cmdline=LOUD) if args.loud else VIRT
    port = free_port()
    with made(built.image, folder / "machine", board=board, forwarded={port: 22}) as machine:
        fat(machine.card, 1).write("wardlink.txt", outside.setting())
        for life in ("first", "second")[: args.lives]:
            yield {"life": life, **_life(machine, outside, port), "commit": _commit()}
            if args.keep is not None:
                args.keep.joinpath(f"{life}.log").write_text(machine.console, encoding="utf-8")
            machine.ask("system_powerdown")
            machine.cut()


def _life(machine: Machine, outside: Outside, port: int) -> dict[str, Any]:
    before = outside.readings()
    machine.power()
    marks = Marks(machine)
    with _plugged(machine) as device:

        def look() -> bool:
            if "A runs" in machine.console:
                marks.put("system")
            if any(outside.gateways()):
                marks.put("enrolled")
            return outside.readings() > before

        machine.until(look, SLOW_S, "a reading at the centre")
        marks.put("first_reading")
        return {**marks.found, "heard_bytes": len(device.heard), **_inside(outside, port)}


@contextmanager
def _plugged(machine: Machine) -> Iterator[Device]:
    device = Device(machine.socket, STORY)
    try:
        yield device
    finally:
        device.off()


def _inside(outside: Outside, port: int) -> dict[str, Any]:
    """What the guest says of itself, once it has come to rest."""
    said = outside.ssh(port, f"sleep {SETTLED_S}; {UNITS}").stdout.splitlines()
    rows = [line.split() for line in said]
    spent = {row[2]: round(int(row[0]) / 1e9, 2) for row in rows if len(row) == 3 and row[0].isdigit()}
    held = {row[2]: round(int(row[1]) / 1e6, 1) for row in rows if len(row) == 3 and row[1].isdigit()}
    memory = dict(line.split()[:2] for line in outside.ssh(port, "cat /proc/meminfo").stdout.splitlines())
    taken = (int(memory["MemTotal:"]) - int(memory["MemAvailable:"])) / 1e3
    return {
        "memory_mb": round(taken, 1),
        "analyze": outside.ssh(port, "systemd-analyze time").stdout.strip(),
        "blame": [" ".join(line.split()) for line in outside.ssh(port, "systemd-analyze blame").stdout.splitlines()][
            :30
        ],
        "chain": outside.ssh(
            port, "systemd-analyze critical-chain wardlink.service multi-user.target"
        ).stdout.splitlines(),
        "processes": outside.ssh(port, "ps axo rss,time,args --sort=-rss | head -25").stdout.splitlines(),
        "spent_s": dict(sorted(((k, v) for k, v in spent.items() if v >= 0.05), key=lambda one: -one[1])),
        "held_mb": dict(sorted(((k, v) for k, v in held.items() if v >= 1), key=lambda one: -one[1])),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.image.boots", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    cache = Path(os.environ.get("WARDLINK_IMAGE_CACHE") or TOP / "build" / "image")
    parser.add_argument("--cache", type=Path, default=cache, help="where image-build keeps what it made")
    parser.add_argument("--scratch", default=None, help="where cards lie meanwhile")
    parser.add_argument("--lives", type=int, choices=(1, 2), default=2, help="2: the same card once more")
    parser.add_argument("--loud", action="store_true", help="the guest's journal goes to its console: costs time")
    parser.add_argument("--keep", type=Path, help="the console's words go into this folder")
    parser.add_argument("--out", type=Path, help="append each line here")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
