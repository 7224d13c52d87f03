"""`python -m tests.vm`: wardlink in a Debian guest with real udev, systemd and bluetoothd, and emulated devices.

build   make the guest's kernel and disk under build/vm, once
run     the tests of tests/vm in the guest; more words go to pytest
do      any command in the guest, in wardlink's checkout
plugs   time plugs and cycles of emulated USB adapters
bonds   time appearances of an emulated BLE peripheral
cuts    power cuts of the whole guest while it works; after each it must be back with all that was accepted

Exit code: the errand's; 3: not on this machine, and why.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.vm.debian import BuildError
from tests.vm.image import image
from tests.vm.kernel import kernel
from tests.vm.package import give, packages
from tests.vm.talk import tell
from tests.vm.uml import TREE, Machine

BUILD = TREE / "build" / "vm"
NOT_HERE = 3
TESTS = ("python", "-m", "pytest", "-p", "no:cacheprovider", "-v", "tests/vm")


def main() -> int:
    args, more = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the guest is ended, too
    try:
        machine = build(args)
        made = [] if args.verb == "build" else packages(BUILD)
    except (BuildError, OSError) as error:
        tell(f"error: {error}")
        return NOT_HERE
    if args.verb == "cuts":
        return _cuts(machine, args, more, made)
    with tempfile.TemporaryDirectory(prefix="wardlink-share-") as name:
        share = Path(name)
        give(made, share)
        if args.verb == "run":
            return machine.run([*TESTS, *more], share, args.limit)
        if args.verb == "do":
            return machine.run(more, share, args.limit)
        if args.verb in ("plugs", "bonds"):
            return _figures(machine, args, more, share)
    return 0


def build(args: argparse.Namespace) -> Machine:
    """Raises BuildError."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise BuildError("the guest is User-Mode Linux, for Linux on x86_64 only")
    BUILD.mkdir(parents=True, exist_ok=True)
    return Machine(kernel(BUILD, args.fresh), image(BUILD))


def _figures(machine: Machine, args: argparse.Namespace, more: list[str], share: Path) -> int:
    """The guest leaves its figures in the share; they become one line."""
    began = time.monotonic()
    code = machine.run(["python", "-m", f"tests.vm.{args.verb}", "/host/figures.json", *more], share, args.limit)
    found = share / "figures.json"
    if not found.exists():
        return code or 1
    _write(args, began, json.loads(found.read_text()))
    return code


def _cuts(machine: Machine, args: argparse.Namespace, more: list[str], made: list[Path]) -> int:
    from tests.vm.cuts import campaign, wish

    began = time.monotonic()
    figures = campaign(machine, made, wish(more))
    _write(args, began, figures)
    return 1 if figures["lost"] or figures["altered"] or figures["failed"] else 0


def _write(args: argparse.Namespace, began: float, figures: dict[str, Any]) -> None:
    """One line of evidence."""
    seconds = round(time.monotonic() - began)
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=TREE, capture_output=True, text=True, check=False
    ).stdout.strip()
    head = {"date": date, "campaign": args.verb, "seconds": seconds, "commit": commit}
    line = json.dumps({**head, **figures})
    print(line)
    if args.out is not None:
        with args.out.open("a", encoding="utf-8") as out:
            out.write(line + "\n")


def _arguments() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m tests.vm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=("build", "run", "do", "plugs", "bonds", "cuts"))
    parser.add_argument("--fresh", action="store_true", help="build the kernel though WARDLINK_UML names one")
    parser.add_argument("--limit", type=float, default=1800.0, help="seconds, for the errand (default 1800)")
    parser.add_argument("--out", type=Path, help="append the figures as a line of JSON")
    return parser.parse_known_args()


if __name__ == "__main__":
    sys.exit(main())
