"""What a person types: the steps of the build, each of which does nothing where its result lies there already."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from recipe import image
from recipe.debian import BuildError
from recipe.image import Bench
from recipe.packages import digest

TOP = Path(__file__).resolve().parent.parent.parent
CACHE = Path(os.environ.get("WARDLINK_IMAGE_CACHE") or TOP / "build" / "image")
STEPS = {
    "builder": "make the builder's Debian",
    "lock": "write packages.lock from what the mirror has today",
    "drift": "say what the mirror has other than packages.lock; exit 1 if anything",
    "system": "install Debian's part of the root",
    "image": "everything, to a signed image",
}


def main(words: list[str]) -> int:
    """Exit code: 0 done, 1 the build failed or two builds differ, 2 usage."""
    asked = _parser().parse_args(words)
    bench = Bench(TOP, CACHE, asked.board, asked.deb, asked.overlay, _say)
    try:
        return _do(asked.step, bench, asked.twice)
    except BuildError as error:
        sys.stderr.write(f"error: {error}\n")
        if error.hint:
            sys.stderr.write(f"hint: {error.hint}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    steps = "\n".join(f"  {name:8} {what}" for name, what in STEPS.items())
    parser = argparse.ArgumentParser(
        prog="image-build/build", description=__doc__, epilog=steps, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("step", nargs="?", default="image", choices=tuple(STEPS))
    parser.add_argument("--board", default="rpi", choices=("rpi", "virt"))
    parser.add_argument("--deb", type=Path, action="append", default=[], help="a package of ours to install")
    parser.add_argument("--overlay", type=Path, action="append", default=[], help="a folder to lay over the root")
    parser.add_argument("--twice", action="store_true", help="build again and compare")
    return parser


def _do(step: str, bench: Bench, twice: bool) -> int:
    if step == "builder":
        _say(str(bench.builder()))
    elif step == "lock":
        image.lock(bench)
    elif step == "drift":
        return int(image.drift(bench))
    elif step == "system":
        _say(str(image.system(bench)))
    else:
        return _image(bench, twice)
    return 0


def _image(bench: Bench, twice: bool) -> int:
    made = image.make(bench)
    first = digest(made.packed)
    _say(f"{made.packed}\n{made.packed.stat().st_size} bytes, SHA-256 {first}")
    if not twice:
        return 0
    second = digest(image.make(bench).packed)
    _say(f"again: SHA-256 {second}: {'the same' if first == second else 'another'}")
    return int(first != second)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
