"""A cpio archive ("newc") in memory: what the kernel unpacks as its first root.

Source: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import PurePosixPath

MAGIC = "070701"
END = "TRAILER!!!"


def packed(files: Mapping[str, tuple[bytes, int]], folders: tuple[str, ...] = ()) -> bytes:
    """An archive of `files` (path without a leading slash -> bytes and permissions), root's, undated, in order of name.

    The folders above each file come by themselves; `folders` are those that stay empty.
    """
    above = {str(parent) for path in (*files, *(f"{f}/x" for f in folders)) for parent in PurePosixPath(path).parents}
    out = bytearray()
    number = 1
    for path in sorted(above - {"."}):
        out += _record(number, path, stat.S_IFDIR | 0o755, b"")
        number += 1
    for path, (data, mode) in sorted(files.items()):
        out += _record(number, path, stat.S_IFREG | mode, data)
        number += 1
    return bytes(out + _record(0, END, 0, b""))


def _record(number: int, path: str, mode: int, data: bytes) -> bytes:
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (number, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(name), 0)
    head = MAGIC.encode() + b"".join(b"%08X" % field for field in fields) + name
    return _padded(head) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
