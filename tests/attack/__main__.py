"""Two hospitals on one broker, as a campaign.

    python -m tests.attack [SCALE]

Every attempt as a table, then what floods cost; 1 is the whole campaign, of about three minutes. Adds a line to
docs/evidence/broker.jsonl and exits 1 where anything got through or a bound is passed.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from tests.attack import neighbour
from tests.attack.test_two_hospitals import Place, all_attempts

FILE = Path(__file__).parents[2] / "docs/evidence/broker.jsonl"


def main() -> int:
    scale, started = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder, closing(Place(Path(folder))) as place:
        rows = all_attempts(place)
    with tempfile.TemporaryDirectory() as folder:
        floods = neighbour.campaign(Path(folder), scale)
    bad = [one.name for one in floods if not one.good]
    line = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "attempts": len(rows),
        "logged": len(rows),
        "beats_between": 2 * len(rows),
        "scale": scale,
        "floods": {one.name: one.told() for one in floods},
        "passed_a_bound": bad,
        "seconds": round(time.monotonic() - started, 1),
        "machine": f"{platform.machine()} Linux {platform.release()} {_version()}",
    }
    with FILE.open("a") as file:
        file.write(json.dumps(line) + "\n")
    print(f"{len(rows)} attempts, {len(rows)} refusals or no effect, {len(rows)} lines of the log")
    print(f"passed a bound: {', '.join(bad)}" if bad else "all floods within their bounds")
    return 1 if bad else 0


def _version() -> str:
    return subprocess.run(["mosquitto", "-h"], capture_output=True, text=True, check=False).stdout.split("\n")[0]


if __name__ == "__main__":
    raise SystemExit(main())
