"""A voucher lies on the boot partition, and nobody types anything: the units enrol the gateway at a real endpoint and
start it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.bell import until
from tests.vm import package
from tests.vm.bedside import CONFIG, STATE, UNIT, do

FLEET = Path("/var/lib/wardlink-fleet")
VOUCHER = Path("/boot/firmware/wardlink/voucher.txt")
KEYS = CONFIG.parent / "keys"
TIMER, ENROL = "wardlink-enrol.timer", "wardlink-enrol.service"
PATIENCE_S = 90.0


def fleet(*words: object) -> str:
    return do("runuser", "-u", "wardlink-fleet", "--", "wardlink", "fleet", "--folder", str(FLEET), *map(str, words))


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory) -> Iterator[None]:
    """A fleet of one site, and its unit."""
    package.install()
    package.install(package.CENTRE)
    os.environ["ROOT_PASSPHRASE"] = "six words of a dictionary"
    stick = Path("/run/stick")
    stick.mkdir(exist_ok=True)
    shutil.chown(stick, "wardlink-fleet")
    keys = tmp_path_factory.mktemp("centre") / "keys"
    do("wardlink", "centre", "keys", str(keys))
    words = ("--enrol", "https://localhost:8485", "--passphrase-env", "ROOT_PASSPHRASE")
    fleet("init", FLEET, "--root", stick / "root.pem", *words)
    fleet("site", "add", "north")
    fleet("recipient", "add", "north", "centre", (keys / "recipient.pub").read_text().strip(), "--role", "centre")
    fleet("centre-key", "add", (keys / "receipts.pub").read_text().strip())
    do("systemctl", "start", "wardlink-fleet.service")
    yield
    do("systemctl", "stop", "wardlink-fleet.service")
    shutil.rmtree(stick)


@pytest.fixture
def unknown() -> Iterator[None]:
    """A gateway that nobody knows yet."""
    do("systemctl", "stop", UNIT.name)
    for path in (STATE, CONFIG.parent):
        shutil.rmtree(path, ignore_errors=True)
    do("systemd-tmpfiles", "--create", "wardlink.conf")
    CONFIG.write_text('site = "north"\nbroker = "mqtt://127.0.0.1:1"\n', encoding="utf-8")
    VOUCHER.parent.mkdir(parents=True, exist_ok=True)
    yield
    do("systemctl", "stop", TIMER, ENROL, UNIT.name)
    shutil.rmtree(VOUCHER.parent)


def test_a_voucher_on_the_boot_partition_is_enough(endpoint, unknown) -> None:
    do("systemctl", "start", TIMER, UNIT.name)
    assert do("systemctl", "is-active", UNIT.name, check=False).strip() == "inactive", "it waits in peace"
    VOUCHER.write_text("WL1-AAAA\n", encoding="ascii")
    until(lambda: "error:" in do("journalctl", "-u", ENROL, "-o", "cat", "--no-pager"), PATIENCE_S)
    VOUCHER.write_text(fleet("voucher", "north"), encoding="ascii")
    until((KEYS / "gateway.crt").exists, PATIENCE_S)
    until(lambda: do("systemctl", "is-active", UNIT.name, check=False).strip() == "active", PATIENCE_S)
    assert do("systemctl", "is-active", TIMER, check=False).strip() == "inactive"
    assert {path.owner() for path in KEYS.iterdir()} == {"wardlink"}
    said = do("wardlink", "check")
    print(said, do("journalctl", "-u", ENROL, "-o", "cat", "--no-pager"))
    assert "receipts   verified" in said


def test_the_endpoint_keeps_its_keys_to_itself(endpoint) -> None:
    assert do("runuser", "-u", "wardlink-centre", "--", "cat", str(FLEET / "audit.key"), check=False) == ""
