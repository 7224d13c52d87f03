"""`wardlink led`: shows on the board's LED what the page says in a word, until it is ended (docs/setup.md).

It writes below /sys/class/leds: as root, or as whom the unit gives the LED's files to. Without an LED it ends well.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

LOOK_S = 1.0


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("led", help="show the state on the board's LED", description=__doc__)
    parser.add_argument("--runtime", type=Path, default=Path("/run/wardlink"), metavar="FOLDER")
    parser.add_argument("--name", default="", metavar="LED", help="below /sys/class/leds; else looked for")
    parser.add_argument("--once", action="store_true", help="tell the word, and end")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from agent import clock
    from agent.health import led
    from agent.lighting import Light

    lamp = led.found(name=args.name)
    light = Light(args.runtime, None if args.once else lamp)
    if args.once:
        light.look(clock.now())
        assert light.now is not None
        print(f"{light.now.word} {light.now.code}" if light.now.code else light.now.word)
        return 0
    if lamp is None:
        print("this board has no LED that is known; --name names one below /sys/class/leds", file=sys.stderr)
        return 0
    while True:
        light.look(clock.now())
        time.sleep(LOOK_S)
