"""The unit: what it may not do, when it is started again, and when not."""

import json
import os
import re
import signal
from pathlib import Path

import pytest

from tests.system.bell import until
from tests.vm.bedside import CONFIG, RUNTIME, UNIT, Bedside, do

EXPOSURE_LIMIT = 2.0
BACK_S = 60.0
CAGE = CONFIG.with_name("cage.py")


def pid() -> int:
    return int(do("systemctl", "show", "-P", "MainPID", UNIT.name))


def status_of(word: str) -> str:
    """A line of the process's status."""
    found = re.search(rf"^{word}:\s*(.*)$", Path(f"/proc/{pid()}/status").read_text(), re.MULTILINE)
    assert found, word
    return found[1]


def epoch() -> int:
    try:
        return int(json.loads((RUNTIME / "status.json").read_text())["epoch"])
    except (OSError, ValueError):
        return 0


def test_systemd_finds_no_fault_and_little_that_is_open(bedside) -> None:
    do("systemd-analyze", "verify", str(UNIT))
    said = do("systemd-analyze", "security", "--no-pager", UNIT.name)
    exposure = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)[1])
    print(f"exposure {exposure}\n{said}")
    assert exposure <= EXPOSURE_LIMIT


def test_it_runs_as_nobody_with_nothing_in_a_cage(bedside) -> None:
    assert status_of("CapBnd") == status_of("CapEff") == "0" * 16
    assert status_of("NoNewPrivs") == "1"
    assert status_of("Seccomp") == "2"
    assert "".join(set(status_of("Uid").split())) == do("id", "-u", "wardlink").strip()
    limits = Path(f"/proc/{pid()}/limits").read_text()
    assert re.search(r"Max core file size\s+0\s+0", limits)


@pytest.mark.parametrize(
    "words",
    [
        "open('/etc/wardlink/gateway.toml', 'a')",
        "open('/usr/x', 'w')",
        "open('/dev/ubda', 'rb')",
        "__import__('socket').socket(__import__('socket').AF_PACKET)",
        "__import__('os').listdir('/root')",
        "__import__('os').setuid(0)",
        "__import__('os').mknod('/tmp/x', 0o20600, 257)",
    ],
)
def test_what_it_must_not_do_is_refused(bedside, words) -> None:
    """The same cage, another program in it."""
    CAGE.write_text(f"try:\n    {words}\nexcept OSError as error:\n    print('refused', error.errno)\n")
    added = Path(f"/run/systemd/system/{UNIT.name}.d")
    added.mkdir(parents=True, exist_ok=True)
    python = f"/usr/bin/python3 {CAGE}"
    (added / "cage.conf").write_text(
        f"[Service]\nType=oneshot\nWatchdogSec=0\nRestart=no\nExecStartPre=\nExecStart=\nExecStart={python}\n"
    )
    bedside.stop()
    try:
        do("systemctl", "daemon-reload")
        do("systemctl", "start", UNIT.name, check=False)
        assert "refused" in do("journalctl", "-u", UNIT.name, "-n", "12", "-o", "cat", "--no-pager")
    finally:
        (added / "cage.conf").unlink()
        do("systemctl", "daemon-reload")


def test_one_that_hangs_is_bitten_and_starts_again(bedside) -> None:
    until(lambda: epoch() == 1, BACK_S)
    os.kill(pid(), signal.SIGSTOP)
    until(lambda: bedside.restarts() == 1, BACK_S)
    until(lambda: epoch() == 2, BACK_S)
    assert "Watchdog timeout" in bedside.log()


def test_one_that_is_killed_is_back_at_once(bedside) -> None:
    until(lambda: epoch() == 1, BACK_S)
    os.kill(pid(), signal.SIGKILL)
    until(lambda: epoch() == 2, BACK_S)


def test_a_wrong_configuration_is_said_once(tmp_path) -> None:
    gateway = Bedside(tmp_path)
    CONFIG.write_text(CONFIG.read_text().replace("site =", "sight ="), encoding="utf-8")
    do("systemctl", "start", UNIT.name, check=False)
    until(lambda: do("systemctl", "show", "-P", "ActiveState", UNIT.name).strip() == "failed", BACK_S)
    assert gateway.restarts() == 0
    assert "did you mean" in gateway.log()
