"""The contestants: how each is installed, started, fed and killed, and what it runs with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import venv
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import ClassVar

from agent.lab import keyring
from bench.torture.centre import Centre, Mosquitto, Receipts, free_port, read_tb, read_te, wait
from bench.torture.drive_ours import SITE

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "torture"
TB = "thingsboard-gateway==3.8.3"
TB_EXTRAS = ("pyserial",)
READY_S = 15.0
SMALL_RECORDS = 1000  # the queue of the torture that overfills it; the feed is three times as long


class RefusedError(Exception):
    """It does not start."""


class Driver:
    """A process that takes numbers on stdin and says `+N` or `-N`."""

    def __init__(self, words: list[str], log: Path) -> None:
        with log.open("ab") as talk:
            self._process = subprocess.Popen(
                words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=talk, text=True,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            )  # fmt: skip
        self.accepted: dict[int, str] = {}  # number -> what else was said
        self.refused: set[int] = set()
        self.on_accepted: Callable[[int], None] = lambda number: None
        self.ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            word, _, more = line.strip().partition(" ")
            if word == "ready":
                self.ready.set()
            elif word.startswith("+"):
                self.accepted[int(word[1:])] = more
                self.on_accepted(int(word[1:]))
            elif word.startswith("-"):
                self.refused.add(int(word[1:]))

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    @property
    def answers(self) -> int:
        return len(self.accepted) + len(self.refused)

    def wait_ready(self) -> None:
        wait(lambda: self.ready.is_set() or not self.runs, READY_S)
        if not self.ready.is_set():
            raise RefusedError

    def feed(self, numbers: Iterable[int]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("".join(f"{number}\n" for number in numbers))
            self._process.stdin.flush()
        except BrokenPipeError:
            return  # it died; what it did not take was not accepted

    def end(self, number: int) -> None:
        """Signal it, and read what it had said."""
        if self.runs:
            self._process.send_signal(number)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout):
            try:
                stream.close()  # type: ignore[union-attr]
            except BrokenPipeError:
                continue


class Peer:
    """One contestant in one folder. `state` is what a torture may break."""

    name = ""
    patience_s = 6.0  # after so long without anything new nothing will come any more

    def __init__(self, folder: Path, small: bool = False) -> None:
        self.folder = folder
        self.small = small
        self.state = folder / "state"
        self.state.mkdir(parents=True)
        self.centre = self._centre()
        self.driver: Driver | None = None

    def _centre(self) -> Centre:
        raise RefusedError

    def start(self) -> Driver:
        """Raises RefusedError."""
        self.driver = Driver(self.words(), self.folder / "talk.log")
        try:
            self.driver.wait_ready()
        except RefusedError:
            self.stop(signal.SIGKILL)
            raise
        return self.driver

    def words(self) -> list[str]:
        raise RefusedError

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.driver is not None:
            self.driver.end(number)
            self.driver = None

    def files(self) -> list[Path]:
        """What it keeps its state in, the largest first."""
        found = [path for path in self.state.rglob("*") if path.is_file() and path.stat().st_size]
        return sorted(found, key=lambda path: (-path.stat().st_size, path.name))

    def told(self, more: str) -> bool:
        """Whether the contestant itself declared the loss of a record it had accepted, and said `more` of."""
        return False

    @classmethod
    def version(cls) -> str:
        """Which one it is; installs it where it must be. Raises RefusedError with a reason."""
        raise RefusedError


class ThingsBoard(Peer):
    kind = "sqlite"
    settings: ClassVar[dict[str, object]] = {}
    small_settings: ClassVar[dict[str, object]] = {}

    def _centre(self) -> Centre:
        return Centre(self.folder, read_tb, None)

    def words(self) -> list[str]:
        settings: ClassVar[dict[str, object]] = {**self.settings, **(self.small_settings if self.small else {})}
        script = str(Path(__file__).with_name("drive_tb.py"))
        port = str(self.centre.broker.port)
        return [str(BUILD / "tb" / "bin" / "python"), script, self.kind, str(self.state), port, json.dumps(settings)]

    @classmethod
    def version(cls) -> str:
        python = BUILD / "tb" / "bin" / "python"
        if not python.exists():
            venv.create(BUILD / "tb", with_pip=True)
        words = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", TB, *TB_EXTRAS]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RefusedError(f"pip: {done.stderr.strip().splitlines()[-1][:200]}")
        return TB.replace("==", " ")


class TbMemory(ThingsBoard):
    name = "ThingsBoard, memory (its default)"
    kind = "memory"
    settings: ClassVar[dict[str, object]] = {"read_records_count": 100, "max_records_count": 100_000}
    small_settings: ClassVar[dict[str, object]] = {"max_records_count": SMALL_RECORDS}


class TbSqlite(ThingsBoard):
    name = "ThingsBoard, SQLite"
    kind = "sqlite"
    settings: ClassVar[dict[str, object]] = {"max_read_records_count": 1000}


class TbFile(ThingsBoard):
    name = "ThingsBoard, file"
    kind = "file"
    settings: ClassVar[dict[str, object]] = {
        "max_file_count": 10,
        "max_records_per_file": 10_000,
        "max_read_records_count": 1000,
    }
    small_settings: ClassVar[dict[str, object]] = {"max_file_count": 10, "max_records_per_file": 100}


class Bridge(Peer):
    name = "mosquitto bridge"
    lines: tuple[str, ...] = ()

    def __init__(self, folder: Path, small: bool = False) -> None:
        super().__init__(folder, small)
        lines = ["persistence true", f"persistence_location {self.state}/", *self.lines, "connection up"]
        lines += [f"address 127.0.0.1:{self.centre.broker.port}", "topic # out 1", "clientid bridge-gw"]
        lines += ["cleansession false", "try_private false", "notifications false", "restart_timeout 1"]
        self._broker = Mosquitto(folder / "local.conf", free_port(), lines)

    def _centre(self) -> Centre:
        return Centre(self.folder, read_te, None)

    def start(self) -> Driver:
        if not self._broker.start():
            self.stop(signal.SIGKILL)
            raise RefusedError
        return super().start()

    def words(self) -> list[str]:
        return [sys.executable, str(Path(__file__).with_name("drive_mqtt.py")), str(self._broker.port)]

    def stop(self, number: int = signal.SIGTERM) -> None:
        self._broker.end(number)  # first: what its client says after that is not its word
        super().stop(signal.SIGKILL)

    @classmethod
    def version(cls) -> str:
        if shutil.which("mosquitto") is None:
            raise RefusedError("mosquitto is not installed (apt)")
        return subprocess.run(["mosquitto", "-h"], capture_output=True, text=True, check=False).stdout.split("\n")[0]


class BridgeDefault(Bridge):
    name = "mosquitto bridge, default"


class BridgeDurable(Bridge):
    name = "mosquitto bridge, durable"
    lines = ("autosave_interval 1", "autosave_on_changes true", "max_queued_messages 0", "max_queued_bytes 0")


class Wardlink(Peer):
    name = "wardlink"
    patience_s = 35.0  # without a receipt it sends again after 30 s

    def __init__(self, folder: Path, small: bool = False) -> None:
        self._ring = keyring.make(folder / "keys")
        self._receipts = Receipts(folder / "keys", self._ring.gateway_id, SITE)
        super().__init__(folder, small)

    def _centre(self) -> Centre:
        return Centre(self.folder, self._receipts.read, self._receipts)

    def words(self) -> list[str]:
        limits = [str(64 * 1024), str(256 * 1024)] if self.small else []
        script = str(Path(__file__).with_name("drive_ours.py"))
        return [sys.executable, script, str(self.state), str(self.centre.broker.port), *limits]

    def told(self, more: str) -> bool:
        epoch, cls, seq = map(int, more.split())
        told = self._receipts.told
        return (epoch, cls, seq) in told or (epoch, 0, 0) in told  # the grant of all that this epoch sealed

    @classmethod
    def version(cls) -> str:
        return f"wardlink {metadata.version('wardlink')}, this checkout"


PEERS: tuple[type[Peer], ...] = (TbMemory, TbSqlite, TbFile, BridgeDefault, BridgeDurable, Wardlink)
