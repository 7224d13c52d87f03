"""The gateway by radio in the guest, on the real bluetoothd, with peripherals that misbehave on purpose."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.system.bell import until
from tests.vm.bedside import Bedside, do

ADDRESS = "C0:00:00:00:00:01"
DEVICE = {"address": ADDRESS, "driver": "gatt_oximeter", "story": "finger-in-and-out"}
NAMED = f'[[radio]]\naddress = "{ADDRESS}"\ndriver = "gatt_oximeter"\n'
BACK_S = 60.0


@pytest.fixture
def bed(tmp_path, radio):
    gateway = Bedside(tmp_path, tables=NAMED)
    gateway.start()
    yield gateway
    gateway.stop()
    print(gateway.log())  # shown where the test has failed


@pytest.fixture
def empty(tmp_path, radio):
    """A gateway that allows nobody."""
    gateway = Bedside(tmp_path)
    gateway.start()
    yield gateway
    gateway.stop()
    print(gateway.log())


def readings(bed: Bedside) -> int:
    return sum(len(values) for session in bed.spooled.sessions for values in session.values.values())


def heard_more(bed: Bedside) -> None:
    before = readings(bed)
    bed.until(lambda: readings(bed) > before, BACK_S)


def peer(bed: Bedside) -> dict:
    """As the status shows it, once it does: it is written every five seconds."""

    def shown() -> list[dict]:
        return [one for one in bed.devices() if one.get("address") == ADDRESS]

    until(lambda: len(shown()) == 1, BACK_S)
    return shown()[0]


def test_a_device_that_hangs_up_in_the_middle_is_heard_again(bed, radio) -> None:
    radio.do("appear", "a", **DEVICE)
    heard_more(bed)
    for _ in range(3):
        before = len(bed.spooled.sessions)
        radio.do("drop", "a")
        bed.until(lambda before=before: len(bed.spooled.sessions) > before, BACK_S)
        heard_more(bed)
    assert (bed.tasks_failed(), bed.restarts()) == (0, 0)


def test_values_of_wrong_length_are_counted_and_the_others_are_heard(bed, radio) -> None:
    radio.do("appear", "a", **DEVICE)
    heard_more(bed)
    skipped = peer(bed)["skipped_bytes"]
    for wrong in ("0C", "0C62004E00", "0C62004E002000000000" * 2, "FF" * 20):
        radio.do("say", "a", hex=wrong)
    until(lambda: peer(bed)["skipped_bytes"] > skipped, BACK_S)
    heard_more(bed)
    assert peer(bed)["is_open"]


def test_a_flood_of_strangers_with_its_name_does_not_keep_a_device_away(bed, radio) -> None:
    radio.do("appear", "a", **DEVICE)
    heard_more(bed)
    radio.do("hide", "a")
    bed.until(lambda: all(session.closed for session in bed.spooled.sessions), BACK_S)
    radio.do("flood", "a", count=500)
    radio.do("show", "a")
    heard_more(bed)
    assert all(ADDRESS in session.port for session in bed.spooled.sessions)
    assert (bed.tasks_failed(), bed.restarts()) == (0, 0)


def test_a_device_that_lost_its_bond_is_refused_until_a_person_bonds_it_again(empty, radio) -> None:
    bed = empty
    radio.do("appear", "a", **DEVICE)
    bond(bed)
    heard_more(bed)
    radio.do("forget", "a")
    radio.do("drop", "a")
    until(lambda: peer(bed)["is_refused"], BACK_S)
    bed.spooled.look()
    before = readings(bed)
    until(lambda: peer(bed)["refused"] > 1, 2 * BACK_S)  # it is tried again after a minute
    bed.spooled.look()
    assert readings(bed) == before, "nothing is heard from who does not prove its bond"
    bond(bed)
    heard_more(bed)
    assert (bed.tasks_failed(), bed.restarts()) == (0, 0)


def bond(bed: Bedside) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "agent.cli.entry", "bond", "--seconds", "60", "--json"],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert said.returncode == 0, f"{said.stdout}{said.stderr}{do('wardlink', 'devices', check=False)}"
    assert json.loads(said.stdout)["said"].endswith("is bonded")
