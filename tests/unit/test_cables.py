"""docs/cables.md, systemd/60-wardlink.rules and the table in README.md say what the drivers and the captures say."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from agent.cli import udev
from agent.cli.entry import main
from bench import cables, devices_table
from drivers import registry

RULES = cables.ROOT / "systemd" / "60-wardlink.rules"


def test_the_page_is_what_the_drivers_say() -> None:
    page = cables.ROOT / "docs" / "cables.md"
    assert page.read_text(encoding="utf-8") == cables.text(), "python bench/cables.py > docs/cables.md"


def test_every_model_leads_to_a_section_with_its_cable() -> None:
    text = cables.text()
    for kind in registry.all_drivers():
        assert text.count(f"\n## {kind.info.id}\n") == 1
        assert f"- **Cable and menu**: {kind.info.wiring}" in text
        assert all(f"\n| {model} | " in text for model in kind.info.models)


def test_the_table_of_the_readme_is_of_today() -> None:
    written = (cables.ROOT / "README.md").read_text(encoding="utf-8")
    assert written == devices_table.readme(written), "python bench/devices_table.py --readme"
    found = re.findall(r"cables\.md#(\w+)", "\n".join(devices_table.readme_lines()))
    assert sorted(found) == sorted(registry.ids())


def test_the_rules_are_what_the_drivers_say(capsys) -> None:
    assert main(["drivers", "--udev"]) == 0
    assert RULES.read_text(encoding="utf-8") == capsys.readouterr().out, (
        "wardlink drivers --udev > systemd/60-wardlink.rules"
    )


def test_a_bridge_chooses_no_driver_and_a_modem_is_not_touched() -> None:
    rules = [line for line in udev.text(registry.all_drivers()).splitlines() if line and not line.startswith("#")]
    assert not any(driver_id in line for line in rules for driver_id in registry.ids())
    vendors = {vendor for vendor, _ in udev.BRIDGES}
    assert {"0403", "067b", "10c4", "1a86"} <= vendors
    assert not {"12d1", "19d2", "2c7c", "1199", "1e0e"} & vendors, "makers of modems"
    before, _, after = "\n".join(rules).partition('LABEL="wardlink_bridge"')
    assert "ID_MM_DEVICE_IGNORE" not in before
    assert before.rstrip().endswith('GOTO="wardlink_end"'), "what is no bridge gets none of it"
    assert 'ENV{ID_MM_DEVICE_IGNORE}="1"' in after
    assert 'GROUP="dialout"' in after


def test_udev_takes_the_rules() -> None:
    if (
        not shutil.which("udevadm")
        or "verify" not in subprocess.run(["udevadm", "--help"], capture_output=True, text=True, check=False).stdout
    ):
        pytest.skip("this machine has no `udevadm verify`")
    said = subprocess.run(["udevadm", "verify", "--no-summary", RULES], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
