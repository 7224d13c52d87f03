"""A .deb with its files unpacked: under emulation decompression is what takes longest, so it is done natively, before.

Source: deb(5): an ar archive of debian-binary, control.tar.*, data.tar.*.
"""

from __future__ import annotations

import subprocess

from recipe.debian import BuildError

MAGIC = b"!<arch>\n"
HEAD_BYTES = 60
PROGRAMS = {".xz": ("xz", "-dc"), ".zst": ("zstd", "-dcq"), ".gz": ("gzip", "-dc"), "": ()}


def unpacked(deb: bytes) -> bytes:
    """The same package with an uncompressed data.tar. Raises BuildError at what is no .deb."""
    if not deb.startswith(MAGIC):
        raise BuildError("this is no .deb")
    out, at = bytearray(MAGIC), len(MAGIC)
    while at + HEAD_BYTES <= len(deb):
        head = deb[at : at + HEAD_BYTES]
        size = int(head[48:58])
        data = deb[at + HEAD_BYTES : at + HEAD_BYTES + size]
        at += HEAD_BYTES + size + size % 2
        name = head[:16].decode().strip().rstrip("/")
        if name.startswith("data.tar"):
            data = _plain(data, name.removeprefix("data.tar"))
            head = b"data.tar".ljust(16) + head[16:48] + b"%-10d" % len(data) + head[58:]
        out += head + data + bytes(b"\n" * (len(data) % 2))
    return bytes(out)


def _plain(data: bytes, ending: str) -> bytes:
    if ending not in PROGRAMS:
        raise BuildError(f"data.tar{ending}: nobody here unpacks that")
    if not ending:
        return data
    return subprocess.run(PROGRAMS[ending], input=data, capture_output=True, check=True).stdout
