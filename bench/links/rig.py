"""The real programs at both ends of a simulated link: gateway here; mosquitto with TLS, centre and listener there."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np

from agent import clock
from agent.health import status
from agent.lab import programs, proof
from agent.lab.keyring import Keyring
from agent.lab.line import Line
from bench.links.listener import Listener
from bench.links.voices import Ecg, Oximeter
from bench.links.world import FAR, World, command, inside, world
from bench.scratch import ROOT, HarnessError

BROKER_PORT, PAGE_PORT = 8883, 8480
LOOK_S = 0.02
START_S = 30
END_S = 30
SITE = "demo"
RUN = (
    "import sys, drivers.devices; drivers.devices.__path__.append(sys.argv[2]); "
    "from agent.cli.entry import main; sys.exit(main(['run', '--config', sys.argv[1]]))"
)


def until(condition: Callable[[], bool], limit_s: float, what: str) -> None:
    """HarnessError when it does not come about in time."""
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            raise HarnessError(f"{what} did not come about within {limit_s:g} s")
        time.sleep(LOOK_S)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a scenario takes place in. `state`: the gateway's, where it has a backlog that was made."""

    profile: str
    devices: Sequence[type[Ecg] | type[Oximeter]]
    weather: str = "calm"
    seed: int = 1
    interval_s: float = 1.0
    state: Path | None = None


class Bedside:
    """Devices that speak on lines, in a thread of their own, and what they said."""

    def __init__(self, folder: Path, kinds: Sequence[type[Ecg] | type[Oximeter]]) -> None:
        self.said: dict[proof.Key, list[int]] = {}
        self.ports: dict[str, str] = {}
        self._lines: list[Line] = []
        voices = []
        for kind in kinds:
            path = folder / kind.driver
            self._lines.append(Line(path, clock.now))
            self.ports[str(path)] = kind.driver
            voices.append(kind(self._record(str(path))))
        self._thread = threading.Thread(target=asyncio.run, args=(self._speak(voices),), daemon=True)
        self._thread.start()

    def _record(self, port: str) -> Callable[[str, Sequence[int]], None]:
        return lambda channel, samples: self.said.setdefault((port, channel), []).extend(samples)

    async def _speak(self, voices: Sequence[Ecg | Oximeter]) -> None:
        await asyncio.gather(*(line.speak(voice) for line, voice in zip(self._lines, voices, strict=True)))

    def hush(self) -> None:
        """They say nothing more; all they said is on the lines."""
        for line in self._lines:
            line.stopping = True
        self._thread.join(END_S)


class Gateway:
    """The gateway's process, and what it says of itself."""

    def __init__(self, folder: Path, ring: Keyring, link: World, ports: dict[str, str], setting: Setting) -> None:
        self._link = link
        self.log = folder / "gateway.log"
        self._runtime = folder / "run"
        lines = [f'site = "{SITE}"', f'broker = "mqtts://{FAR}:{BROKER_PORT}"', f'keys = "{ring.gateway}"']
        lines += [f'state = "{setting.state or folder / "state"}"', f'runtime = "{self._runtime}"']
        lines += [f"interval_s = {setting.interval_s}"]
        for path, driver in ports.items():
            lines += ["[[port]]", f'path = "{path}"', f'driver = "{driver}"']
        self._config = folder / "gateway.toml"
        self._config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = [sys.executable, "-c", RUN, str(self._config), str(ROOT / "bench" / "devices")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command(self._link.near, words), cwd=ROOT, stdout=log, stderr=log)

    def end(self) -> None:
        if self._process is not None:
            _end(self._process)

    def status(self) -> status.Status:
        return status.read(self._runtime)

    def has_status(self) -> bool:
        return (self._runtime / status.STATUS_FILE).exists()

    def connections(self) -> int:
        """How often it reached the broker so far."""
        return self.log.read_text(encoding="utf-8").count("state=connected") if self.log.exists() else 0

    def connected_ns(self, nth: int, limit_s: float) -> int:
        """When its log says that it has its nth CONNACK; it is looked at every 20 ms."""
        until(lambda: self.connections() >= nth, limit_s, f"connection {nth}")
        return clock.now()

    def waiting(self) -> int:
        """Envelopes in the spool that the centre does not hold."""
        return sum(chain.waiting_envelopes for chain in self.status().spool.chains)


class Scene:
    """Everything of one scenario."""

    def __init__(self, folder: Path, ring: Keyring, link: World, bedside: Bedside, setting: Setting) -> None:
        self.link = link
        self.bedside = bedside
        self.listener = Listener(link, ring, BROKER_PORT, setting.state is not None)
        self.gateway = Gateway(folder, ring, link, bedside.ports, setting)
        token = asyncio.run(programs.let_in(folder))
        self.centre = proof.Centre(f"http://127.0.0.1:{PAGE_PORT}", ring.gateway_id, token)

    def ledger(self) -> dict[str, Any]:
        with inside(self.link.far):
            return self.centre.ledger()

    def is_complete(self) -> bool:
        """Whether the centre has all that was said. Cheap while it has not: the gateway knows what it still owes."""
        try:
            return self.gateway.waiting() == 0 and all(one.same for one in self.verdicts())
        except (TimeoutError, URLError):  # a centre that has much to tell on a machine that has much to do
            return False

    def verdicts(self) -> list[proof.Verdict]:
        """What the devices said against what the centre has."""
        said = {key: np.array(samples, np.int64) for key, samples in self.bedside.said.items()}
        with inside(self.link.far):
            return proof.compare(said, self.centre.stored())


@contextmanager
def scene(setting: Setting, folder: Path, ring: Keyring) -> Iterator[Scene]:
    """Link, broker, centre, listener and devices run; the gateway is started by whoever asks."""
    with ExitStack() as stack:
        folder.mkdir(parents=True)
        link = stack.enter_context(world(setting.profile, setting.weather, setting.seed))
        _start(stack, link.far, _broker(folder, ring), folder / "mosquitto.log")
        until(lambda: _answers(link, BROKER_PORT), START_S, "mosquitto")
        _start(stack, link.far, _centre(folder, ring), folder / "centre.log")
        until(lambda: _answers(link, PAGE_PORT), START_S, "the centre")
        bedside = Bedside(folder, setting.devices)
        stack.callback(bedside.hush)
        made = Scene(folder, ring, link, bedside, setting)
        stack.callback(made.listener.end)
        stack.callback(made.gateway.end)
        yield made


def _broker(folder: Path, ring: Keyring) -> list[str]:
    programs.broker(folder, ring, BROKER_PORT)
    conf = folder / "mosquitto.conf"
    text = conf.read_text(encoding="utf-8").replace(f"listener {BROKER_PORT} 127.0.0.1", f"listener {BROKER_PORT}")
    conf.write_text(text, encoding="utf-8")
    return [shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin") or "mosquitto", "-c", str(conf)]


def _centre(folder: Path, ring: Keyring) -> list[str]:
    programs.centre(folder, ring, BROKER_PORT, PAGE_PORT, "bed")
    return [sys.executable, "-m", "agent.cli.entry", "centre", "run", "--config", str(folder / "centre.toml")]


def _start(stack: ExitStack, place: str, words: list[str], log: Path) -> None:
    with log.open("ab") as file:
        process = subprocess.Popen(command(place, words), cwd=ROOT, stdout=file, stderr=file)
    stack.callback(_end, process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _answers(link: World, port: int) -> bool:
    with inside(link.far), socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
