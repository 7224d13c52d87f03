"""`wardlink probe PORT`: listen to a port at every setting that a driver knows, and say whose bytes they are.

Nothing is sent. Exits 0 where one driver understands the device, 1 where none does within the time. The gateway must
not have the port open.
"""

from __future__ import annotations

import argparse
import json
import select
from typing import TYPE_CHECKING, Any

from agent.cli.talk import plain

if TYPE_CHECKING:
    from agent.ports.line import Cable
    from agent.ports.seek import Found, Seek

READ_LIMIT_BYTES = 65536
LOOK_S = 0.1


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("probe", help="find out who speaks on a port", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long at most, default 20")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("port", help="the serial port")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    said = probe(args.port, args.seconds)
    if args.json:
        print(json.dumps(said))
    elif said["driver"]:
        print(f"{args.port}: {said['driver']} at {said['line']}, after {said['seconds']} s and {said['bytes']} bytes")
        print(f"  {plain(str(said['why']))}")
    else:
        print(f"{args.port}: {said['words']} ({said['bytes']} bytes heard)")
    return 0 if said["driver"] else 1


def probe(path: str, limit_s: float) -> dict[str, Any]:
    """Listen until somebody is understood. Raises OSError."""
    from agent import clock
    from agent.ports.line import open_line
    from agent.ports.seek import Seek
    from drivers import registry

    start = clock.now()
    seek = Seek(registry.all_drivers(), start)
    port = open_line(path, seek.line)
    found, total = find(port, seek, limit_s)
    port.close()
    return {
        "port": path,
        "driver": found.kind.info.id if found else "",
        "line": str(found.line) if found else "",
        "why": found.why if found else "",
        "tried": list(seek.tried),
        "words": words_of(seek, clock.now()),
        "bytes": total,
        "seconds": round((clock.now() - start) / 1e9, 1),
    }


def words_of(seek: Seek, now: int) -> str:
    """As the search says, and which settings were left in vain."""
    tried = f"; bytes came that nobody understood at {', '.join(seek.tried)}" if seek.tried else ""
    words = seek.words(now)
    return words if words.startswith("unknown") else words + tried


def find(port: Cable, seek: Seek, limit_s: float) -> tuple[Found | None, int]:
    """Listen, turning the line as the search wants; who it is, and how many bytes were heard. Raises OSError."""
    from agent import clock

    start, total, line, found = clock.now(), 0, seek.line, None
    while found is None and (now := clock.now()) - start < limit_s * 1e9:
        data = port.read(READ_LIMIT_BYTES) if select.select([port], [], [], LOOK_S)[0] else b""
        total += len(data)
        if data:
            found = seek.heard(data, now)
        elif seek.wake_at is not None and now > seek.wake_at:
            seek.woke(now)
        if found is None and seek.line != line:
            line = seek.line
            port.become(line)
    return found, total
