"""The real programs of a demo as child processes: mosquitto, centre, gateway. Whoever starts them ends them."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
from importlib import resources
from pathlib import Path

from agent.lab.keyring import Keyring

START_LIMIT_S = 20.0
END_LIMIT_S = 10.0
LOG_LINES = 15
DEMO_PASSWORD = "demo at the bedside"  # noqa: S105  of a centre on 127.0.0.1 that lives as long as the demo


class ProgramError(Exception):
    """A program did not start or ended by itself; says which, and where its log is."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Program:
    """One child process with its log."""

    def __init__(self, name: str, command: list[str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = command
        self._child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """As the kernel would for lack of memory."""
        assert self._child is not None, "not started"
        self._child.kill()

    async def wait(self) -> int:
        assert self._child is not None, "not started"
        return await self._child.wait()

    async def end(self) -> None:
        """Ask, then insist."""
        if self._child is None or self._child.returncode is not None:
            return
        self._child.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(END_LIMIT_S):
                await self._child.wait()
        except TimeoutError:
            self._child.kill()
            await self._child.wait()

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:])

    def died(self) -> bool:
        return self._child is not None and self._child.returncode is not None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def listening(program: Program, port: int) -> None:
    """Wait until it answers on a local port. Raises ProgramError."""
    try:
        async with asyncio.timeout(START_LIMIT_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except ConnectionRefusedError as error:
                    if program.died():
                        raise ProgramError(f"{program.name} ended at once", program.last_words()) from error
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    return
    except TimeoutError as error:
        raise ProgramError(f"{program.name} does not answer", program.last_words()) from error


def broker(folder: Path, ring: Keyring, port: int) -> Program:
    """mosquitto with the configuration that ships, its paths and port set to the demo's."""
    binary = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        raise ProgramError(
            "mosquitto is not installed", "apt-get install mosquitto, or `make demo` from the repository"
        )
    shipped = resources.files("config")
    text = shipped.joinpath("mosquitto.conf").read_text(encoding="utf-8")
    text = text.replace("/etc/mosquitto/certs", str(ring.broker)).replace("listener 8883", f"listener {port} 127.0.0.1")
    text = text.replace("/etc/mosquitto/wardlink.acl", str(folder / "mosquitto.acl"))
    text = text.replace("persistence true\nautosave_interval 60\n", "persistence false\n")
    if os.geteuid() == 0:
        text += "user root\n"
    acl = folder / "mosquitto.acl"
    acl.write_bytes(shipped.joinpath("mosquitto.acl").read_bytes())
    acl.chmod(0o600)
    conf = folder / "mosquitto.conf"
    conf.write_text(text, encoding="utf-8")
    return Program("mosquitto", [binary, "-c", str(conf)], folder)


def centre(folder: Path, ring: Keyring, broker_port: int, page_port: int, bed: str) -> Program:
    text = f"""broker = "mqtts://localhost:{broker_port}"
keys = "{ring.centre}"
store = "sqlite:///{folder / "centre.db"}"
listen = "127.0.0.1:{page_port}"

[[gateways]]
id = "{ring.gateway_id}"
site = "demo"
bed = "{bed}"
"""
    return Program("centre", _wardlink("centre", "run", _file(folder / "centre.toml", text)), folder)


async def let_in(folder: Path) -> str:
    """Accounts of that centre: a doctor called `demo`, and a program's, of which this is the token. As people do it."""
    await _user(folder, DEMO_PASSWORD, "demo", "--role", "doctor")
    return await _user(folder, "", "proof", "--role", "doctor", "--token")


async def _user(folder: Path, typed: str, *words: str) -> str:
    command = _wardlink("centre", "user", "add", *words, str(folder / "centre.toml"))
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    said, complaint = await child.communicate(typed.encode())
    if child.returncode:
        raise ProgramError(f"no account for {words[0]}", complaint.decode(errors="replace"))
    return said.decode().strip()


def gateway(folder: Path, ring: Keyring, broker_port: int, bed: str, ports: dict[str, str]) -> Program:
    """`ports`: path to driver id."""
    text = f"""site = "demo"
broker = "mqtts://localhost:{broker_port}"
bed = "{bed}"
keys = "{ring.gateway}"
state = "{folder / "state"}"
runtime = "{folder / "run"}"
"""
    for path, driver in ports.items():
        text += f'\n[[port]]\npath = "{path}"\ndriver = "{driver}"\n'
    return Program("gateway", _wardlink("run", _file(folder / "gateway.toml", text)), folder)


def _wardlink(*words: str) -> list[str]:
    return [sys.executable, "-m", "agent.cli.entry", *words[:-1], "--config", words[-1]]


def _file(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)
