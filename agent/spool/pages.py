"""Two alternating checksummed copies in one pre-written file: the newer whole one counts.

    0  magic, 4 bytes   4  version u16   6  zero u16   8  serial u64   16  length u32   20  CRC-32 of all the rest

A copy is written over the older one and synced, so a power cut costs at most the copy being written.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from agent.spool.files import Files, Prewrite, read_around, write_all
from agent.spool.frame import padded
from agent.spool.terms import SECTOR_BYTES

VERSION = 1
_HEAD = struct.Struct("<4sHHQI")
_CRC = struct.Struct("<I")
HEAD_BYTES = _HEAD.size + _CRC.size


class Pages:
    """`page_bytes` is a multiple of 4 KiB; `content` is what the newer copy holds, None where neither is whole."""

    def __init__(self, files: Files, path: Path, magic: bytes, page_bytes: int) -> None:
        self._files = files
        self._path = path
        self._magic = magic
        self._page_bytes = page_bytes
        self._serial = 0
        self.content: bytes | None = None
        self.rotten = False  # neither copy can be read, and there is something

    @property
    def room_bytes(self) -> int:
        return self._page_bytes - HEAD_BYTES

    def load(self, names: list[str]) -> None:
        """Read both copies; writes nothing. A copy the disk refuses counts as not whole."""
        if self._path.name not in names:
            return
        fd = self._files.look(self._path)
        try:
            data, _ = read_around(self._files, fd, 2 * self._page_bytes, 0)
        finally:
            self._files.close(fd)
        for copy in (0, 1):
            self._take(data[copy * self._page_bytes : (copy + 1) * self._page_bytes])
        self.rotten = self.content is None and any(data)

    def create(self, names: list[str]) -> None:
        """Pre-write the file if it is missing."""
        if self._path.name not in names:
            Prewrite(self._files, self._path.parent, self._path.name, 2 * self._page_bytes).finish()

    def save(self, content: bytes) -> None:
        """Make `content` durable in the older copy. OSError: the newer copy is untouched."""
        assert len(content) <= self.room_bytes
        serial = self._serial + 1
        head = _HEAD.pack(self._magic, VERSION, 0, serial, len(content))
        page = head + _CRC.pack(zlib.crc32(content, zlib.crc32(head))) + content
        page = page.ljust(padded(len(page), SECTOR_BYTES), b"\0")
        fd = self._files.open(self._path)
        try:
            write_all(self._files, fd, page, (serial % 2) * self._page_bytes)
            self._files.fdatasync(fd)
        finally:
            self._files.close(fd)
        self._serial = serial
        self.content = content

    def _take(self, page: bytes) -> None:
        if len(page) < HEAD_BYTES:
            return
        magic, version, _, serial, length = _HEAD.unpack_from(page)
        if magic != self._magic or version != VERSION or HEAD_BYTES + length > len(page):
            return
        content = page[HEAD_BYTES : HEAD_BYTES + length]
        if zlib.crc32(content, zlib.crc32(page[: _HEAD.size])) != _CRC.unpack_from(page, _HEAD.size)[0]:
            return
        if serial > self._serial or self.content is None:
            self._serial, self.content = serial, content
