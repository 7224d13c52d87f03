"""The disk: a GUID partition table, the same three boot partitions in the old table too, and what lies in them.

Written byte by byte, without loop devices and without root, so that the same parts give the same image.
Source: UEFI specification 2.10, section 5; the old table's entries are for the boot ROM of the Pi 3B+ and Zero 2 W,
which knows nothing else (raspberrypi/firmware issue 1711).
"""

from __future__ import annotations

import hashlib
import struct
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
BLOCK = 4096
MIB = 1 << 20
ENTRIES, ENTRY_BYTES = 128, 128
TABLE_SECTORS = ENTRIES * ENTRY_BYTES // SECTOR
FAT32_LBA, PROTECTIVE = 0x0C, 0xEE
SPACE = uuid.UUID("5f3f9a04-3f0c-4f0e-9d53-77617264696e")
EFI = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")


@dataclass(frozen=True, slots=True)
class Part:
    """One partition: its name in the table, its length, what lies in it, and whether the old table has it."""

    name: str
    size_mib: int
    content: Path | None
    old: bool = False

    @property
    def kind(self) -> uuid.UUID:
        """The type: each partition has one of its own, by which the first boot finds it again."""
        return EFI if self.name == "fw" else uuid.uuid5(SPACE, f"type/{self.name}")


def write(path: Path, parts: list[Part]) -> None:
    """The image: sparse, with a first MiB of tables, the parts one after the other and a MiB for the second table."""
    sectors = (2 + sum(part.size_mib for part in parts)) * MIB // SECTOR
    ranges = list(_ranges(parts))
    with path.open("wb") as image:
        image.truncate(sectors * SECTOR)
        for part, (first, _) in zip(parts, ranges, strict=True):
            if part.content is None:
                continue
            if part.content.stat().st_size > part.size_mib * MIB:
                raise ValueError(f"{part.content.name} does not fit {part.name}: {part.content.stat().st_size} bytes")
            for at, block in filled(part.content):
                image.seek(first * SECTOR + at)
                image.write(block)
        entries = b"".join(map(_entry, parts, ranges)).ljust(ENTRIES * ENTRY_BYTES, b"\0")
        image.seek(0)
        image.write(_old_table(parts, ranges) + _header(entries, 1, sectors - 1, 2, sectors) + entries)
        image.seek((sectors - 1 - TABLE_SECTORS) * SECTOR)
        image.write(entries + _header(entries, sectors - 1, 1, sectors - 1 - TABLE_SECTORS, sectors))


def filled(path: Path) -> Iterator[tuple[int, bytes]]:
    """The blocks of a file that are not all zero, each with where it begins."""
    zero = bytes(BLOCK)
    with path.open("rb") as file:
        at = 0
        while block := file.read(BLOCK):
            if block != zero[: len(block)]:
                yield at, block
            at += len(block)


def bmap(path: Path) -> str:
    """What `bmaptool copy` reads: which blocks hold anything, and the digest of each run of them (format 2.0)."""
    runs: list[list[int]] = []
    sums: list[hashlib._Hash] = []
    for at, block in filled(path):
        number = at // BLOCK
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
            sums.append(hashlib.sha256())
        sums[-1].update(block)
    size = path.stat().st_size
    rows = "".join(
        f'        <Range chksum="{digest.hexdigest()}">{first}-{last}</Range>\n'
        for (first, last), digest in zip(runs, sums, strict=True)
    )
    mapped = sum(last - first + 1 for first, last in runs)
    text = (
        '<?xml version="1.0" ?>\n<bmap version="2.0">\n'
        f"    <ImageSize>{size}</ImageSize>\n    <BlockSize>{BLOCK}</BlockSize>\n"
        f"    <BlocksCount>{(size + BLOCK - 1) // BLOCK}</BlocksCount>\n"
        f"    <MappedBlocksCount>{mapped}</MappedBlocksCount>\n"
        f"    <ChecksumType>sha256</ChecksumType>\n    <BmapFileChecksum>{'0' * 64}</BmapFileChecksum>\n"
        f"    <BlockMap>\n{rows}    </BlockMap>\n</bmap>\n"
    )
    return text.replace("0" * 64, hashlib.sha256(text.encode()).hexdigest(), 1)


def _ranges(parts: list[Part]) -> Iterator[tuple[int, int]]:
    first = MIB // SECTOR
    for part in parts:
        length = part.size_mib * MIB // SECTOR
        yield first, first + length - 1
        first += length


def _entry(part: Part, spread: tuple[int, int]) -> bytes:
    own = uuid.uuid5(SPACE, f"partition/{part.name}")
    name = part.name.encode("utf-16-le").ljust(72, b"\0")
    return part.kind.bytes_le + own.bytes_le + struct.pack("<QQQ", *spread, 0) + name


def _header(entries: bytes, here: int, other: int, table: int, sectors: int) -> bytes:
    first, last = 2 + TABLE_SECTORS, sectors - 2 - TABLE_SECTORS
    own = uuid.uuid5(SPACE, "disk").bytes_le
    tail = struct.pack("<QQQQ16sQIII", here, other, first, last, own, table, ENTRIES, ENTRY_BYTES, zlib.crc32(entries))
    start = struct.pack("<8sII", b"EFI PART", 0x10000, 92)
    crc = zlib.crc32(start + bytes(8) + tail)
    return (start + struct.pack("<II", crc, 0) + tail).ljust(SECTOR, b"\0")


def _old_table(parts: list[Part], ranges: list[tuple[int, int]]) -> bytes:
    """At most three real entries, and the protective one before them, so that old tools leave the new table alone."""
    rows = [(first, last - first + 1) for part, (first, last) in zip(parts, ranges, strict=True) if part.old]
    table = b"".join(_old_entry(FAT32_LBA, *row) for row in rows) + _old_entry(PROTECTIVE, 1, MIB // SECTOR - 1)
    disk = uuid.uuid5(SPACE, "disk").bytes[:4]
    return bytes(440) + disk + bytes(2) + table.ljust(64, b"\0") + b"\x55\xaa"


def _old_entry(kind: int, first: int, length: int) -> bytes:
    return struct.pack("<B3sB3sII", 0, b"\xfe\xff\xff", kind, b"\xfe\xff\xff", first, length)
