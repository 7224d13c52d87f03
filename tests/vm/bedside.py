"""A gateway in the guest, of its package: the unit with its own user, its spool, and its commands."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.lab import keyring
from tests.system.bell import until
from tests.vm import package
from tests.vm.spooled import Spooled
from tests.vm.talk import Player
from wire import keys

UNIT = Path("/usr/lib/systemd/system/wardlink.service")
CONFIG = Path("/etc/wardlink/gateway.toml")
STATE, RUNTIME = Path("/var/lib/wardlink"), Path("/run/wardlink")
BONDS = Path("/var/lib/bluetooth")
STARTING_S, ENDING_S = 60.0, 30.0
ADDED = Path(f"/etc/systemd/system/{UNIT.name}.d/guest.conf")


@dataclass(frozen=True, slots=True)
class Worth:
    """What the gateway's process costs now."""

    rss_kib: int
    files: int
    threads: int


class Bedside:
    """One gateway, installed and started as at a bed; `more` and `tables` are added to its configuration,
    `groups` to its user's."""

    def __init__(self, folder: Path, more: str = "", tables: str = "", groups: str = "") -> None:
        package.install()
        for path in (STATE, RUNTIME, CONFIG.parent):
            shutil.rmtree(path, ignore_errors=True)
        do("systemd-tmpfiles", "--create", "wardlink.conf")
        shutil.rmtree(CONFIG.parent)
        ring = keyring.make(folder / "keys")
        shutil.copytree(ring.gateway, CONFIG.parent / "keys")  # makes the parent, too
        CONFIG.write_text(
            f'site = "north"\nbroker = "mqtt://127.0.0.1:1"\nconfirm = "broker"\n{more}\n'
            f"[spool]\nkey_mib = 64\nvital_mib = 512\nwave_mib = 512\n{tables}",
            encoding="utf-8",
        )
        do("chown", "-R", "wardlink:wardlink", str(CONFIG.parent))
        CONFIG.parent.chmod(0o750)
        ADDED.parent.mkdir(exist_ok=True)
        ADDED.write_text(f"[Service]\nSupplementaryGroups={groups}\n", encoding="utf-8")
        do("systemctl", "daemon-reload")
        secret = keys.recipient_secret((ring.centre / "recipient.key").read_text())
        self.spooled = Spooled(STATE / "spool", ring.gateway_id, secret)

    def start(self) -> None:
        """Returns once it has said READY."""
        do("systemctl", "reset-failed", UNIT.name, check=False)
        do("systemctl", "start", UNIT.name, limit_s=STARTING_S)

    def stop(self) -> None:
        do("systemctl", "stop", UNIT.name, limit_s=ENDING_S)

    def devices(self) -> list[dict[str, Any]]:
        """What `wardlink devices` says."""
        return json.loads(do("wardlink", "devices", "--json"))

    def tasks_failed(self) -> int:
        status = json.loads((RUNTIME / "status.json").read_text())
        return sum(task["failures"] for task in status["tasks"])

    def restarts(self) -> int:
        return int(do("systemctl", "show", "-P", "NRestarts", UNIT.name))

    def worth(self) -> Worth:
        pid = do("systemctl", "show", "-P", "MainPID", UNIT.name).strip()
        words = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return Worth(
            int(words["VmRSS"].split()[0]), len(list(Path(f"/proc/{pid}/fd").iterdir())), int(words["Threads"])
        )

    def log(self) -> str:
        return do("journalctl", "-u", UNIT.name, "--no-pager", "-o", "cat")

    def until(self, condition: Any, limit_s: float = 30.0) -> None:
        """Look into the spool until it is so."""

        def now() -> object:
            self.spooled.look()
            return condition()

        try:
            until(now, limit_s)
        except AssertionError as error:
            raise AssertionError(f"{error}: {do('wardlink', 'devices', check=False)}") from error


def on_air(folder: Path) -> Player:
    """The emulated air, and bluetoothd at its adapter, powered, without bonds of before."""
    do("systemctl", "stop", "bluetooth", check=False)
    for adapter in BONDS.glob("*:*"):
        shutil.rmtree(adapter)
    radio = Player("tests.vm.radio", folder)
    do("systemctl", "start", "bluetooth")
    until(lambda: "Powered: yes" in do("bluetoothctl", "show", check=False), STARTING_S)
    return radio


def do(*words: str, check: bool = True, limit_s: float = 30.0) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=limit_s, check=False)
    assert done.returncode == 0 or not check, f"{' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout
