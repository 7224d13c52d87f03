"""wardlink as a contestant of the side-by-side bench: takes the harness's arguments, writes a configuration, runs.

    ours.py --serial PTY [--serial PTY ...] --broker HOST:PORT --proto ecg|oxi --state DIR

The gateway is the product, unchanged; only the drivers of the bench's two protocols are added to the folder of drivers.
Keys are made once in DIR; the recipient's secret lies beside them for `decode.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import drivers.devices  # noqa: E402

drivers.devices.__path__.append(str(ROOT / "bench" / "devices"))

from agent import config, gateway  # noqa: E402
from agent.cli.run import set_up_log  # noqa: E402
from agent.lab import keyring  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serial", action="append", required=True)
    parser.add_argument("--broker", required=True)
    parser.add_argument("--proto", choices=("ecg", "oxi"), required=True)
    parser.add_argument("--state", type=Path, required=True)
    args = parser.parse_args()
    keys: Path = args.state / "keys"
    if not keys.exists():
        keyring.make(keys)
        secret = Path(os.environ.get("BENCH_SECRET", "/tmp/wardlink-bench-recipient.key"))
        secret.write_bytes((keys / "centre" / "recipient.key").read_bytes())
    lines = [
        'site = "b"',
        f'broker = "mqtt://{args.broker}"',
        f'keys = "{keys / "gateway"}"',
        f'state = "{args.state}"',
        f'runtime = "{args.state / "run"}"',
        'confirm = "broker"',
    ]
    for path in args.serial:
        lines += ["[[port]]", f'path = "{path}"', f'driver = "bench_{args.proto}"']
    file: Path = args.state / "gateway.toml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    set_up_log(as_json=False)
    asyncio.run(gateway.run(config.load(file)))


main()
