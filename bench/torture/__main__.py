"""Tortures ThingsBoard Gateway's storage, a mosquitto bridge and wardlink, side by side: `python -m bench.torture`.

Prints a table, and writes it to bench/torture/results.json and README.md. The contestants are installed into build/.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from random import Random

from bench.torture import disks, table
from bench.torture.peers import PEERS, Peer, RefusedError
from bench.torture.tortures import (
    Cell,
    Torture,
    broker_forgets,
    damaged,
    flipped,
    garbage,
    halved,
    kills,
    long_outage,
    stalled_link,
)
from tests.crash.machine import Mounts, why_not

FLIPS = 6
HERE = Path(__file__).resolve().parent
TORTURES: dict[str, Torture] = {
    "SIGKILL, 10 times": kills,
    "power cut": disks.power,
    "broker killed after PUBACK, empty again": broker_forgets,
    "outage, three times the queue": long_outage,
    "link stalls for 10 s": stalled_link,
    "disk full, then room again": disks.full,
    "one bit flipped in a state file": damaged(flipped, FLIPS),
    "a state file cut in half": damaged(halved),
    "a state file of garbage": damaged(garbage),
}
NEED_MOUNTS = (disks.power, disks.full)


def versions(peers: list[type[Peer]]) -> dict[str, str]:
    """Name -> version; one that cannot be had says why, after a dash."""
    found: dict[str, str] = {}
    for peer in peers:
        try:
            found[peer.name] = peer.version()
        except RefusedError as error:
            found[peer.name] = f"- {error}"
    return found


def attempt(torture: Torture, peer: type[Peer], folder: Path, seed: str) -> dict[str, object]:
    """One cell. A torture that cannot be carried out says so, and the others go on."""
    began = time.monotonic()
    try:
        cell = torture(peer, folder, Random(seed))
    except Exception as error:  # noqa: BLE001  the bench's own trouble is not the contestant's
        traceback.print_exc()
        cell = Cell(note=f"not carried out: {type(error).__name__}: {error}")
    print(f"{peer.name}: {folder.name}: {time.monotonic() - began:.0f} s, {table.words(cell.as_json())}", flush=True)
    return cell.as_json()


def run(args: argparse.Namespace, folder: Path, blocked: str) -> dict[str, object]:
    peers = [peer for peer in PEERS if args.peers in peer.name]
    known = versions(peers)
    able = [peer for peer in peers if not known[peer.name].startswith("-")]
    rows = {name: torture for name, torture in TORTURES.items() if args.tortures in name}
    cells: dict[str, dict[str, Future[dict[str, object]]]] = {}
    with ThreadPoolExecutor(args.jobs) as pool:
        for name, torture in rows.items():
            cells[name] = {}
            for number, peer in enumerate(able):
                place = folder / f"{number}" / name.replace(" ", "-").replace(",", "")
                if not (blocked and torture in NEED_MOUNTS):
                    cells[name][peer.name] = pool.submit(attempt, torture, peer, place, f"{args.seed}/{name}")
    done = {name: {peer: cell.result() for peer, cell in row.items()} for name, row in cells.items()}
    return {"seed": args.seed, "versions": known, "blocked": blocked, "rows": done}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=3, help="contestants at a time; they mostly wait")
    parser.add_argument("--peers", default="", metavar="TEXT", help="only those whose name has it; nothing is written")
    parser.add_argument("--tortures", default="", metavar="TEXT", help="the same for the rows")
    args = parser.parse_args()
    blocked = why_not()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wardlink-torture-") as place:
        folder = Path(place)
        if not blocked:
            folder = Mounts().folder / "torture"  # memory, and mounts that nobody else sees
        results = run(args, folder, blocked)
    results["seconds"] = round(time.monotonic() - began)
    text = table.of(results)
    print(text)
    if not (args.peers or args.tortures):
        (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        table.into(HERE / "README.md", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
