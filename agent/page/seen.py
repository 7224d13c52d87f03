"""What the gateway and the setup wrote last, read anew where the file has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from agent.health.status import STATUS_FILE, Status
from agent.page import told

FILE_LIMIT_BYTES = 1 << 20
T = TypeVar("T")


class Watched(Generic[T]):
    """One file; None while it is not there or is not what it should be."""

    def __init__(self, path: Path, parse: Callable[[bytes], T]) -> None:
        self._path = path
        self._parse = parse
        self._mark: tuple[int, int, int] | None = None
        self._last: T | None = None

    def last(self) -> T | None:
        """Blocks for less than a millisecond: the files lie in memory."""
        try:
            found = self._path.stat()
            mark = (found.st_ino, found.st_mtime_ns, found.st_size)
            if mark != self._mark:
                self._last = self._parse(self._path.read_bytes()) if found.st_size <= FILE_LIMIT_BYTES else None
                self._mark = mark
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            self._last, self._mark = None, None
        return self._last


class Seen:
    """The two files of the runtime folder."""

    def __init__(self, runtime: Path) -> None:
        self._status = Watched(runtime / STATUS_FILE, lambda data: msgspec.json.decode(data, type=Status))
        self._setup = Watched(runtime / told.SETUP_FILE, told.setup)

    def status(self) -> Status | None:
        return self._status.last()

    def setup(self) -> told.Setup | None:
        return self._setup.last()
