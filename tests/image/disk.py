"""The gateway's card as a file: its partitions, and the files of its FAT partitions, read and written by mtools."""

from __future__ import annotations

import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

SECTOR_BYTES = 512
_HEADER_AT = SECTOR_BYTES
_NAME_AT, _NAME_BYTES = 56, 72


@dataclass(frozen=True, slots=True)
class Partition:
    """`at` and `size` in bytes."""

    name: str
    at: int
    size: int


def partitions(image: Path) -> dict[int, Partition]:
    """By number, from 1, as the GPT says (UEFI 2.10, section 5.3)."""
    with image.open("rb") as file:
        file.seek(_HEADER_AT)
        header = file.read(92)
        if header[:8] != b"EFI PART":
            raise ValueError(f"{image}: no partition table")
        first, count, size = struct.unpack("<QII", header[72:88])
        file.seek(first * SECTOR_BYTES)
        table = file.read(count * size)
    rows = {number + 1: table[number * size : (number + 1) * size] for number in range(count)}
    return {number: _partition(row) for number, row in rows.items() if row[:16] != bytes(16)}


def _partition(row: bytes) -> Partition:
    first, last = struct.unpack("<QQ", row[32:48])
    name = row[_NAME_AT : _NAME_AT + _NAME_BYTES].decode("utf-16-le").rstrip("\0")
    return Partition(name, first * SECTOR_BYTES, (last - first + 1) * SECTOR_BYTES)


@dataclass(frozen=True, slots=True)
class Fat:
    """The FAT file system at byte `at` of a file."""

    image: Path
    at: int = 0

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None if there is none of this name."""
        got = self._run("mcopy", "-n", f"::{name}", "-")
        return got.stdout if got.returncode == 0 else None

    def write(self, name: str, data: bytes) -> None:
        """As a person at a laptop would. Raises CalledProcessError."""
        self._run("mcopy", "-o", "-D", "o", "-", f"::{name}", data=data).check_returncode()

    def remove(self, name: str) -> None:
        self._run("mdel", f"::{name}").check_returncode()

    def names(self) -> list[str]:
        return sorted(self._run("mdir", "-b", "::").stdout.decode().replace("::/", "").split())

    def _run(self, tool: str, *words: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        where = f"{self.image}@@{self.at}"
        environment = {"PATH": "/usr/bin:/bin", "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8"}
        return subprocess.run(
            [tool, "-i", where, *words], input=data, capture_output=True, check=False, env=environment
        )


def fat(image: Path, number: int) -> Fat:
    return Fat(image, partitions(image)[number].at)


def copied(image: Path, target: Path, size_bytes: int) -> Path:
    """A card with this image on it: a sparse copy, as large as the card."""
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", image, target], check=True)
    with target.open("r+b") as file:
        file.truncate(max(size_bytes, image.stat().st_size))
    return target
