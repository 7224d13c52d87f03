"""Plays the VideoCore firmware: which kernel a Raspberry Pi would start from this card, and with which words.

Sources: raspberrypi/documentation, config.txt `autoboot.adoc` (boot_partition, tryboot_a_b, at most 512 bytes),
`conditional.adoc` ([all], [none], [tryboot]), `bootflow-eeprom.adoc` (the one-shot flag), and
linux `Documentation/devicetree/bindings/chosen`: /chosen/bootloader/{partition,tryboot}, 32-bit big-endian.
Not played: the blobs themselves, overlays, and whatever else config.txt can say.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.image.disk import fat, partitions

AUTOBOOT_LIMIT_BYTES = 512


class FirmwareError(Exception):
    """Such a card does not start: four blinks and darkness."""


@dataclass(frozen=True, slots=True)
class Start:
    """What the firmware starts. `folder` of the choice holds kernel and initramfs as they were read off the card."""

    partition: int
    is_tryboot: bool
    kernel: Path
    initramfs: Path | None
    cmdline: str
    config: dict[str, str]


def settings(text: str, is_tryboot: bool) -> dict[str, str]:
    """`name=value` lines, and `initramfs FILE PLACE`, of the sections that hold; what comes later counts."""
    found: dict[str, str] = {}
    holds = True
    for line in text.splitlines():
        words = line.split("#")[0].strip()
        if words.startswith("["):
            holds = words == "[all]" or (words == "[tryboot]" and is_tryboot)
        elif holds and words.startswith("initramfs "):
            found["initramfs"] = words.split()[1]
        elif holds and "=" in words:
            name, _, value = words.partition("=")
            found[name.strip()] = value.strip()
    return found


def choose(image: Path, is_tryboot: bool, folder: Path) -> Start:
    """Reads the card as the firmware does. Raises FirmwareError."""
    auto = fat(image, 1).read("autoboot.txt")
    if auto is None or len(auto) > AUTOBOOT_LIMIT_BYTES:
        raise FirmwareError("autoboot.txt is missing or longer than a sector")
    chosen = settings(auto.decode("ascii", "replace"), is_tryboot)
    number = int(chosen.get("boot_partition", "1"))
    if number not in partitions(image):
        raise FirmwareError(f"there is no partition {number}")
    name = "tryboot.txt" if is_tryboot and chosen.get("tryboot_a_b") != "1" else "config.txt"
    return _loaded(image, number, name, is_tryboot, folder)


def _loaded(image: Path, number: int, name: str, is_tryboot: bool, folder: Path) -> Start:
    boot = fat(image, number)
    text = boot.read(name)
    if text is None:
        raise FirmwareError(f"partition {number} has no {name}")
    config = settings(text.decode("utf-8", "replace"), is_tryboot)
    kernel, cmdline = boot.read(config.get("kernel", "kernel8.img")), boot.read(config.get("cmdline", "cmdline.txt"))
    if not kernel or cmdline is None:
        raise FirmwareError(f"partition {number} has no kernel or no command line")
    (folder / "kernel").write_bytes(kernel)
    initramfs = boot.read(config["initramfs"]) if "initramfs" in config else None
    if initramfs:
        (folder / "initramfs").write_bytes(initramfs)
    words = " ".join(cmdline.decode("utf-8", "replace").split("\n")[0].split())
    path = folder / "initramfs" if initramfs else None
    return Start(number, is_tryboot, folder / "kernel", path, words, config)


def tell_kernel(tree: Path, start: Start) -> None:
    """Write into the device tree what the firmware writes there."""
    for name, value in (("partition", start.partition), ("tryboot", int(start.is_tryboot))):
        words = ["fdtput", "-p", "-t", "i", str(tree), "/chosen/bootloader", name, str(value)]
        subprocess.run(words, check=True)


def next_flag(console: str) -> bool | None:
    """What the kernel said last: True: once the other slot. False: an ordinary start. None: it is off and stays off."""
    last = console.rpartition("reboot: ")[2].splitlines()[:1]
    if last and last[0].startswith("Power down"):
        return None
    return bool(last and last[0].startswith("Restarting system with command '0 tryboot'"))
