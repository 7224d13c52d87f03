"""Where the members of an export go: a folder that is there whole or not at all, or a zip as it is made."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path

from centre.export.plan import RefusedError

UNFINISHED = ".unfinished"


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an export. Its bytes are made as they are read, once, in the order of the members."""

    name: str
    data: Iterable[bytes]


def to_folder(members: Iterable[Member], folder: Path) -> int:
    """Write all members and return how many bytes. Raises RefusedError; then nothing is left."""
    if folder.exists():
        raise RefusedError(f"{folder} is there already", "name a folder that is not")
    making = folder.with_name(folder.name + UNFINISHED)
    making.mkdir(parents=True)
    try:
        total = 0
        for member in members:
            with (making / member.name).open("xb") as file:
                for piece in member.data:
                    total += file.write(piece)
        making.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)  # it is there only where something failed
    return total


def to_zip(members: Iterable[Member]) -> Iterator[bytes]:
    """A zip, stored, piece by piece: who reads slowly makes us slow, never large."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        for member in members:
            with archive.open(zipfile.ZipInfo(member.name), "w", force_zip64=True) as file:
                for piece in member.data:
                    file.write(piece)
                    yield pipe.take()
        yield pipe.take()
    yield pipe.take()


class _Pipe(RawIOBase):
    """What is written, until it is taken; it cannot be sought, so the zip is written in one go."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._held += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._held)
        self._held.clear()
        return taken
