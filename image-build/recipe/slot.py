"""What one slot holds: the verified root in one file, and the FAT partition that starts it.

The root's file: EROFS, then the tree of hashes over it. Each file begins at a block of its own, so a change moves what
lies behind it by whole blocks, and an update finds them again; the salt never changes, and nothing depends on the day.
"""

from __future__ import annotations

import gzip
import re
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path

from recipe import inside
from recipe.debian import BuildError
from recipe.inside import EPOCH_S

SALT = "77617264" * 8  # a tree of other salt would be other bytes everywhere
EROFS = ("--quiet", "-zzstd,level=15", "-C65536", f"-T{EPOCH_S}", "-U77617264-6c69-4e6b-8072-6f6f74000001")
FAT_MIB = {"fw": 64, "boot": 64}
CMDLINE = "console=tty1 quiet loglevel=4 panic=10 audit=0 systemd.gpt_auto=0 systemd.show_status=0 wl.roothash={hash}\n"
FIRMWARE = ("start.elf", "fixup.dat", "start4.elf", "fixup4.dat")
TREES = (
    *("bcm2837-rpi-3-b", "bcm2837-rpi-3-b-plus", "bcm2837-rpi-zero-2-w"),
    *("bcm2711-rpi-4-b", "bcm2711-rpi-cm4-io", "bcm2711-rpi-400", "bcm2712-rpi-5-b", "bcm2712-d-rpi-5-b"),
)


def root_image(builder: Path, root: Path, out: Path) -> str:
    """Writes `out`; returns the root hash, hexadecimal."""
    work, name = root.parent, f"/here/{out.name}"
    out.unlink(missing_ok=True)
    inside.run(builder, ["mkfs.erofs", *EROFS, name, f"/here/{root.name}"], work)
    length = out.stat().st_size
    if length != told_length(out):
        raise BuildError(f"{out.name} has {length} bytes, and its superblock says {told_length(out)}")
    words = ["veritysetup", "format", "--salt", SALT, "--uuid", "77617264-6c69-4e6b-8072-6f6f74000001"]
    words += ["--data-block-size", "4096", "--hash-block-size", "4096", "--data-blocks", str(length // 4096)]
    said = inside.run(builder, [*words, "--hash-offset", str(length), name, name], work)
    found = re.search(r"Root hash:\s+([0-9a-f]{64})", said)
    if not found:
        raise BuildError(f"veritysetup says no root hash: {said}")
    with out.open("r+b") as file:
        file.truncate((out.stat().st_size + 4095) // 4096 * 4096)
    return found[1]


def told_length(image: Path) -> int:
    """How many bytes an EROFS image says it has: initramfs/init finds the tree behind them in the same way.

    Source: erofs_fs.h of the kernel: the superblock at 1024; in it at 12 log2 of the block, at 36 their number.
    """
    with image.open("rb") as file:
        file.seek(1024)
        magic, bits, blocks = struct.unpack("<I8xB23xI", file.read(40))
    if magic != 0xE0F5E1E2:
        raise BuildError(f"{image.name} is no EROFS image")
    return int(blocks) << int(bits)


def boot_image(builder: Path, made: Path, initramfs: bytes, root_hash: str, config: Path, out: Path) -> None:
    """The FAT partition of a slot. `made`: where recipe.finish put kernel, trees and the Pi's firmware."""
    folder = made / "boot"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "overlays").mkdir(parents=True)
    # The firmware unpacks it (raspberrypi/documentation, config.txt, arm_64bit); a third of the bytes of a slow card.
    (folder / "vmlinuz").write_bytes(gzip.compress((made / "vmlinuz").read_bytes(), 9, mtime=0))
    (folder / "initrd.img").write_bytes(initramfs)
    (folder / "cmdline.txt").write_text(CMDLINE.format(hash=root_hash), encoding="ascii")
    shutil.copyfile(config, folder / "config.txt")
    for name in FIRMWARE:
        shutil.copyfile(made / "raspi-firmware" / name, folder / name)
    for name in TREES:
        shutil.copyfile(made / "dtb" / f"{name}.dtb", folder / f"{name}.dtb")
    for path in sorted((made / "raspi-firmware/overlays").glob("*.dtbo")):
        shutil.copyfile(path, folder / "overlays" / path.name)
    fat(builder, folder, out, "BOOT", FAT_MIB["boot"])


def fw_image(builder: Path, made: Path, files: Mapping[str, bytes], out: Path) -> None:
    """The first partition: which slot, and the file that people fill in."""
    folder = made / "fw"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copyfile(made / "raspi-firmware/bootcode.bin", folder / "bootcode.bin")
    for name, data in files.items():
        (folder / name).write_bytes(data)
    fat(builder, folder, out, "WARDLINK", FAT_MIB["fw"])


def sector(text: str) -> bytes:
    """One sector of text: such files are overwritten in place, so they never have another length."""
    data = text.encode("ascii")
    if len(data) > 512:
        raise ValueError(f"{len(data)} bytes do not fit a sector")
    return data.ljust(512, b"\n")


def fat(builder: Path, folder: Path, out: Path, label: str, size_mib: int) -> None:
    """A FAT32 file system of the folder's files, the same bytes every time."""
    serial = f"{sum(label.encode()):08x}"
    script = f"""set -e; cd /here/{folder.name}; find . -exec touch -d @{EPOCH_S} {{}} +; rm -f /here/{out.name}
    mkfs.vfat --invariant -C -F 32 -s 1 -n {label} -i {serial} /here/{out.name} {size_mib * 1024} > /dev/null
    find . -mindepth 1 -type d | sort | while read -r at; do mmd -i /here/{out.name} "::${{at#./}}"; done
    find . -type f | LC_ALL=C sort | while read -r at; do mcopy -m -i /here/{out.name} "$at" "::${{at#./}}"; done
    """
    inside.run(builder, ["sh", "-c", script], folder.parent)
