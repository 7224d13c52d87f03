"""Which slot starts: every order of installing, restarting and failing, and the power cut at every write."""

import itertools
import shutil
from pathlib import Path

import pytest

from tests.image.backend import Gateway, PowerCutError
from tests.image.cards import STATE, first_partition, sector
from tests.image.disk import Fat

pytestmark = pytest.mark.skipif(not all(map(shutil.which, ("mformat", "sfdisk"))), reason="needs mtools and fdisk")
DEEDS = ("install good", "install bad", "reboot", "gate", "cut")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    return first_partition(tmp_path_factory.mktemp("card") / "fw").read_bytes()


@pytest.fixture
def gateway(fresh, tmp_path):
    return made(fresh, tmp_path)


def made(fresh: bytes, folder: Path) -> Gateway:
    (folder / "fw").write_bytes(fresh)
    return Gateway(folder / "fw")


def test_a_good_update_lasts(gateway) -> None:
    gateway.install()
    assert gateway.says("get-primary") == "B"
    assert gateway.reboot() == "B runs, on trial"
    assert (gateway.says("get-current"), gateway.says("get-primary")) == ("B", "B")
    gateway.gate()
    assert gateway.start() == "B runs"
    assert (gateway.says("get-state", "A"), gateway.says("get-state", "B")) == ("good", "good")


def test_a_bad_update_is_tried_once(gateway) -> None:
    gateway.install(good=False)
    gateway.reboot()
    assert gateway.slot == "B"
    assert gateway.gate() == "the trial of B failed: A runs again"
    assert gateway.says("get-state", "B") == "bad"
    gateway.reboot()
    assert gateway.slot == "A", "it is not tried again by itself"


def test_a_power_cut_before_the_reboot_does_not_lose_the_update(gateway) -> None:
    gateway.install()
    gateway.start()
    gateway.gate()
    assert gateway.slot == "A"
    gateway.reboot()
    assert gateway.slot == "B"


def test_a_power_cut_during_the_trial_counts_as_failed(gateway) -> None:
    gateway.install()
    gateway.reboot()
    assert gateway.start() == "the trial of B failed: A runs again"


def test_a_power_cut_between_the_two_sectors_does_not_lose_a_good_update(gateway) -> None:
    gateway.install()
    gateway.reboot()
    gateway.power.fails_at = gateway.power.writes + 1
    with pytest.raises(PowerCutError):
        gateway.gate()
    gateway.power.fails_at = None
    gateway.start()
    assert gateway.slot == "B"


def test_nothing_is_installed_over_what_a_trial_falls_back_on(gateway) -> None:
    gateway.install()
    gateway.reboot()
    with pytest.raises(gateway.program.SlotsError, match="on trial"):
        gateway.install()
    assert gateway.start() == "the trial of B failed: A runs again"


def test_one_sector_is_written_and_nothing_else_of_the_card(gateway) -> None:
    before = gateway.program.FW.read_bytes()
    gateway.install()
    gateway.reboot()
    gateway.gate()
    after = gateway.program.FW.read_bytes()
    changed = {at for at in range(0, len(before), 512) if before[at : at + 512] != after[at : at + 512]}
    assert {size for _, size in gateway.power.places} == {512}
    assert changed == {at for at, _ in gateway.power.places}
    assert len(changed) == 2


def test_fat32_is_read_too_and_the_firmware_reads_what_was_written(tmp_path) -> None:
    fw = Fat(first_partition(tmp_path / "fw", fat32=True))
    fw.remove("wl-state")
    for number in range(20):  # one cluster of the folder has room for 16
        fw.write(f"note{number}.txt", b"of a person")
    fw.write("wl-state", sector(STATE))
    gateway = Gateway(tmp_path / "fw")
    gateway.install()
    gateway.reboot()
    gateway.gate()
    assert gateway.start() == "B runs"
    assert b"boot_partition=3" in Fat(tmp_path / "fw").read("autoboot.txt").split(b"[tryboot]")[0]


@pytest.mark.parametrize("state", [b"", b"\xff" * 512, b"A=good\nB=ba", b"TRIAL=C\nTRIED=1\n"])
def test_a_state_that_cannot_be_read_is_no_trial(fresh, tmp_path, state) -> None:
    gateway = made(fresh, tmp_path)
    Fat(tmp_path / "fw").write("wl-state", sector(state))
    assert gateway.says("get-primary") == "A"
    gateway.install()
    gateway.reboot()
    assert gateway.slot == "B"


def test_a_first_partition_without_its_files_is_said(gateway) -> None:
    Fat(gateway.program.FW).remove("wl-state")
    with pytest.raises(gateway.program.SlotsError, match="no WL-STATE"):
        gateway.says("get-primary")


def did(gateway: Gateway, deed: str) -> None:
    try:
        match deed:
            case "install good" | "install bad":
                gateway.install(good=deed.endswith("good"))
            case "reboot":
                gateway.reboot()
            case "gate":
                gateway.gate()
            case "cut":
                gateway.start()
    except gateway.program.SlotsError:
        assert gateway.slot != gateway.says("get-primary") or "install" in deed


def lived(gateway: Gateway, deeds: tuple[str, ...], cut: int | None) -> bool:
    """Whether the power failed on the way."""
    gateway.power.fails_at = cut
    try:
        for deed in deeds:
            did(gateway, deed)
    except PowerCutError:
        gateway.power.fails_at = None
        gateway.start()
        return True
    gateway.power.fails_at = None
    return False


@pytest.mark.parametrize("first", DEEDS)
def test_whenever_the_power_fails_a_whole_system_runs_and_the_next_update_works(fresh, tmp_path, first) -> None:
    for deeds in itertools.product([first], DEEDS, DEEDS):
        for cut in itertools.count():
            gateway = made(fresh, tmp_path)
            failed = lived(gateway, deeds, cut)
            recovered(gateway, deeds)
            if not failed:
                break


def recovered(gateway: Gateway, deeds: tuple[str, ...]) -> None:
    assert gateway.slot in gateway.whole, deeds
    gateway.gate()
    assert gateway.slot in gateway.good, "what fails its gate does not stay"
    gateway.start()
    assert gateway.slot in gateway.good, deeds
    settled = gateway.slot
    gateway.install()
    gateway.reboot()
    gateway.gate()
    assert gateway.start() == f"{gateway.slot} runs", deeds
    assert gateway.slot != settled, deeds


def test_only_what_is_tried_is_on_trial(gateway) -> None:
    with pytest.raises(gateway.program.NotOnTrialError):
        gateway.says("on-trial")
    gateway.install()
    gateway.reboot()
    gateway.says("on-trial")
    gateway.gate()
    with pytest.raises(gateway.program.NotOnTrialError):
        gateway.says("on-trial")


def test_the_gateway_is_told_of_a_trial_and_how_it_ended(gateway) -> None:
    word = gateway.folder / "wardlink-trial"
    gateway.install(good=False)
    gateway.reboot()
    assert word.read_text() == "on"
    gateway.gate()
    assert (gateway.slot, word.read_text()) == ("A", "failed")
    gateway.install()
    assert not word.exists(), "what failed is not this one"
    gateway.reboot()
    assert (gateway.slot, word.read_text()) == ("B", "on")
    gateway.gate()
    assert not word.exists()
