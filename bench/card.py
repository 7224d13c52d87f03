"""A card for one measurement: a file as a loop device with ext4, and what the kernel counts of it. Needs root."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.scratch import HarnessError

SIZE_MIB = 256
SECTOR_BYTES = 512
PLACE = Path("/dev/shm")  # what is behind the loop must not be what is measured


class Traffic(NamedTuple):
    """Since the device was made (Documentation/block/stat.rst)."""

    writes: int
    written_bytes: int
    flushes: int

    def since(self, before: Traffic) -> Traffic:
        return Traffic(*(now - then for now, then in zip(self, before, strict=True)))


@dataclass(frozen=True, slots=True)
class Card:
    folder: Path
    device: str

    def traffic(self) -> Traffic:
        fields = [int(word) for word in Path(f"/sys/block/{self.device}/stat").read_text().split()]
        return Traffic(fields[4], fields[6] * SECTOR_BYTES, fields[15])


@contextmanager
def card(options: str) -> Iterator[Card]:
    """ext4 with blocks of 4 KiB, as on a real card: a small file system would get 1 KiB, and a quarter of the journal.

    Raises HarnessError where this machine does not let us.
    """
    place = Path(tempfile.mkdtemp(prefix="wardlink-card-", dir=PLACE if PLACE.is_dir() else None))
    image, folder, loop = place / "image", place / "mounted", ""
    try:
        folder.mkdir()
        with image.open("wb") as out:
            out.truncate(SIZE_MIB << 20)
        _tool("mkfs.ext4", "-q", "-F", "-b", "4096", str(image))
        loop = _tool("losetup", "--find", "--show", str(image)).strip()
        _tool("mount", "-o", options, loop, str(folder))
        try:
            yield Card(folder, Path(loop).name)
        finally:
            _tool("umount", str(folder))
    finally:
        if loop:
            _tool("losetup", "--detach", loop)
        shutil.rmtree(place, ignore_errors=True)


def _tool(*words: str) -> str:
    try:
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as problem:
        said = getattr(problem, "stderr", "") or str(problem)
        raise HarnessError(f"a loop device with ext4 is not to be had here: {words[0]}: {said.strip()}") from problem
