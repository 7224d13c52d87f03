"""`python -m tests.image`: the built image on an emulated arm64 machine, with a real broker and centre outside.

Each scene has a card of its own and is one line of JSON: what it was, whether it held, the seconds. `-k` chooses.
Exit code: 0 all held, 1 one did not, 2 there is no such scene, 3 not on this machine, and why.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.image.machine import LOUD, VIRT
from tests.image.ranges import Ranges
from tests.image.scenes import SCENES
from tests.image.stage import Stage
from tests.image.variants import TOP, Built

NOT_HERE = 3
TOOLS = ("qemu-system-aarch64", "mcopy", "fdtput", "ssh-keygen", "ssh", "openssl")


def main() -> int:
    args = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the machine is ended, too
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    built = Built(args.cache)
    if missing or not list((args.cache / "out" / built.board).glob("wardlink-*.img")):
        lack = f"missing: {', '.join(missing)}" if missing else "no image: image-build/build --board virt --deb ..."
        print(f"error: {lack}", file=sys.stderr)
        return NOT_HERE
    with tempfile.TemporaryDirectory(prefix="wardlink-image-", dir=args.scratch) as name:
        folder = Path(name)
        built.fresh()
        server = Ranges(built.tries)
        try:
            board = dataclasses.replace(VIRT, more_cmdline=LOUD) if args.loud else VIRT
            stage = Stage(built, folder, args.keep or folder / "kept", server, board=board)
            held = [_played(stage, one, args) for one in args.scenes]
        finally:
            server.close()
    return 0 if all(held) else 1


def _played(stage: Stage, name: str, args: argparse.Namespace) -> bool:
    began, why, held = time.monotonic(), "", False
    stage.figures = {"cuts": args.cuts} if name == "cuts" else {}
    stage.server.asked.clear()
    try:
        SCENES[name](stage)
        held = True
    except Exception as error:  # noqa: BLE001  whatever fails is the scene's result
        traceback.print_exc()
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    line = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "scene": name,
        "held": held,
        **({} if held else {"why": why}),
        **stage.figures,
        "seconds": round(time.monotonic() - began),
        "commit": _commit(),
    }
    _told(stage, name, line, args)
    return held


def _told(stage: Stage, name: str, line: dict[str, object], args: argparse.Namespace) -> None:
    print(json.dumps(line), flush=True)
    if args.out is not None:
        with args.out.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
    if args.logs:
        args.logs.mkdir(parents=True, exist_ok=True)
        (args.logs / f"{name}-asked.json").write_text(json.dumps(stage.server.asked), encoding="ascii")
    for log in (stage.folder / name).glob("*.log") if args.logs and (stage.folder / name).exists() else ():
        shutil.copyfile(log, args.logs / f"{name}-{log.name}")
    shutil.rmtree(stage.folder / name, ignore_errors=True)


def _commit() -> str:
    words = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(words, cwd=TOP, capture_output=True, text=True, check=False).stdout.strip()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.image", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    cache = Path(os.environ.get("WARDLINK_IMAGE_CACHE") or TOP / "build" / "image")
    parser.add_argument(
        "-k",
        default="",
        metavar="WORDS",
        help=f"only scenes with one of these, by commas, in their name: {', '.join(SCENES)}",
    )
    parser.add_argument("--cache", type=Path, default=cache, help="where image-build keeps what it made")
    parser.add_argument("--scratch", default=None, help="where cards lie meanwhile (about 4 GB)")
    parser.add_argument("--keep", type=Path, help="where the enrolled card is kept, for the next run of the same image")
    parser.add_argument("--logs", type=Path, help="where consoles are kept, and what parts of bundles were asked for")
    parser.add_argument("--loud", action="store_true", help="the guest's journal goes to its console, console.log")
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--out", type=Path, help="append each line here")
    args = parser.parse_args()
    args.scenes = [name for name in SCENES if any(word in name for word in args.k.split(","))]
    if not args.scenes:
        parser.error(f"-k {args.k}: no scene has one of these words in its name")
    return args


if __name__ == "__main__":
    sys.exit(main())
