"""Several small files of one folder that change together: after a power cut all of them are old, or all are new.

What is to be written stands in one file first, `change`. Once that has its name it counts: the files are written from
it, and are so again at the next start, until the last one is there and `change` is gone. Others are left alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from agent import durable
from agent.spool.files import Disk, Files, read_all

CHANGE_FILE = "change"
LOCK_FILE = "lock"
FOLDERS = ("", "recipients")


class Change(msgspec.Struct, frozen=True):
    """`files`: what they shall hold, by their place in the folder; None: that one goes."""

    files: dict[str, bytes | None]


class Owned(Disk):
    """Files that belong to whom the folder belongs to: what root makes the daemon's user must be able to read."""

    def __init__(self) -> None:
        super().__init__(direct=False)

    def make_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            super().make_folder(folder)
            self._give(folder, folder.parent)

    def open(self, path: Path) -> int:
        fd = super().open(path)
        self._give(fd, path.parent)
        return fd

    @staticmethod
    def _give(what: int | Path, like: Path) -> None:
        if os.geteuid() == 0:
            owner = like.stat()
            os.chown(what, owner.st_uid, owner.st_gid)


def apply(files: Files, folder: Path, new: Mapping[str, bytes | None]) -> None:
    """Durable as a whole when this returns. Raises OSError: then it is done at the next `finish`, or was never begun.

    BlockingIOError: somebody else is at it.
    """
    files.make_folder(folder)
    lock = files.lock(folder / LOCK_FILE)
    try:
        finish(files, folder)
        durable.place(files, folder / CHANGE_FILE, msgspec.msgpack.encode(Change(dict(new))))
        finish(files, folder)
    finally:
        files.close(lock)


def finish(files: Files, folder: Path) -> bool:
    """Do what was begun before a power cut; whether there was something. Raises OSError."""
    if CHANGE_FILE not in _names(files, folder):
        return False
    change = msgspec.msgpack.decode(_content(files, folder / CHANGE_FILE), type=Change)
    for name, data in change.files.items():
        assert name.rpartition("/")[0] in FOLDERS, name
        file = folder / name
        if data is not None:
            durable.place(files, file, data)
        elif file.name in _names(files, file.parent):
            files.remove(file)
            files.sync_folder(file.parent)
    files.remove(folder / CHANGE_FILE)
    files.sync_folder(folder)
    return True


def _names(files: Files, folder: Path) -> list[str]:
    try:
        return files.names(folder)
    except FileNotFoundError:
        return []


def _content(files: Files, file: Path) -> bytes:
    fd = files.look(file)
    try:
        return read_all(files, fd, files.size(fd), 0)
    finally:
        files.close(fd)
