"""What was fetched of a file so far, on the disk: an interrupted update goes on where it was, also after a power cut.

`bundle.part` is as long as the file and has holes; `bundle.map` has a bit for each 4 KiB that is there, and is only
written once those are durable. RAUC verifies every block that it reads, so nothing here is believed.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

GRAIN_BYTES = 4096
UNKEPT_LIMIT_BYTES = 1 << 20


class Origin(msgspec.Struct, frozen=True):
    """Of which file: another address, length or tag is another file."""

    url: str
    size: int
    tag: str


class Kept:
    """`read` what `lacks` says is there. Raises OSError."""

    def __init__(self, folder: Path, origin: Origin) -> None:
        self._part, self._map, self._of = folder / "bundle.part", folder / "bundle.map", folder / "bundle.json"
        self.size = origin.size
        said = msgspec.json.encode(origin)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._of.exists() or self._of.read_bytes() != said:
            forget(folder)
            self._of.write_bytes(said)
        self._fd = os.open(self._part, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._fd, origin.size)
        self._bits = self._read_map()
        self._unkept_bytes = 0

    def lacks(self, at: int, end: int) -> tuple[int, int] | None:
        """The first stretch of [at, end) that is not there, in whole grains; None if all of it is."""
        grains = range(at // GRAIN_BYTES, -(-end // GRAIN_BYTES))
        missing = next((grain for grain in grains if not self._has(grain)), None)
        if missing is None:
            return None
        stop = next((grain for grain in range(missing, grains.stop) if self._has(grain)), grains.stop)
        return missing * GRAIN_BYTES, min(stop * GRAIN_BYTES, self.size)

    def write(self, at: int, data: bytes) -> None:
        """`at` is a whole grain; `data` ends with one, or with the file."""
        assert at % GRAIN_BYTES == 0
        os.pwrite(self._fd, data, at)
        for grain in range(at // GRAIN_BYTES, -(-(at + len(data)) // GRAIN_BYTES)):
            self._bits[grain >> 3] |= 1 << (grain & 7)
        self._unkept_bytes += len(data)
        if self._unkept_bytes >= UNKEPT_LIMIT_BYTES:
            self.keep()

    def read(self, at: int, end: int) -> bytes:
        return os.pread(self._fd, end - at, at)

    def keep(self) -> None:
        """Make durable what was written, and then what says so."""
        os.fdatasync(self._fd)
        aside = self._map.with_suffix(".new")
        with aside.open("wb") as file:
            file.write(hashlib.sha256(self._bits).digest() + self._bits)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._map)
        self._unkept_bytes = 0

    def close(self) -> None:
        self.keep()
        os.close(self._fd)

    @property
    def kept_bytes(self) -> int:
        return sum(byte.bit_count() for byte in self._bits) * GRAIN_BYTES

    def _has(self, grain: int) -> bool:
        return bool(self._bits[grain >> 3] & 1 << (grain & 7))

    def _read_map(self) -> bytearray:
        length = -(-self.size // GRAIN_BYTES) // 8 + 1
        if not self._map.exists():
            return bytearray(length)
        data = self._map.read_bytes()
        sound = len(data) == 32 + length and hashlib.sha256(data[32:]).digest() == data[:32]
        return bytearray(data[32:]) if sound else bytearray(length)


def forget(folder: Path) -> None:
    """Nothing was fetched. Raises OSError."""
    for name in ("bundle.json", "bundle.map", "bundle.part"):
        (folder / name).unlink(missing_ok=True)
