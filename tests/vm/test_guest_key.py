"""The sealed key under the real unit: systemd opens it for the daemon, and no file on the disk holds it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.vm.bedside import CONFIG, UNIT, Bedside, do

KEYS = CONFIG.parent / "keys"


@pytest.fixture
def bed(tmp_path):
    gateway = Bedside(tmp_path)
    yield gateway
    gateway.stop()
    print(gateway.log())  # shown where the test has failed


def test_the_unit_gives_the_daemon_a_key_that_lies_on_no_disk(bed) -> None:
    plain = (KEYS / "gateway.key").read_bytes()
    do("wardlink", "enrol", "seal", "--protect", "board")
    assert not (KEYS / "gateway.key").exists()
    bed.start()
    status = json.loads(do("wardlink", "status", "--json", check=False))["status"]
    assert status["key"] == "board"
    assert bed.restarts() == 0
    assert all(plain not in file.read_bytes() for file in KEYS.rglob("*") if file.is_file())
    do("chown", "root:root", str(KEYS / "gateway.key.cred"))  # the daemon's user need not be able to read it
    bed.stop()
    bed.start()
    assert json.loads(do("wardlink", "status", "--json", check=False))["status"]["key"] == "credential"
    label = json.loads(do("wardlink", "enrol", "label", "--json"))
    assert status["gateway"] == label["gateway"]


def test_without_its_credential_the_unit_does_not_start(bed) -> None:
    """As on a board that the key was not sealed to."""
    do("wardlink", "enrol", "seal", "--protect", "board")
    Path("/var/lib/systemd/credential.secret").unlink()
    do("systemctl", "start", UNIT.name, check=False)
    assert "CREDENTIALS" in do("systemctl", "show", "-P", "ExecMainStatus", "-P", "Result", UNIT.name) + bed.log()
