"""A data key is gone from the process when its hour is: the whole memory of a gateway is searched for its 32 bytes.

Half of the key would betray it too, so each half is looked for. What this cannot see: pages in swap, and registers.
"""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.lab import keyring
from tests.system.gateway_rig import ROOT

CONFIG = """
site = "north"
broker = "mqtt://127.0.0.1:1"
keys = "{keys}"
confirm = "broker"
state = "{folder}/state"
runtime = "{folder}/run"
interval_s = 0.25
[spool]
key_mib = 8
vital_mib = 8
wave_mib = 8
"""


class Quiet:
    """A gateway without any device, which nobody hears."""

    def __init__(self, folder: Path) -> None:
        file = folder / "gateway.toml"
        file.write_text(CONFIG.format(keys=keyring.make(folder / "keys").gateway, folder=folder))
        keys, self._keys = os.pipe()
        self._says, says = os.pipe()
        program = [sys.executable, "-m", "tests.system.forgetful", str(file), str(keys), str(says)]
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            program, cwd=ROOT, stdin=subprocess.PIPE, stderr=self._log, pass_fds=(keys, says)
        )
        os.close(keys)
        os.close(says)
        self._said = os.fdopen(self._says, "r")

    def give(self) -> bytes:
        """The next data key."""
        key = secrets.token_bytes(32)
        os.write(self._keys, key)
        return key

    def until(self, word: str) -> None:
        for line in self._said:
            if line.strip() == word:
                return
        pytest.fail(f"the gateway ended before it said {word}")

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def copies(self, key: bytes) -> int:
        """How often either half of the key stands in the memory of the process."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            return sum(data.count(half) for data in self._memory() for half in (key[:16], key[16:]))
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _memory(self) -> Iterator[bytes]:
        place = Path(f"/proc/{self._process.pid}")
        with (place / "mem").open("rb", buffering=0) as memory:
            for line in (place / "maps").read_text().splitlines():
                span, rights, *_ = line.split()
                if not rights.startswith("r") or "[v" in line:  # vvar, vsyscall: the kernel's, and not ours to read
                    continue
                start, end = (int(word, 16) for word in span.split("-"))
                memory.seek(start)
                yield memory.read(end - start)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._said.close()
        os.close(self._keys)
        self._log.close()


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Quiet]:
    gateway = Quiet(tmp_path)
    yield gateway
    gateway.end()


def test_a_key_is_gone_after_its_hour_and_at_the_end(quiet: Quiet) -> None:
    """The clock is CLOCK_BOOTTIME: an hour of suspend is an hour to it, and looks like this jump."""
    first = quiet.give()
    quiet.until("ready")
    quiet.until("beat")
    assert quiet.copies(first) > 0, "the search finds what is there"
    second = quiet.give()
    quiet.signal(signal.SIGUSR1)
    for _ in range(3):  # one may have been on its way
        quiet.until("beat")
    assert quiet.copies(second) > 0
    assert quiet.copies(first) == 0
    quiet.signal(signal.SIGTERM)
    quiet.until("over")
    assert quiet.copies(second) == 0
    assert quiet.copies(first) == 0
