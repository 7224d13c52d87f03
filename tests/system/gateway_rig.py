"""The real gateway as a process between simulated devices and a real mosquitto, and a centre that decodes what came."""

import asyncio
import fcntl
import os
import random
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import paho.mqtt.client as mqtt

from agent import clock
from agent.health import status
from agent.lab import keyring
from agent.lab.line import Line
from agent.lab.voices.contec_v7 import ContecV7Voice
from agent.spool import read_folder
from tests.system.bell import Bell, until
from wire import bundle, codec, keys
from wire.envelope import Header
from wire.records import Catalogue
from wire.seal import Opener
from wire.statement import Statement
from wire.topics import Class

ROOT = Path(__file__).parents[2]
SITE = "north"
PLETH = random.Random(1).choices(range(128), k=100_000)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


QUIET_LOOKS = 15  # in a row, some 20 ms apart


class Mosquitto:
    """A broker; `tls` is the folder with its certificate, in the clear without."""

    def __init__(self, folder: Path, tls: Path | None = None) -> None:
        self.port = free_port()
        self._process: subprocess.Popen | None = None
        self._config = folder / f"mosquitto-{self.port}.conf"
        secure = f"cafile {tls}/ca.crt\ncertfile {tls}/broker.crt\nkeyfile {tls}/broker.key\n" if tls else ""
        self._config.write_text(
            f"user root\nmax_queued_messages 0\nlistener {self.port} 127.0.0.1\nallow_anonymous true\n{secure}"
        )

    def start(self) -> None:
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(["mosquitto", "-c", str(self._config)], stdout=quiet, stderr=quiet)
        until(self._answers)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


@dataclass
class Opened:
    """What envelopes mean, once they are all opened: newest knowledge of a recipient."""

    statements: dict[Header, Statement] = field(default_factory=dict)
    records: list = field(default_factory=list)
    samples: dict[tuple[int, int], dict[int, np.ndarray]] = field(default_factory=dict)  # (epoch, stream) -> by index
    headers: set[Header] = field(default_factory=set)

    def heard(self, channel: str, port: str) -> list[int]:
        """The samples of a channel in the order of epochs, streams and indexes; a sample there twice is twice here."""
        streams = {
            (epoch, info.stream)
            for epoch, record in self.records
            if isinstance(record, Catalogue) and record.port == port
            for info in record.streams
            if info.channel == channel
        }
        out: list[int] = []
        for key in sorted(streams):
            for _, run in sorted(self.samples.get(key, {}).items()):
                out += run.tolist()
        return out


def opened(gateway: str, secret: keys.RecipientSecret, envelopes: Iterable[bytes]) -> Opened:
    """Open them all, grants first. An envelope that came twice counts once."""
    out = Opened()
    opener = Opener(gateway, [secret])
    for data in sorted(set(envelopes), key=lambda data: (data[1], data)):
        if data[1] == Class.KEY:
            header, said = opener.statement(data)
            out.statements[header] = said
            continue
        header, plain = opener.open(data)
        assert header not in out.headers, "two envelopes have one number"
        out.headers.add(header)
        if header.cls is Class.VITAL:
            out.records += [(header.epoch, record) for record in bundle.read_vital(plain)]
            continue
        for block in bundle.read_wave(plain):
            for row, run in enumerate(codec.decode(block.coded, block.rows, block.count)):
                out.samples.setdefault((header.epoch, block.stream + row), {})[block.first] = run
    return out


