"""The real programs around the simulated gateways: mosquitto as it ships, `wardlink centre run`, and PostgreSQL."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.links.rig import until
from bench.rig import meter, rings, trust
from bench.rig.rings import Plan
from bench.scratch import ROOT, HarnessError

START_LIMIT_S, END_LIMIT_S = 120.0, 60.0
SUBSCRIBED = "broker connected"  # so the centre's log says
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
POSTGRES_OPTIONS = "-c listen_addresses='' -c shared_buffers=256MB -c max_wal_size=4GB"  # durable as it comes: fsync on


class Program:
    """One child process with its log."""

    def __init__(self, name: str, words: list[str], folder: Path) -> None:
        self.name, self._words = name, words
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pids(self) -> list[int]:
        return [] if self._process is None else meter.tree(self._process.pid)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def check(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            said = self.log.read_text(errors="replace")[-1000:]
            raise HarnessError(f"{self.name} ended by itself\n{said}")

    def end(self, sent: int = signal.SIGTERM) -> None:
        """Ask, then insist."""
        if self._process is None:
            return
        self._process.send_signal(sent)
        try:
            self._process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


class Postgres:
    """A server of our own on a socket in a temporary folder; it refuses to run as root."""

    def __init__(self) -> None:
        if not POSTGRES:
            raise HarnessError("no PostgreSQL in /usr/lib/postgresql (Debian: apt-get install postgresql)")
        self._folder = Path(tempfile.mkdtemp(prefix="wardlink-rig-pg-"))
        self._data = self._folder / "data"
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres")
        self._say("initdb", "-U", "ward", "-A", "trust", "-E", "UTF8", "--no-locale")
        options = f"-k {self._folder} {POSTGRES_OPTIONS}"
        self._say("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", options, "start")
        self.url = f"postgresql+psycopg://ward@/postgres?host={self._folder}"

    @property
    def pids(self) -> list[int]:
        return meter.tree(int((self._data / "postmaster.pid").read_text().split()[0]))

    def size_bytes(self) -> int:
        """Tables and indexes, without the log."""
        return sum(path.stat().st_size for path in (self._data / "base").rglob("*") if path.is_file())

    def end(self) -> None:
        self._say("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(self._folder)

    def _say(self, name: str, *words: str) -> None:
        become = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*become, str(POSTGRES[-1] / name), "-D", str(self._data), *words]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/")
        if done.returncode:
            raise HarnessError(f"{name}: {done.stdout.decode(errors='replace')[-500:]}")


@dataclass(frozen=True, slots=True)
class Setting:
    """`store` is sqlite, postgresql, or hollow: no centre, but one that only takes and receipts (`hollow.py`).

    `consumers`: centres that share one store and the load. `profile`: the file where the processor time of the (first)
    centre is to be told by function.
    """

    tls: bool
    store: str
    consumers: int = 1
    profile: Path | None = None


class Cast:
    """Broker, store and centre under `folder`. Whoever makes it ends it, come what may."""

    def __init__(self, folder: Path, plan: Plan, setting: Setting) -> None:
        self.folder, self._plan, self._setting = folder, plan, setting
        self.port = _free_port()
        self.trust = folder / "trust" if setting.tls else None
        self._postgres: Postgres | None = None
        trust.centre_keys(folder / "centre-keys", plan.seed)
        if self.trust is not None:
            trust.certificates(self.trust, plan.seed, plan.gateways)
            for name in ("ca.crt", "centre.crt", "centre.tls.key"):
                shutil.copy(self.trust / name, folder / "centre-keys" / name)
        self.broker = Program("mosquitto", [_mosquitto(), "-c", str(self._broker_conf())], folder)
        self.centres: list[Program] = []

    def start(self) -> None:
        self.start_broker()
        if self._setting.store == "postgresql":
            self._postgres = Postgres()
        if self.is_hollow:
            words = [sys.executable, "-m", "bench.rig.hollow", str(self.port), str(self._plan.seed), str(self.taken)]
            self._start_centre("hollow", [*words, *([str(self.folder / "centre-keys")] if self.trust else [])])
            return
        config = self._centre_conf()
        for number in range(self._setting.consumers):
            self._start_centre(f"centre-{number}", self._centre_words(config, number))

    def _start_centre(self, name: str, words: list[str]) -> None:
        program = Program(name, words, self.folder)
        self.centres.append(program)
        program.start()
        until(lambda: _says(program, SUBSCRIBED), START_LIMIT_S, f"the subscription of {name}")

    def _centre_words(self, config: Path, number: int) -> list[str]:
        """Of consumers that share each has a name, and the first has the pages."""
        profile = self._setting.profile if number == 0 else None
        program = ["agent.cli.entry"] if profile is None else ["bench.rig.sampled", str(profile.absolute())]
        words = [sys.executable, "-m", *program, "centre", "run"]
        if self._setting.consumers > 1:
            words += ["--name", f"centre-{number}", *(["--listen", ""] if number else [])]
        return [*words, "--config", str(config)]

    def start_broker(self) -> None:
        self.broker.start()
        until(self._answers, START_LIMIT_S, "the broker's port")

    def check(self) -> None:
        """HarnessError where one of them is no more."""
        for program in (self.broker, *self.centres):
            program.check()

    def end_centres(self) -> None:
        for program in self.centres:
            program.end()

    def end(self) -> None:
        self.end_centres()
        self.broker.end()
        if self._postgres is not None:
            self._postgres.end()

    @property
    def is_hollow(self) -> bool:
        return self._setting.store == "hollow"

    @property
    def taken(self) -> Path:
        """Where a hollow centre writes what it has, at its end."""
        return self.folder / "taken.npy"

    @property
    def url(self) -> str:
        return self._postgres.url if self._postgres else f"sqlite:///{self.folder / 'centre.db'}"

    @property
    def centre_pids(self) -> list[int]:
        return [pid for program in self.centres for pid in program.pids]

    @property
    def store_pids(self) -> list[int]:
        """Those of a store that has processes of its own."""
        return self._postgres.pids if self._postgres else []

    def store_bytes(self) -> int:
        if self._postgres:
            return self._postgres.size_bytes()
        return sum(path.stat().st_size for path in self.folder.glob("centre.db*"))

    def _answers(self) -> bool:
        self.broker.check()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _broker_conf(self) -> Path:
        """What ships; without TLS a gateway says its own name, and who says none is the centre."""
        shipped, folder = ROOT / "config", self.folder
        memory = folder / "broker"
        memory.mkdir()
        text = (shipped / "mosquitto.conf").read_text()
        text = text.replace("listener 8883", f"listener {self.port} 127.0.0.1")
        text = text.replace("/etc/mosquitto/wardlink.acl", str(folder / "mosquitto.acl"))
        text += f"persistence_location {memory}/\n" + ("user root\n" if os.geteuid() == 0 else "")
        access = (shipped / "mosquitto.acl").read_text()
        if self.trust is not None:
            text = text.replace("/etc/mosquitto/certs", str(self.trust))
        else:
            no = (
                "cafile",
                "certfile",
                "keyfile",
                "tls_version",
                "require_certificate",
                "use_identity",
                "allow_anonymous",
            )
            text = "\n".join(line for line in text.splitlines() if not line.startswith(no)) + "\nallow_anonymous true\n"
            access = access.replace("user centre\n", "")
        (folder / "mosquitto.acl").write_text(access)
        (folder / "mosquitto.acl").chmod(0o600)
        conf = folder / "mosquitto.conf"
        conf.write_text(text)
        return conf

    def _centre_conf(self) -> Path:
        plan, scheme = self._plan, "mqtts" if self.trust else "mqtt"
        lines = [f'broker = "{scheme}://localhost:{self.port}"', f'keys = "{self.folder / "centre-keys"}"']
        lines += [f'store = "{self.url}"', f'listen = "127.0.0.1:{_free_port()}"']
        lines += [f'access_log = "{self.folder / "access.log"}"']
        lines += ['share = "rig"'] if self._setting.consumers > 1 else []
        for number in range(plan.gateways):
            name = rings.name(plan.seed, number)
            lines += ["[[gateways]]", f'id = "{name}"', f'site = "{rings.SITE}"', f'bed = "bed {number}"']
        path = self.folder / "centre.toml"
        path.write_text("\n".join(lines) + "\n")
        return path


def _says(program: Program, word: str) -> bool:
    program.check()
    return word in program.log.read_text(errors="replace")


def _mosquitto() -> str:
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise HarnessError("mosquitto is not installed (Debian: apt-get install mosquitto)")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
