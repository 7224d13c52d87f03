"""A gateway that comes back to days of backlog: `backlog_figures.py [--hours 72,168]`.

How long its spool takes to open, from the disk and from memory, how soon after the process starts the first envelope is
durable, and what the process then weighs. The backlog is made (bench/backlog.py). Needs 29 MiB of disk an hour.

Prints `name value unit` lines. Exit 1 when a bar is missed, 2 when it could not be measured.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agent import identity
from agent.lab import keyring
from agent.spool import Spool, SpoolError
from bench import backlog
from bench.program_figures import FigureError, started
from bench.resident import resident_mib
from bench.results import Figure, verdict
from wire.topics import Class

MIB = 1 << 20
HOURS = (72.0, 168.0)
TURNS = 3
IDLE_S = 15.0
START_LIMIT_S = 60.0
SIZES_MIB = {Class.KEY: 64, Class.VITAL: 4096, Class.WAVE: 4096}  # a week of one bed, and no more disk than that
QUOTAS = {cls: size * MIB for cls, size in SIZES_MIB.items()}
COMMAND = "python bench/backlog_figures.py"
BARS = {f"backlog.{hours:g}h.open_{how}": 5.0 for hours in HOURS for how in ("cold", "warm")}


def of_backlog(hours: float) -> Iterator[Figure]:
    """Raises FigureError, SpoolError, OSError."""
    command, name = f"{COMMAND} --hours {hours:g}", f"backlog.{hours:g}h"
    with tempfile.TemporaryDirectory(prefix="wardlink-backlog-") as place:
        folder = Path(place)
        ring = keyring.make(folder / "keys")
        state = folder / "state"
        began = time.monotonic()
        made = backlog.make(identity.load(ring.gateway, receipts=False), state, hours, quotas=QUOTAS)
        yield Figure(f"{name}.made", round(time.monotonic() - began, 1), "s", command)
        yield Figure(f"{name}.envelopes", made.envelopes.total(), "envelopes", command)
        yield Figure(f"{name}.sealed", round(made.sealed_bytes.total() / MIB), "MiB", command)
        on_disk = sum(file.stat().st_size for file in (state / "spool").glob("*.seg"))
        yield Figure(f"{name}.on_disk", round(on_disk / MIB), "MiB", command)
        for how in ("cold", "warm"):
            seconds = min(open_s(state / "spool", cold=how == "cold") for _ in range(TURNS))
            yield Figure(f"{name}.open_{how}", round(seconds, 2), "s", command)
        config = configuration(folder, ring.gateway, state)
        for how in ("cold", "warm"):
            if how == "cold":
                forget(state / "spool")
            with started(folder, config, START_LIMIT_S) as (seconds, pid):
                yield Figure(f"{name}.start_{how}", round(seconds, 2), "s", command)
                if how == "warm":
                    time.sleep(IDLE_S)
                    yield Figure(f"{name}.rss_idle", round(resident_mib(pid), 1), "MiB", command)


def open_s(spool: Path, *, cold: bool) -> float:
    if cold:
        forget(spool)
    began = time.monotonic()
    opened = Spool.open(spool, QUOTAS)
    took = time.monotonic() - began
    opened.close()
    return took


def forget(folder: Path) -> None:
    """Write back and drop what the kernel keeps of these files. A card may still have some in a cache of its own."""
    for file in sorted(folder.iterdir()):
        if file.is_file():
            fd = os.open(file, os.O_RDONLY)
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


def configuration(folder: Path, keys: Path, state: Path) -> Path:
    """A gateway without ports whose broker does not answer."""
    file = folder / "gateway.toml"
    sizes = "".join(f"{cls.word}_mib = {size}\n" for cls, size in SIZES_MIB.items())
    file.write_text(
        f'site = "b"\nbroker = "mqtt://127.0.0.1:1"\nkeys = "{keys}"\nconfirm = "broker"\n'
        f'state = "{state}"\nruntime = "{folder / "run"}"\n[spool]\n{sizes}'
    )
    return file


def hours_of(text: str) -> tuple[float, ...]:
    return tuple(float(word) for word in text.split(","))


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=hours_of, default=HOURS, metavar="LIST", help="of backlog; 72,168")
    args = parser.parse_args(words)
    figures = []
    try:
        for hours in args.hours:
            for figure in of_backlog(hours):
                figures.append(figure)
                print(figure.line(), flush=True)
    except (FigureError, SpoolError, backlog.BacklogError, OSError) as problem:
        print(f"error: {problem}\nhint: it needs 29 MiB of disk an hour in TMPDIR", file=sys.stderr)
        return 2
    return verdict(figures, BARS)


if __name__ == "__main__":
    sys.exit(main())
