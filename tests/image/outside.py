"""What is outside the emulated gateway: a fleet, a broker, a centre, all real programs; and the engineer's own key."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from tests.image.machine import OUTSIDE
from tests.system.bell import until
from tests.system.broker_rig import free_port

PORTS = "ports.json"
SITE = "north"
BED = "ward 3, bed 12"
STARTING_S = 60.0
PASSPHRASE = {"WARDLINK_TEST_PASSPHRASE": "six words of a dictionary"}


@dataclass
class Outside:
    """Everything lies in `folder`, a copy of which is the same fleet again. Gateways reach it all at 10.0.2.2."""

    folder: Path
    broker: int = field(default_factory=free_port)
    enrol: int = field(default_factory=free_port)
    page: int = field(default_factory=free_port)
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Outside:
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = self.folder / PORTS
        if kept.exists():
            self.broker, self.enrol, self.page = json.loads(kept.read_text(encoding="ascii"))
        else:
            self._fleet()
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self._at("engineer")], check=True)
            kept.write_text(json.dumps([self.broker, self.enrol, self.page]), encoding="ascii")
        (self.folder / "mosquitto.log").unlink(missing_ok=True)
        self._run("mosquitto", [_mosquitto(), "-c", str(self._conf())])
        self._run(
            "fleet", self._words("fleet", "--folder", self._at("fleet"), "serve", "--listen", f"0.0.0.0:{self.enrol}")
        )
        self._run("centre", self._words("centre", "run", "--config", str(self._centre())))
        until(lambda: b"running" in (self.folder / "mosquitto.log").read_bytes(), STARTING_S)
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._running:
            one.terminate()
        for one in self._running:
            one.wait(30)

    def setting(self, more: str = "", *, voucher: bool = True) -> bytes:
        """A wardlink.txt, as an engineer writes it."""
        key = (self.folder / "engineer.pub").read_text(encoding="ascii").strip()
        lines = [
            f'site = "{SITE}"',
            f'broker = "mqtts://{OUTSIDE}:{self.broker}"',
            f'bed = "{BED}"',
            f'ssh_keys = ["{key}"]',
        ]
        lines += [f'voucher = "{self.voucher()}"'] if voucher else []
        return "\n".join([*lines, more, ""]).encode()

    def voucher(self) -> str:
        said = self.fleet("voucher", SITE, "--bed", BED).split()
        return next(word for word in said if word.startswith("WL1-"))

    def gateways(self) -> list[str]:
        return [str(row[0]) for row in self._rows("SELECT gateway FROM gateway") if row[0]]

    def readings(self, value: int | None = None) -> int:
        """How many readings the centre has opened and keeps; of this value alone, if one is told."""
        where, values = ("", ()) if value is None else (" WHERE value = ?", (str(value),))
        return int(str(self._rows(f"SELECT count(*) FROM numeric{where}", *values)[0][0]))

    def fleet(self, *words: str) -> str:
        return self.own("fleet", "--folder", self._at("fleet"), *words)

    def own(self, *words: str) -> str:
        """What `wardlink ...` says on this computer. Raises AssertionError."""
        done = subprocess.run(
            self._words(*words),
            env={**os.environ, **PASSPHRASE},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def ssh(self, port: int, *words: str) -> subprocess.CompletedProcess[str]:
        """A command on the gateway, as the engineer whose key wardlink.txt names."""
        safe = ("UserKnownHostsFile=/dev/null", "StrictHostKeyChecking=no", "ConnectTimeout=20", "LogLevel=ERROR")
        options = [part for one in safe for part in ("-o", one)]
        line = ["ssh", *options, "-i", self._at("engineer"), "-p", str(port), "root@127.0.0.1", *words]
        return subprocess.run(line, capture_output=True, text=True, check=False, timeout=900)

    def _fleet(self) -> None:
        init = self._words("fleet", "init", self._at("fleet"), "--root", self._at("root.pem"))
        url = f"https://{OUTSIDE}:{self.enrol}"
        words = [*init, "--enrol", url, "--passphrase-env", "WARDLINK_TEST_PASSPHRASE"]
        subprocess.run(words, env={**os.environ, **PASSPHRASE}, check=True, capture_output=True)
        subprocess.run(self._words("centre", "keys", self._at("keys")), check=True, capture_output=True)
        self.fleet("site", "add", SITE)
        self.fleet("recipient", "add", SITE, "centre", self._at("keys/recipient.pub"), "--role", "centre")
        self.fleet("centre-key", "add", self._at("keys/receipts.pub"))
        self.fleet("certificate", "broker", "--name", OUTSIDE, "--name", "localhost", "--out", self._at("broker"))
        self.fleet("certificate", "centre", "--name", "centre", "--out", self._at("certificate"))
        for file in (self.folder / "certificate").iterdir():
            shutil.copyfile(file, self.folder / "keys" / file.name)

    def _conf(self) -> Path:
        shipped = resources.files("config")
        text = shipped.joinpath("mosquitto.conf").read_text(encoding="utf-8")
        text = text.replace("/etc/mosquitto/certs", self._at("broker")).replace(
            "listener 8883", f"listener {self.broker}"
        )
        text = text.replace("/etc/mosquitto/wardlink.acl", self._at("mosquitto.acl"))
        text = text.replace("persistence true\nautosave_interval 60\n", "persistence false\n") + "user root\n"
        acl = self.folder / "mosquitto.acl"
        acl.write_bytes(shipped.joinpath("mosquitto.acl").read_bytes())
        acl.chmod(0o600)
        path = self.folder / "mosquitto.conf"
        path.write_text(text, encoding="utf-8")
        return path

    def _centre(self) -> Path:
        text = f'broker = "mqtts://localhost:{self.broker}"\nkeys = "{self._at("keys")}"\n'
        text += f'store = "sqlite:///{self._at("centre.db")}"\nlisten = "127.0.0.1:{self.page}"\n'
        text += f'fleet = "{self._at("fleet")}"\n'
        path = self.folder / "centre.toml"
        path.write_text(text, encoding="utf-8")
        return path

    def _rows(self, query: str, *values: str) -> list[tuple[object, ...]]:
        try:
            with sqlite3.connect(f"file:{self.folder / 'centre.db'}?mode=ro", uri=True, timeout=10) as store:
                return list(store.execute(query, values))
        except sqlite3.OperationalError:
            return [(0,)]

    def _run(self, name: str, words: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def _words(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "agent.cli.entry", *words]

    def _at(self, name: str) -> str:
        return str(self.folder / name)


def _mosquitto() -> str:
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert found, "mosquitto is not installed"
    return found
