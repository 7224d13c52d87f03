"""A small file that is replaced as a whole: after a power cut it is the old one or the new one."""

from __future__ import annotations

from pathlib import Path

from agent.spool.files import Files, read_all, write_all


def replace(files: Files, file: Path, data: bytes) -> None:
    """Durable when this returns. Raises OSError."""
    aside = file.with_name(f"{file.name}.new")
    files.make_folder(file.parent)
    fd = files.open(aside)
    try:
        write_all(files, fd, len(data).to_bytes(4, "big") + data, 0)
        files.fdatasync(fd)
    finally:
        files.close(fd)
    files.rename(aside, file)
    files.sync_folder(file.parent)


def read(files: Files, file: Path) -> bytes:
    """What was written last; empty if nothing was. Raises OSError."""
    if file.name not in files.names(file.parent):
        return b""
    fd = files.look(file)
    try:
        size = int.from_bytes(read_all(files, fd, 4, 0), "big")
        return read_all(files, fd, size, 4)
    finally:
        files.close(fd)


def place(files: Files, file: Path, data: bytes) -> None:
    """As `replace`, but the file holds these bytes and nothing else: for readers that are not ours. Raises OSError."""
    aside = file.with_name(f"{file.name}.new")
    files.make_folder(file.parent)
    if aside.name in files.names(file.parent):  # of a power cut, and perhaps longer
        files.remove(aside)
    fd = files.open(aside)
    try:
        write_all(files, fd, data, 0)
        files.fdatasync(fd)
    finally:
        files.close(fd)
    files.rename(aside, file)
    files.sync_folder(file.parent)


def stretch(files: Files, file: Path, at: int, limit_bytes: int) -> tuple[bytes, int]:
    """(bytes from `at` on, size of the whole file). Raises OSError."""
    fd = files.look(file)
    try:
        return read_all(files, fd, limit_bytes, at), files.size(fd)
    finally:
        files.close(fd)
