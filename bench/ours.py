"""wardlink as a contestant of the side-by-side bench: takes the harness's arguments, writes a configuration, runs.

    ours.py --serial PTY [--serial PTY ...] --broker HOST:PORT --proto ecg|oxi --state DIR

What runs is `wardlink run`, unchanged; only the drivers of the bench's two protocols are added to the folder of
drivers. Keys are made once in DIR; the recipient's secret lies where `decode.py` finds it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECRET = "/tmp/wardlink-bench-recipient.key"
MAKE_KEYS = "import sys; from pathlib import Path; from agent.lab import keyring; keyring.make(Path(sys.argv[1]))"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serial", action="append", required=True)
    parser.add_argument("--broker", required=True)
    parser.add_argument("--proto", choices=("ecg", "oxi"), required=True)
    parser.add_argument("--state", type=Path, required=True)
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    keys: Path = args.state / "keys"
    if not keys.exists():
        subprocess.run([sys.executable, "-c", MAKE_KEYS, str(keys)], check=True, cwd=ROOT)
        secret = Path(os.environ.get("BENCH_SECRET", SECRET))
        secret.write_bytes((keys / "centre" / "recipient.key").read_bytes())
    file: Path = args.state / "gateway.toml"
    file.write_text(configuration(args, keys), encoding="utf-8")
    sys.exit(run(file))


def run(file: Path) -> int:
    """`wardlink run` with the bench's drivers beside the product's own."""
    import drivers.devices
    from agent.cli.entry import main as wardlink

    drivers.devices.__path__.append(str(ROOT / "bench" / "devices"))
    return wardlink(["run", "--config", str(file)])


def configuration(args: argparse.Namespace, keys: Path) -> str:
    memory = Path("/dev/shm")  # /run of a real gateway: not the card, and not lost with the process
    runtime = memory / f"wardlink-{args.state.resolve().parent.name}" if memory.is_dir() else args.state / "run"
    lines = [
        'site = "b"',
        f'broker = "mqtt://{args.broker}"',
        f'keys = "{keys / "gateway"}"',
        f'state = "{args.state}"',
        f'runtime = "{runtime}"',
        'confirm = "broker"',
    ]
    for path in args.serial:
        lines += ["[[port]]", f'path = "{path}"', f'driver = "bench_{args.proto}"']
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
