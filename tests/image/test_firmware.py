"""The firmware's choice, from cards of a few megabytes."""

import shutil
from pathlib import Path

import pytest

from tests.image import firmware
from tests.image.cards import card, sector
from tests.image.disk import fat, partitions
from tests.image.firmware import FirmwareError, choose, next_flag, settings

pytestmark = pytest.mark.skipif(not all(map(shutil.which, ("mformat", "sfdisk"))), reason="needs mtools and fdisk")
AT_THE_END = "[  151.9] reboot: Restarting system"


def chosen(path: Path, *, is_tryboot: bool) -> tuple[int, bytes, str]:
    start = choose(path, is_tryboot, path.parent)
    return start.partition, start.kernel.read_bytes(), start.cmdline


def test_the_flag_chooses_the_other_slot_once(tmp_path) -> None:
    path = card(tmp_path / "card")
    assert [part.name for part in partitions(path).values()] == ["fw", "boot_a", "boot_b"]
    assert chosen(path, is_tryboot=False) == (2, b"kernel of boot_a", "root=boot_a quiet")
    assert chosen(path, is_tryboot=True) == (3, b"kernel of boot_b", "root=boot_b tried")
    assert (tmp_path / "initramfs").read_bytes() == b"initramfs of boot_b"


def test_sections_that_do_not_hold_are_passed_over() -> None:
    text = "a=1\n[tryboot]\na=2 # once\n[none]\na=3\n[pi5]\na=4\n[all]\nb=1\ninitramfs initrd.img followkernel\n"
    assert settings(text, False) == {"a": "1", "b": "1", "initramfs": "initrd.img"}
    assert settings(text, True)["a"] == "2"


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("autoboot.txt", bytes(513), "longer than a sector"),
        ("autoboot.txt", sector(b"[all]\nboot_partition=9\n"), "no partition 9"),
        ("autoboot.txt", sector(b"[all]\nboot_partition=1\n"), "partition 1 has no config.txt"),
    ],
)
def test_a_card_that_does_not_start(tmp_path, name, data, words) -> None:
    path = card(tmp_path / "card")
    fat(path, 1).write(name, data)
    with pytest.raises(FirmwareError, match=words):
        choose(path, False, tmp_path)


def test_a_slot_without_a_kernel_does_not_start(tmp_path) -> None:
    path = card(tmp_path / "card")
    fat(path, 3).remove("vmlinuz")
    choose(path, False, tmp_path)
    with pytest.raises(FirmwareError, match="no kernel"):
        choose(path, True, tmp_path)


def test_without_a_b_the_flag_wants_tryboot_txt(tmp_path) -> None:
    path = card(tmp_path / "card")
    fat(path, 1).write("autoboot.txt", sector(b"[all]\nboot_partition=2\n"))
    with pytest.raises(FirmwareError, match=r"no tryboot\.txt"):
        choose(path, True, tmp_path)


@pytest.mark.parametrize(
    ("console", "flag"),
    [
        (f"{AT_THE_END} with command '0 tryboot'\n", True),
        (f"{AT_THE_END}\n", False),
        (f"{AT_THE_END} with command '0 tryboot'\nU-Boot\n{AT_THE_END}\n", False),
        ("cut in the mid", False),
        ("reboot: Power down\n", None),
    ],
)
def test_what_the_kernel_said_last_is_the_flag(console, flag) -> None:
    assert next_flag(console) is flag


@pytest.mark.skipif(not all(map(shutil.which, ("dtc", "fdtget"))), reason="needs device-tree-compiler")
def test_the_kernel_is_told(tmp_path) -> None:
    import subprocess

    tree = tmp_path / "tree.dtb"
    source = b"/dts-v1/;\n/ { chosen { }; };\n"
    subprocess.run(["dtc", "-q", "-O", "dtb", "-o", str(tree)], input=source, check=True)
    firmware.tell_kernel(tree, choose(card(tmp_path / "card"), True, tmp_path))
    said = subprocess.run(
        ["fdtget", "-t", "i", str(tree), "/chosen/bootloader", "partition"], capture_output=True, check=True
    )
    assert said.stdout == b"3\n"
