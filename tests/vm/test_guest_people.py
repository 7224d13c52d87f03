"""The units for people at the bed and on the ward: the setup from the boot partition, the page, the LED."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.system.bell import until
from tests.vm import package
from tests.vm.bedside import CONFIG, RUNTIME, UNIT, do

VERBS = ("page", "led", "setup")
LACKING = [name for name in VERBS if importlib.util.find_spec(f"agent.cli.{name}") is None]
pytestmark = pytest.mark.skipif(bool(LACKING), reason=f"not in this checkout: {', '.join(LACKING)}")
BOOT = Path("/boot/firmware")
PATIENCE_S = 90.0
SETUP = 'site = "north"\nbroker = "mqtt://127.0.0.1:1"\nbed = "ward 3, bed 12"\n'


@pytest.fixture
def boot_partition() -> Iterator[Path]:
    """Mounted read-only, with a filled-in wardlink.txt."""
    package.install()
    CONFIG.unlink(missing_ok=True)
    BOOT.mkdir(parents=True, exist_ok=True)
    do("mount", "-t", "tmpfs", "none", str(BOOT))
    (BOOT / "wardlink.txt").write_text(SETUP, encoding="utf-8")
    do("mount", "-o", "remount,ro", str(BOOT))
    yield BOOT
    do("systemctl", "stop", "wardlink-setup-watch.service", "wardlink-firstboot.service")
    do("umount", str(BOOT))


def test_the_setup_on_the_boot_partition_is_taken(boot_partition) -> None:
    do("systemctl", "start", "wardlink-firstboot.service", limit_s=PATIENCE_S)
    assert "ward 3, bed 12" in CONFIG.read_text()
    assert (CONFIG.stat().st_mode & 0o777, CONFIG.group()) == (0o640, "wardlink")
    do("systemctl", "start", "wardlink-setup-watch.service")
    found = json.loads(do("wardlink", "setup", "show", "--json", check=False))
    assert found["inforce"] == "trial"
    print(found, do("journalctl", "-u", "wardlink-firstboot", "-u", "wardlink-setup-watch", "-o", "cat", "--no-pager"))
    assert do("systemctl", "is-active", "wardlink-setup-watch.service", check=False).strip() == "active"


@pytest.fixture
def blank_card() -> Iterator[None]:
    """No wardlink.txt, no gateway.toml, no gateway that runs."""
    package.install()
    CONFIG.unlink(missing_ok=True)
    for file in (RUNTIME / "setup.json", CONFIG.parent / "setup/good.json", CONFIG.parent / "setup/trial.json"):
        file.unlink(missing_ok=True)
    do("systemctl", "stop", UNIT.name)
    BOOT.mkdir(parents=True, exist_ok=True)
    yield
    do("systemctl", "stop", "wardlink-page.socket", "wardlink-page.service", "wardlink-firstboot.service")
    do("systemctl", "reset-failed", "wardlink-firstboot.service", check=False)


def test_a_card_without_wardlink_txt_is_told_and_fails_nothing(blank_card) -> None:
    do("systemctl", "start", "wardlink-firstboot.service", "wardlink-setup-watch.service", limit_s=PATIENCE_S)
    assert do("systemctl", "show", "-P", "Result", "wardlink-firstboot.service").strip() == "success"
    assert do("systemctl", "show", "-P", "ConditionResult", "wardlink-setup-watch.service").strip() == "no"
    assert "code: 20" in do("wardlink", "status", check=False)
    file = RUNTIME / "setup.json"
    assert (file.group(), file.stat().st_mode & 0o777) == ("wardlink", 0o640)
    do("systemctl", "start", "wardlink-page.socket")
    with urlopen("http://127.0.0.1/", timeout=PATIENCE_S) as answer:
        assert b"20" in answer.read()


def test_how_the_setup_stands_is_told_after_the_gateway_has_stopped(bedside) -> None:
    (RUNTIME / "setup.json").write_text('{"state": "failed", "code": 22, "cause": "words"}')
    bedside.stop()
    try:
        assert "code: 22" in do("wardlink", "status", check=False)
    finally:
        bedside.start()


def test_the_page_answers_at_its_port_as_its_own_user(bedside) -> None:
    do("systemctl", "start", "wardlink-page.socket")
    try:
        with urlopen("http://127.0.0.1/", timeout=PATIENCE_S) as answer:
            assert answer.status == 200
        pid = do("systemctl", "show", "-P", "MainPID", "wardlink-page.service").strip()
        assert Path(f"/proc/{pid}").owner() == "wardlink-page"
        assert do("systemctl", "show", "-P", "NRestarts", "wardlink-page.service").strip() == "0"
    finally:
        do("systemctl", "stop", "wardlink-page.socket", "wardlink-page.service")


def test_the_page_is_there_before_the_gateway_is_enrolled(boot_partition) -> None:
    do("systemctl", "start", "wardlink-page.socket")
    try:
        with urlopen("http://127.0.0.1/", timeout=PATIENCE_S) as answer:
            assert answer.status == 200
    finally:
        do("systemctl", "stop", "wardlink-page.socket", "wardlink-page.service")


def test_a_board_without_an_led_is_well(bedside) -> None:
    do("systemctl", "start", "wardlink-led.service")
    until(lambda: do("systemctl", "is-active", "wardlink-led.service", check=False).strip() != "activating", PATIENCE_S)
    assert do("systemctl", "show", "-P", "Result", "wardlink-led.service").strip() == "success"
    assert bedside.restarts() == 0
    assert do("systemctl", "is-active", UNIT.name).strip() == "active"
