"""`wardlink replay`: play a capture on a new pseudo-terminal at its own pace, as the device would.

With --ble it is played as a device by radio: `--ble vhci` makes a Bluetooth adapter of the kernel's own that has the
device in the air, any other word is a Bumble transport to an adapter that becomes the device (`usb:0`). Needs bumble.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import struct
import termios
import time
import tty
from pathlib import Path

from agent.cli.talk import CommandError
from drivers import capture


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("replay", help="play a capture as a device", description=__doc__)
    parser.add_argument("--link", metavar="PATH", help="make a symbolic link to the pseudo-terminal here")
    parser.add_argument("--speed", type=float, default=1.0, help="times real time, default 1")
    parser.add_argument("--loops", type=int, default=1, help="how often, default 1; 0 for ever")
    parser.add_argument("--ble", metavar="TRANSPORT", help="as a device by radio, over this Bumble transport")
    parser.add_argument("--address", default="C0:11:22:33:44:55", help="of the device by radio, random static")
    parser.add_argument("--json", action="store_true", help="say the port as JSON")
    parser.add_argument("file", help="the capture")
    parser.set_defaults(run=run)


DRAIN_LIMIT_S = 5.0
DRAIN_STEP_S = 0.02


def run(args: argparse.Namespace) -> int:
    from agent import clock

    story = capture.parse(Path(args.file).read_text(encoding="utf-8"))
    if not any(True for _ in story.chunks()):
        raise CommandError(f"{args.file}: the device says nothing in this capture")
    if args.ble:
        return _by_radio(args, story)
    host, device = os.openpty()
    tty.setraw(device)
    name = os.ttyname(device)
    if args.link:
        Path(args.link).symlink_to(name)
    print(json.dumps({"port": name}) if args.json else f"port {args.link or name}", flush=True)
    loop = 0
    try:
        while args.loops == 0 or loop < args.loops:
            start = clock.now()
            for at, data in story.chunks():
                time.sleep(max(0.0, at / args.speed - (clock.now() - start)) / 1e9)
                os.write(host, data)
            loop += 1
        _drain(device)
    finally:
        if args.link:
            Path(args.link).unlink(missing_ok=True)
    return 0


def _by_radio(args: argparse.Namespace, story: capture.Capture) -> int:
    import asyncio

    try:
        from agent.lab.by_radio import TransportError, play
    except ImportError as error:
        raise CommandError(f"bumble is not installed: {error}", "pip install bumble") from error
    from drivers import registry

    kind = registry.driver(story.header["driver"])
    told = {"port": f"ble {args.address}"}
    print(json.dumps(told) if args.json else f"port {told['port']}", flush=True)
    try:
        asyncio.run(play(args.ble, args.address, kind, story, args.speed, args.loops))
    except TransportError as error:
        raise CommandError(f"--ble {args.ble}: {error}", "`--ble vhci` needs root and the module hci_vhci") from error
    return 0


def _drain(device: int) -> None:
    """Wait until the reader has taken the rest: what it has not read when we close is gone."""
    for _ in range(int(DRAIN_LIMIT_S / DRAIN_STEP_S)):
        time.sleep(DRAIN_STEP_S)  # first: what was just written takes a moment to arrive
        (waiting,) = struct.unpack("i", fcntl.ioctl(device, termios.FIONREAD, bytes(4)))
        if not waiting:
            return