class Centre:
    """Subscribes to everything and keeps the envelopes it got."""

    def __init__(self, port: int) -> None:
        self.envelopes: list[bytes] = []
        self.states: list[bytes] = []
        self._ready = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe("wl/1/#", 1)
        self._client.on_subscribe = lambda *_: loop.call_soon_threadsafe(self._ready.set)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    async def ready(self) -> "Centre":
        async with asyncio.timeout(10):
            await self._ready.wait()
        return self

    def _on_message(self, _client, _data, message) -> None:
        word = message.topic.rpartition("/")[2]
        (self.states if word == "state" else self.envelopes).append(message.payload)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Oximeter:
    """A simulated device on a line, and what it said."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.said: list[int] = []
        self.line = Line(path, clock.now)
        voice = ContecV7Voice({"pleth": PLETH}, lambda channel, samples: self.said.extend(samples))
        self._task = asyncio.create_task(self.line.speak(voice))

    async def hush(self) -> None:
        """Say nothing more; everything that was said is on the line."""
        self.line.stopping = True
        await self._task

    async def fall_silent(self) -> None:
        """Say nothing more, and wait until the gateway has read what was said."""
        await self.hush()
        empty, looks = bytes(4), 0
        terminal = os.open(self.path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)

        def is_quiet() -> bool:
            """The kernel hands on what was written when it likes: empty once may be too soon on a busy machine."""
            nonlocal looks
            looks = looks + 1 if fcntl.ioctl(terminal, termios.FIONREAD, bytes(4)) == empty else 0
            return looks > QUIET_LOOKS

        await Bell().until(is_quiet)
        os.close(terminal)


class Gateway:
    """One configuration, run as often as wanted."""

    def __init__(self, folder: Path, broker: str, ports: Iterable[Path] = (), more: str = "") -> None:
        self.folder = folder
        self.runtime = folder / "run"
        self.spool = folder / "state" / "spool"
        self.ring = keyring.make(folder / "keys")
        self.secret = keys.recipient_secret((self.ring.centre / "recipient.key").read_text())
        self.log = folder / "gateway.log"
        self.config = folder / "gateway.toml"
        text = f'site = "{SITE}"\nbroker = "{broker}"\nkeys = "{self.ring.gateway}"\nconfirm = "broker"\n'
        text += f'state = "{folder / "state"}"\nruntime = "{self.runtime}"\n{more}\n'
        text += "".join(f'[[port]]\npath = "{path}"\ndriver = "contec_v7"\n' for path in ports)
        self.config.write_text(text + "[spool]\nkey_mib = 8\nvital_mib = 8\nwave_mib = 8\n")
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.notices.bind(str(folder / "notify"))
        self.process: subprocess.Popen | None = None
        self._notices: list[str] = []

    async def start(self) -> float:
        """Until it says READY; how many seconds that took."""
        began = time.monotonic()
        self._notices.clear()
        self.begin()
        await Bell().until(lambda: "READY=1" in self.notified() or self.process.poll() is not None)
        assert "READY=1" in self.notified(), self.log.read_text()
        return time.monotonic() - began

    def begin(self) -> None:
        words = [sys.executable, "-m", "agent.cli.entry", "run", "--config", str(self.config)]
        env = {**os.environ, "NOTIFY_SOCKET": str(self.folder / "notify")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(words, cwd=ROOT, env=env, stdout=log, stderr=log)

    def notified(self) -> str:
        try:
            while True:
                self._notices.append(self.notices.recv(4096).decode())
        except BlockingIOError:
            return "\n".join(self._notices)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    async def end(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        await Bell().until(lambda: bool(self.notified()) and self.process.poll() is not None)
        return self.process.returncode

    def status(self) -> status.Status | None:
        self.notified()  # a queue of ten that nobody reads would hold up the gateway
        return status.read(self.runtime) if (self.runtime / status.STATUS_FILE).exists() else None

    def opened(self, envelopes: Iterable[bytes]) -> Opened:
        return opened(self.ring.gateway_id, self.secret, envelopes)

    def stored(self) -> Opened:
        """What the spool of the stopped gateway holds."""
        return self.opened(stored.data for stored in read_folder(self.spool))

    def close(self) -> None:
        self.notices.close()
        if self.process is not None and self.process.poll() is None:
            self.kill()


@asynccontextmanager
async def scene(folder: Path, broker_runs: bool = True, more: str = ""):
    """(gateway, oximeter, mosquitto), none of them started but the oximeter, and mosquitto if it runs."""
    mosquitto = Mosquitto(folder)
    if broker_runs:
        mosquitto.start()
    oximeter = Oximeter(folder / "oximeter")
    gateway = Gateway(folder, f"mqtt://127.0.0.1:{mosquitto.port}", [oximeter.path], more)
    try:
        yield gateway, oximeter, mosquitto
    finally:
        gateway.close()
        await oximeter.hush()
        mosquitto.stop()
