"""A disk of its own for the gateway's state, so that it can be read raw: journal, slack and what was deleted."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DISK_BYTES = 1 << 30  # sparse


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path | None]:
    """An ext4 at `place`, in the file `image`; None where only root could make one, or no loop device is to be had."""
    place.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    made = ["mkfs.ext4", "-q", "-F", str(image)], ["mount", "-o", "loop", str(image), str(place)]
    if os.geteuid() or any(subprocess.run(words, capture_output=True, check=False).returncode for words in made):
        yield None
        return
    try:
        yield image
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def raw(image: Path) -> Iterator[bytes]:
    """All that was ever written to it, in order; holes were not."""
    os.sync()
    with image.open("rb") as file:
        at = 0
        while True:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    return
                raise
            end = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            yield os.pread(file.fileno(), end - at, at)
            at = end
