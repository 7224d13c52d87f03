"""`wardlink record`: write down what a device on a port says, as a capture, without the patient.

Only listens; nothing is sent. Without --driver it listens as `wardlink probe` does until somebody is understood, and
records at his settings from his first byte; a device that nobody knows is recorded with --baud. What a driver says of
the patient is filled with X. Where no driver is known, nothing can be: the capture says so.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.talk import CommandError
from drivers import capture, registry
from drivers.contract import Driver, Serial

if TYPE_CHECKING:
    from agent.ports.line import Cable
    from agent.ports.seek import Found

GATHER_S = 0.03
READ_LIMIT_BYTES = 65536
HELD_LIMIT_BYTES = 32 << 20
REPAIRED = "checksums are not repaired; frames that the driver does not read are as they came"
KEPT = "none was said by the driver; frames that it does not read are as they came"
UNKNOWN = "not looked for, as no driver is known: THIS MAY HOLD A PATIENT'S IDENTITY"
Chunk = tuple[int, bytes]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("record", help="record a device as a capture", description=__doc__)
    parser.add_argument("--driver", metavar="ID", help="whose line settings to use; without it, who is understood")
    parser.add_argument("--baud", type=int, help="record at this speed, whoever it is")
    parser.add_argument("--bits", type=int, default=8, choices=(7, 8), help="with --baud, default 8")
    parser.add_argument("--parity", default="N", choices=("N", "E", "O"), help="with --baud, default N")
    parser.add_argument("--stop", type=int, default=1, choices=(1, 2), help="with --baud, default 1")
    parser.add_argument("--search", type=float, default=60.0, metavar="SECONDS", help="to find who it is, default 60")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long, default 60")
    parser.add_argument("--story", default="not told", help="what happens at the bedside meanwhile")
    parser.add_argument("--device", default="not told", help="maker and model as on the label")
    parser.add_argument("--json", action="store_true", help="counts on stderr as JSON")
    parser.add_argument("port", help="the serial port")
    parser.add_argument("file", help="the capture to write, or - for standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from agent.ports.line import open_line

    chosen = line_of(args)
    port, found = (open_line(args.port, chosen), None) if chosen else searched(args)
    line = found.line if found else chosen or Serial(9600)
    chunks: list[Chunk] = list(found.heard) if found else []
    try:
        ended = listen(port, args.seconds, chunks)
    except KeyboardInterrupt:
        ended = True  # the person has seen enough
    finally:
        kind, why = who(args, line, found, chunks)
        write(args, text_of(args, line, kind, why, chunks))
    total = sum(len(data) for _, data in chunks)
    if not ended:
        raise CommandError(f"{args.port}: unplugged after {total} bytes", f"what was heard is in {args.file}")
    warning = "" if kind else UNKNOWN
    said = json.dumps({"bytes": total, "driver": kind.info.id if kind else "", "warning": warning})
    plain = "\n".join([f"recorded {total} bytes", *([f"patient: {warning}"] if warning else [])])
    print(said if args.json else plain, file=sys.stderr)
    return 0


def line_of(args: argparse.Namespace) -> Serial | None:
    """The line settings the person chose, if any."""
    if args.baud:
        return Serial(args.baud, args.bits, args.parity, args.stop)
    if not args.driver:
        return None
    claims = [claim for claim in registry.driver(args.driver).info.claims if isinstance(claim, Serial)]
    if not claims:
        raise CommandError(f"{args.driver} is not found on serial ports", "record listens to serial ports only")
    return claims[0]


def searched(args: argparse.Namespace) -> tuple[Cable, Found]:
    """Listen until somebody is understood. Raises CommandError, OSError."""
    from agent import clock
    from agent.cli.probe import find
    from agent.ports.line import open_line
    from agent.ports.seek import Seek

    seek = Seek(registry.all_drivers(), clock.now())
    port = open_line(args.port, seek.line)
    found, _ = find(port, seek, args.search)
    if found is None:
        hint = "`--baud 9600` records it nevertheless; `wardlink drivers` says how devices are to be set"
        raise CommandError(f"{args.port}: {seek.words(clock.now())}", hint)
    return port, found


def listen(port: Cable, seconds: float, chunks: list[Chunk]) -> bool:
    """Add what comes to `chunks`; False where the device was unplugged."""
    from agent import clock

    until, held = clock.now() + int(seconds * 1e9), 0
    while clock.now() < until and held < HELD_LIMIT_BYTES:
        if not select.select([port], [], [], GATHER_S)[0]:
            continue
        data = _gathered(port.fileno())
        if not data:
            return False
        held += len(data)
        chunks.append((clock.now(), data))
    return True


def who(
    args: argparse.Namespace, line: Serial, found: Found | None, chunks: list[Chunk]
) -> tuple[type[Driver] | None, str]:
    """Whose bytes these are, and how that is known."""
    from agent.ports.evidence import Trial
    from agent.ports.seek import settings_of

    if args.driver:
        return registry.driver(args.driver), "the driver was chosen by a person"
    if found:
        return found.kind, found.why
    for setting, kinds in settings_of(registry.all_drivers()):
        trial = Trial(kinds if str(setting) == str(line) else ())
        for at, data in chunks:
            verdict = trial.hear(data, at)
            if verdict.is_sure:
                return registry.driver(verdict.ids[0]), f"understood by listening: {verdict.frames} good frames"
    return None, "nobody understood it"


def text_of(args: argparse.Namespace, line: Serial, kind: type[Driver] | None, why: str, chunks: list[Chunk]) -> str:
    """The capture. Raises CommandError where the patient cannot be taken out of it."""
    from agent import clock
    from agent.cli.unnamed import NamedError, unnamed

    taken = time.strftime("%Y-%m-%d", time.gmtime(clock.unix_us() / 1e6))
    patient, kept = UNKNOWN, tuple(chunks)
    if kind is not None:
        try:
            result = unnamed(kind, chunks)
        except NamedError as error:
            raise CommandError(str(error), "nothing was written; tell us of the driver, not of the patient") from error
        kept = result.chunks
        patient = (
            f"filled with X in {result.places} places, {result.filled_bytes} bytes; {REPAIRED}"
            if result.places
            else KEPT
        )
    header = {
        "driver": kind.info.id if kind else "unknown",
        "device": args.device,
        "captured": taken,
        "origin": "recorded at the bedside",
        "story": args.story,
        "line": str(line),
        "found": why,
        "patient": patient,
    }
    begin = kept[0][0] if kept else 0
    lines = [f"{name}: {' '.join(text.split())}" for name, text in header.items()]  # a header line is one line
    return "\n".join([*lines, "", *(f"{capture.seconds(at - begin)} < {data.hex().upper()}" for at, data in kept), ""])


def write(args: argparse.Namespace, text: str) -> None:
    if args.file == "-":
        sys.stdout.write(text)
    else:
        Path(args.file).write_text(text, encoding="utf-8")


def _gathered(fd: int) -> bytes:
    """What has come until a little after the first byte; nothing where the device is gone."""
    time.sleep(GATHER_S)
    try:
        return os.read(fd, READ_LIMIT_BYTES)
    except OSError:
        return b""
