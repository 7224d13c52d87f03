"""What the power campaign asks of Linux: mounts nobody else sees, loop devices, ext4. Needs root.

Everything is in a mount namespace of this process and its memory: when the process ends, however it ends,
the kernel takes mounts, loop devices and images away.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import fcntl
import importlib.util
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
_CLONE_NEWNS = 0x20000
_MS_REC_PRIVATE = 0x4000 | 0x40000
_MNT_DETACH = 2
_LOOP_CTL_GET_FREE = 0x4C82
_LOOP_CONFIGURE = 0x4C0A
_LO_FLAGS_AUTOCLEAR = 4
_LOOP_CONFIG = struct.Struct("<II52xI240x")  # descriptor, block size, flags of loop_info64
GROUP_BLOCKS = 2048  # so that a small image has a second superblock
_LIBC = ctypes.CDLL(None, use_errno=True)


def why_not() -> str:
    """Why this machine cannot run it; empty where it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "it needs Linux and root"
    missing = [device for device in ("/dev/fuse", "/dev/loop-control") if not os.access(device, os.R_OK | os.W_OK)]
    missing += [program for program in ("mke2fs", "e2fsck", "fusermount3") if shutil.which(program) is None]
    if importlib.util.find_spec("mfusepy") is None:
        missing.append("mfusepy (pip)")
    if missing:
        return f"it needs {', '.join(missing)}"
    trial = "from tests.crash.machine import attached, Mounts; image = Mounts().folder / 'x'\n"
    trial += "image.write_bytes(bytes(8192))\nwith attached(image): print('ready')"
    done = subprocess.run([sys.executable, "-c", trial], cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.stdout == "ready\n" else f"mounts and loop devices are refused: {done.stderr[-200:]}"


class Mounts:
    """A place in memory for images, in a mount namespace of its own. Once per process."""

    def __init__(self) -> None:
        _call(_LIBC.unshare(_CLONE_NEWNS))
        mount("none", Path("/"), None, _MS_REC_PRIVATE)
        self.folder = Path(tempfile.gettempdir()) / "wardlink-crash"
        self.folder.mkdir(exist_ok=True)
        mount("tmpfs", self.folder, "tmpfs")


def mount(source: str, at: Path, kind: str | None, flags: int = 0, options: str = "") -> None:
    words = [source.encode(), str(at).encode(), kind.encode() if kind else None]
    _call(_LIBC.mount(*words, ctypes.c_ulong(flags), options.encode()))


def unmount(at: Path) -> None:
    """At once, or when the last descriptor in it is closed; EBUSY tells the second."""
    if _LIBC.umount2(str(at).encode(), 0) != 0:
        code = ctypes.get_errno()
        _call(_LIBC.umount2(str(at).encode(), _MNT_DETACH))
        raise OSError(code, os.strerror(code), str(at))


def sync_all(folder: Path) -> None:
    """What the kernel does every few seconds: write back all there is, of this file system only."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        _call(_LIBC.syncfs(fd))
    finally:
        os.close(fd)


@contextmanager
def attached(image: Path) -> Iterator[str]:
    """A loop device over the image; it goes when its last user does."""
    file = os.open(image, os.O_RDWR)
    try:
        device, fd = _free_loop(file)
    finally:
        os.close(file)
    try:
        yield device
    finally:
        os.close(fd)


@contextmanager
def mounted(image: Path, at: Path) -> Iterator[None]:
    """The ext4 in the image, its journal replayed."""
    with attached(image) as device:
        mount(device, at, "ext4")
    try:
        yield
    finally:
        unmount(at)


def make_ext4(image: Path, size_bytes: int) -> None:
    """The same bytes each time."""
    with image.open("wb") as file:
        file.truncate(size_bytes)
    same = "lazy_itable_init=0,lazy_journal_init=0,hash_seed=11111111-2222-3333-4444-555555555555"
    words = ["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-J", "size=4", "-g", str(GROUP_BLOCKS), "-E", same]
    words += ["-U", "11111111-2222-3333-4444-555555555555", str(image)]
    subprocess.run(words, check=True, env={**os.environ, "E2FSPROGS_FAKE_TIME": "1700000000"})


def repair(image: Path) -> bool:
    """What a machine does at boot before it mounts; whether it can be mounted now.

    A superblock torn at 512 bytes is taken from its copy, which e2fsck finds alone if groups have the usual size.
    """
    for words in (["-p"], ["-y", "-b", str(GROUP_BLOCKS), "-B", "4096"]):
        done = subprocess.run(["e2fsck", *words, str(image)], check=False, capture_output=True)
        if done.returncode in (0, 1):
            return True
    return False


def _free_loop(file: int) -> tuple[str, int]:
    while True:
        control = os.open("/dev/loop-control", os.O_RDWR)
        device = f"/dev/loop{fcntl.ioctl(control, _LOOP_CTL_GET_FREE)}"
        os.close(control)
        fd = os.open(device, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(fd, _LOOP_CONFIGURE, _LOOP_CONFIG.pack(file, 512, _LO_FLAGS_AUTOCLEAR))
        except OSError as error:
            os.close(fd)
            if error.errno != errno.EBUSY:  # somebody else was quicker
                raise
        else:
            return device, fd


def _call(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
