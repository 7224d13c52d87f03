"""Copies of damaged bytes, for whoever wants to know what happened. Bounded; never in anybody's way."""

from __future__ import annotations

from pathlib import Path

from agent.spool.files import Files, write_all

FOLDER = "quarantine"
COPY_BYTES = 64 * 1024


class Quarantine:
    """`refused` counts damaged places of which no copy was kept: the bound was reached or the disk said no."""

    def __init__(self, files: Files, folder: Path, limit_bytes: int) -> None:
        self._files = files
        self._folder = folder / FOLDER
        self._limit_bytes = limit_bytes
        self._names: set[str] | None = None
        self.used_bytes = 0
        self.refused = 0

    def keep(self, name: str, data: bytes) -> None:
        """Copy at most the first 64 KiB of `data`; the same name is copied once."""
        try:
            self._keep(name, data[:COPY_BYTES])
        except OSError:
            self.refused += 1

    def _keep(self, name: str, data: bytes) -> None:
        names = self._open()
        if name in names:
            return
        if self.used_bytes + len(data) > self._limit_bytes:
            self.refused += 1
            return
        fd = self._files.open(self._folder / name)
        try:
            write_all(self._files, fd, data, 0)
        finally:
            self._files.close(fd)
        names.add(name)
        self.used_bytes += len(data)

    def _open(self) -> set[str]:
        if self._names is None:
            self._files.make_folder(self._folder)
            names = set(self._files.names(self._folder))
            self.used_bytes = sum(self._size(name) for name in names)
            self._names = names
        return self._names

    def _size(self, name: str) -> int:
        fd = self._files.look(self._folder / name)
        try:
            return self._files.size(fd)
        finally:
            self._files.close(fd)
