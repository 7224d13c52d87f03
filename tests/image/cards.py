"""Cards for tests that need no kernel: partitions and FAT files laid out as on the gateway's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.image.disk import SECTOR_BYTES, Fat, partitions

MIB = 1 << 20
AUTOBOOT = b"[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n"
STATE = b"A=good\nB=bad\nTRIAL=\nTRIED=0\n"


def sector(text: bytes) -> bytes:
    return text.ljust(SECTOR_BYTES, b"\n")


def card(path: Path) -> Path:
    """fw, boot_a and boot_b, with text where a kernel would be."""
    with path.open("wb") as file:
        file.truncate(16 * MIB)
    script = "label: gpt\n" + "".join(f"size=4MiB, name={name}\n" for name in ("fw", "boot_a", "boot_b"))
    subprocess.run(["sfdisk", "-q", str(path)], input=script.encode(), check=True, capture_output=True)
    for number, part in partitions(path).items():
        formatted(Fat(path, part.at), part.size, part.name, _first() if number == 1 else _boot(part.name))
    return path


def first_partition(path: Path, *, fat32: bool = False) -> Path:
    """The first partition alone."""
    size = 40 * MIB if fat32 else MIB
    with path.open("wb") as file:
        file.truncate(size)
    formatted(Fat(path), size, "fw", _first(), *(("-F", "-c", "1") if fat32 else ()))
    return path


def formatted(place: Fat, size_bytes: int, label: str, files: dict[str, bytes], *kind: str) -> None:
    geometry = ("-T", str(size_bytes // SECTOR_BYTES), "-h", "1", "-s", "1")
    words = ["mformat", "-i", f"{place.image}@@{place.at}", *geometry, *kind, "-v", label, "::"]
    subprocess.run(words, check=True, capture_output=True)
    for name, data in files.items():
        place.write(name, data)


def _first() -> dict[str, bytes]:
    return {"autoboot.txt": sector(AUTOBOOT), "wl-state": sector(STATE)}


def _boot(name: str) -> dict[str, bytes]:
    return {
        "config.txt": b"arm_64bit=1\nkernel=vmlinuz\ninitramfs initrd.img followkernel\n[tryboot]\ncmdline=try.txt\n",
        "cmdline.txt": f"root={name} quiet\n".encode(),
        "try.txt": f"root={name} tried\n".encode(),
        "vmlinuz": f"kernel of {name}".encode(),
        "initrd.img": f"initramfs of {name}".encode(),
    }
