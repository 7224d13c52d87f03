"""A site with the shipped broker configuration and access list, a real centre, and gateways that die and take over."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import paho.mqtt.client as mqtt
from paho.mqtt.client import CallbackAPIVersion, MQTTProtocolVersion

from agent.health import status
from agent.lab import keyring, programs
from agent.spool import read_folder
from agent.uplink.tls import context
from centre.access import people
from tests.system.bell import Bell
from tests.system.gateway_rig import Oximeter

ROOT = Path(__file__).parents[2]
TOKEN = "scraper"
SITE = "north"
NOT_AUTHORIZED = 0x87


class Program:
    """A wardlink program that is started as often as wanted."""

    def __init__(self, folder: Path, name: str, *words: str) -> None:
        self.log = folder / f"{name}.log"
        self._words = [sys.executable, "-m", "agent.cli.entry", *words]
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._words, cwd=ROOT, stdout=log, stderr=log)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(20)

    async def says(self, words: str) -> None:
        await Bell().until(lambda: self.log.exists() and words in self.log.read_text())


class Gateway(Program):
    """One gateway of the site."""

    def __init__(self, folder: Path, name: str, ring: keyring.Keyring, port: int, device: Path | None) -> None:
        self.id, self.state, self.runtime = ring.gateway_id, folder / name, folder / f"{name}-run"
        self.config = folder / f"{name}.toml"
        text = (
            f'site = "{SITE}"\nbroker = "mqtts://localhost:{port}"\nkeys = "{ring.gateway}"\nstate = "{self.state}"\n'
        )
        text += f'runtime = "{self.runtime}"\n'
        text += f'[[port]]\npath = "{device}"\ndriver = "contec_v7"\n' if device else ""
        self.config.write_text(text + "[spool]\nkey_mib = 8\nvital_mib = 8\nwave_mib = 8\n")
        super().__init__(folder, name, "run", "--config", str(self.config))

    def status(self) -> status.Status | None:
        return status.read(self.runtime) if (self.runtime / status.STATUS_FILE).exists() else None

    def sealed(self) -> set[bytes]:
        """All that is in its spool."""
        folder = self.state / "spool"
        return {stored.data for stored in read_folder(folder)} if folder.exists() else set()

    def relayed(self) -> status.RelayStatus | None:
        now = self.status()
        return now.relayed[0] if now is not None and now.relayed else None

    def imported(self) -> list[str]:
        """What is in the folder of imports, by name."""
        return sorted(path.name for path in (self.state / "imported").glob("*/*"))


class Site:
    """Two gateways, `a` with a device and no way to the broker, and `b`; and the keys of a third enrolled one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ring, second, self.third = keyring.many(folder / "keys", 3)
        self.port, self.page_port = programs.free_port(), programs.free_port()
        (folder / "broker").mkdir()
        self._broker = programs.broker(folder / "broker", self.ring, self.port)
        self.oximeter = Oximeter(folder / "oximeter")
        nowhere = programs.free_port()
        self.a = Gateway(folder, "a", self.ring, nowhere, self.oximeter.path)
        self.b = Gateway(folder, "b", second, self.port, None)
        self.centre = self._centre([self.a.id, self.b.id, self.third.gateway_id])

    def _centre(self, enrolled: list[str]) -> Program:
        config = self.folder / "centre.toml"
        text = f'broker = "mqtts://localhost:{self.port}"\nkeys = "{self.ring.centre}"\n'
        text += f'store = "{self.store}"\nlisten = "127.0.0.1:{self.page_port}"\n'
        text += "".join(f'[[gateways]]\nid = "{name}"\nsite = "{SITE}"\nbed = "bed of {name}"\n' for name in enrolled)
        config.write_text(text)
        people.write(self.ring.centre / "users.toml", (people.User("t", "engineer", token=people.token_hash(TOKEN)),))
        return Program(self.folder, "centre", "centre", "run", "--config", str(config))

    @property
    def store(self) -> str:
        return f"sqlite:///{self.folder / 'centre.db'}"

    async def open(self) -> None:
        """All run but b; the centre has subscribed, for before that a broker keeps nothing for it."""
        self.a.start()
        await self._broker.start()
        await programs.listening(self._broker, self.port)
        self.centre.start()
        await self.centre.says("broker connected")

    def counted(self, name: str) -> int:
        asked = Request(f"http://127.0.0.1:{self.page_port}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        with urlopen(asked, timeout=5) as page:
            lines = page.read().decode().split("\n")
        return next((int(line.split()[1]) for line in lines if line.startswith(f"wardlink_centre_{name} ")), 0)

    async def close(self) -> None:
        await self.oximeter.hush()
        for program in (self.a, self.b, self.centre):
            program.end(signal.SIGKILL)
        await self._broker.end()


@asynccontextmanager
async def site(folder: Path):
    made = Site(folder)
    try:
        yield made
    finally:
        await made.close()


class Intruder:
    """Whoever has the certificate of a gateway, and what the broker answers."""

    def __init__(self, port: int, ring: keyring.Keyring) -> None:
        self.answers: list[int] = []
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=ring.gateway_id, protocol=MQTTProtocolVersion.MQTTv5
        )
        keys = ring.gateway
        self._client.tls_set_context(context(keys / "ca.crt", keys / "gateway.crt", keys / "gateway.key"))
        self._client.on_publish = lambda _c, _d, _mid, reason, _p: self.answers.append(reason.value)
        self._client.connect("localhost", port)
        self._client.loop_start()

    async def publish(self, topic: str, data: bytes) -> int:
        """The reason code of the PUBACK."""
        before = len(self.answers)
        self._client.publish(topic, data, qos=1)
        await Bell().until(lambda: len(self.answers) > before)
        return self.answers[-1]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
