"""Resident memory of the gateway with eight devices: one 12-lead ECG and seven oximeters, a real broker, real time.

The devices are the side-by-side harness's own feeders; what runs is `wardlink run` with the drivers of the bench.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.health import status
from agent.lab import keyring
from bench.results import Figure
from bench.scratch import ROOT, HarnessError, Scratch

DEVICES = (("ecg", 1, 500), ("oxi", 7, 60))  # protocol, how many, frames a second
LOOK_S = 0.25
END_S = 15
COMMAND = "python bench/workloads.py HARNESS --only rss8"
MIB = 1 << 20
RUN = (
    "import sys, drivers.devices; drivers.devices.__path__.append(sys.argv[2]); "
    "from agent.cli.entry import main; sys.exit(main(['run', '--config', sys.argv[1]]))"
)


class Feeder:
    """One process of the harness that plays `count` devices of one protocol on pseudo-terminals."""

    def __init__(self, scratch: Scratch, folder: Path, proto: str, count: int) -> None:
        words = [sys.executable, str(scratch.folder / "harness" / "feeder.py")]
        words += ["--proto", proto, "--n", str(count), "--dir", str(folder)]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.proto = proto
        self.ports: list[str] = self._answer()["ready"]

    def _answer(self) -> dict[str, list[str]]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise HarnessError(f"the feeder of {self.proto} ended")
        answer: dict[str, list[str]] = json.loads(line)
        return answer

    def ask(self, words: str) -> dict[str, list[str]]:
        assert self._process.stdin is not None
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        return self._answer()

    def overruns(self) -> int:
        """Frames that the gateway did not take from the line in time."""
        return sum(int(count) for count in self.ask("mark")["overrun"])

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(END_S)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Asked to end on leaving, killed where it does not."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    port = free_port()
    file = folder / "broker.conf"
    file.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest none\n")
    with ended(subprocess.Popen(["mosquitto", "-c", str(file)], stderr=subprocess.DEVNULL)):
        yield port


def configuration(folder: Path, runtime: Path, broker: int, feeders: list[Feeder]) -> Path:
    ring = keyring.make(folder / "keys")
    lines = ['site = "b"', f'broker = "mqtt://127.0.0.1:{broker}"', f'keys = "{ring.gateway}"', 'confirm = "broker"']
    lines += [f'state = "{folder / "state"}"', f'runtime = "{runtime}"']
    for feeder in feeders:
        for path in feeder.ports:
            lines += ["[[port]]", f'path = "{path}"', f'driver = "bench_{feeder.proto}"']
    file = folder / "gateway.toml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def resident_mib(pid: int) -> float:
    """The resident set of one process, shared pages included."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB


@dataclass(frozen=True, slots=True)
class Bedside:
    """A gateway that is about to be fed."""

    gateway: subprocess.Popen[bytes]
    runtime: Path
    feeders: list[Feeder]

    def feed(self) -> None:
        """Start the devices once the gateway is up. HarnessError."""
        wait_until(self.gateway, lambda: (self.runtime / status.STATUS_FILE).exists())
        for feeder, (_, _, rate) in zip(self.feeders, DEVICES, strict=True):
            feeder.ask(f"rate {rate}")

    def looks(self, seconds: float, every_s: float) -> Iterator[int]:
        """The process to look at, again and again for as long. HarnessError where it ended or was never online."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.gateway.poll() is not None:
                raise HarnessError(f"the gateway ended with {self.gateway.returncode} while it was fed")
            yield self.gateway.pid
            time.sleep(every_s)
        if not status.read(self.runtime).link.connected:
            raise HarnessError("the gateway did not reach the broker")

    def overruns(self) -> int:
        return sum(feeder.overruns() for feeder in self.feeders)


@contextmanager
def bedside(scratch: Scratch) -> Iterator[Bedside]:
    """Eight devices, a broker and a gateway; all gone on leaving."""
    folder = Path(tempfile.mkdtemp(prefix="rss8-", dir=scratch.folder))
    runtime = Path("/dev/shm") / f"wardlink-{folder.name}" if Path("/dev/shm").is_dir() else folder / "run"
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, runtime, ignore_errors=True)
        broker = stack.enter_context(mosquitto(folder))
        feeders = []
        for proto, count, _ in DEVICES:
            feeders.append(Feeder(scratch, folder / proto, proto, count))
            stack.callback(feeders[-1].end)
        file = configuration(folder, runtime, broker, feeders)
        log = stack.enter_context((folder / "gateway.log").open("wb"))
        words = [sys.executable, "-c", RUN, str(file), str(ROOT / "bench" / "devices")]
        gateway = stack.enter_context(ended(subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log)))
        yield Bedside(gateway, runtime, feeders)


def rss8(scratch: Scratch, seconds: float) -> list[Figure]:
    """The largest and the last resident set of the gateway in `seconds` of feed; `HarnessError` if it did not work."""
    with bedside(scratch) as bed:
        bed.feed()
        seen = [resident_mib(pid) for pid in bed.looks(seconds, LOOK_S)]
        overruns = bed.overruns()
    return [
        Figure("rss8", round(max(seen), 1), "MiB", COMMAND),
        Figure("rss8.end", round(seen[-1], 1), "MiB", COMMAND),
        Figure("rss8.overrun", overruns, "frames", COMMAND),
    ]


def wait_until(gateway: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
    until = time.monotonic() + END_S
    while not condition():
        if gateway.poll() is not None or time.monotonic() > until:
            raise HarnessError(f"the gateway did not start (exit {gateway.returncode})")
        time.sleep(0.05)
