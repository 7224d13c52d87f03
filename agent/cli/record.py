"""`wardlink record`: write down what a device on a port says, as a capture. It only listens; nothing is sent."""

from __future__ import annotations

import argparse
import os
import select
import sys
import time
from pathlib import Path

from agent.cli.talk import CommandError
from drivers import capture, registry
from drivers.contract import Serial

GATHER_S = 0.03
READ_LIMIT_BYTES = 65536


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("record", help="record a device as a capture", description=__doc__)
    parser.add_argument("--driver", required=True, metavar="ID", help="whose line settings to use")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long, default 60")
    parser.add_argument("--story", default="not told", help="what happens at the bedside meanwhile")
    parser.add_argument("--device", default="not told", help="maker and model as on the label")
    parser.add_argument("--json", action="store_true", help="counts on stderr as JSON")
    parser.add_argument("port", help="the serial port")
    parser.add_argument("file", help="the capture to write, or - for standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from agent import clock
    from agent.ports.line import open_line

    claims = [c for c in registry.driver(args.driver).info.claims if isinstance(c, Serial)]
    if not claims:
        raise CommandError(f"{args.driver} is not found on serial ports", "record listens to serial ports only")
    taken = time.strftime("%Y-%m-%d", time.gmtime(clock.unix_us() / 1e6))
    header = {"driver": args.driver, "device": args.device, "captured": taken, "origin": "recorded at the bedside"}
    port = open_line(args.port, claims[0])
    start, total = clock.now(), 0
    with sys.stdout if args.file == "-" else Path(args.file).open("w", encoding="utf-8") as out:
        for name, text in {**header, "story": args.story}.items():
            print(f"{name}: {' '.join(text.split())}", file=out)  # a header line is one line
        print(file=out)
        while clock.now() - start < args.seconds * 1e9:
            if not select.select([port], [], [], GATHER_S)[0]:
                continue
            data = _gathered(port.fileno())
            if not data:
                raise CommandError(f"{args.port}: unplugged after {total} bytes", f"what was heard is in {args.file}")
            total += len(data)
            print(f"{capture.seconds(clock.now() - start)} < {data.hex().upper()}", file=out, flush=True)
    print(f'{{"bytes": {total}}}' if args.json else f"recorded {total} bytes", file=sys.stderr)
    return 0


def _gathered(fd: int) -> bytes:
    """What has come until a little after the first byte; nothing where the device is gone."""
    time.sleep(GATHER_S)
    try:
        return os.read(fd, READ_LIMIT_BYTES)
    except OSError:
        return b""
